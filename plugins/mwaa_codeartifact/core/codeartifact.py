"""What CodeArtifact is asked: a token, the repository's endpoint, and whether the two go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from mwaa_codeartifact.core.config import TOKEN_LIFETIME
from mwaa_codeartifact.core.errors import MintError, TokenRejectedError, VerifyError
from mwaa_codeartifact.core.index_url import Token, simple_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_codeartifact import CodeArtifactClient

    from mwaa_codeartifact.core.config import Target

    HttpGet = Callable[[str, Token], int]

# botocore takes an answer that ends early for one that says less.
_CUT_OFF = "CodeArtifact's answer was cut off: try again"


def mint(codeartifact: CodeArtifactClient, target: Target) -> Token:
    """Get an authorization token for the target's domain.

    :raises MintError: when CodeArtifact gives none.
    """
    try:
        answer = codeartifact.get_authorization_token(
            domain=target.domain,
            domainOwner=target.domain_owner,
            durationSeconds=int(TOKEN_LIFETIME.total_seconds()),
        )
    except (BotoCoreError, ClientError) as error:
        raise MintError.from_aws(
            error,
            attempt="mint a token",
            subject=target.repository_id,
            action="codeartifact:GetAuthorizationToken and sts:GetServiceBearerToken",
        ) from error
    if "authorizationToken" not in answer or "expiration" not in answer:
        raise MintError("mint a token", target.repository_id, _CUT_OFF)
    # To the second, as the facts are kept: two tokens of the same second are no reason to replace a line.
    return Token(answer["authorizationToken"], answer["expiration"].replace(microsecond=0))


def repository_endpoint(codeartifact: CodeArtifactClient, target: Target) -> str:
    """Ask for the repository's pypi endpoint: its host depends on partition and network, so it is never built here.

    :raises MintError: when CodeArtifact does not tell.
    """
    try:
        answer = codeartifact.get_repository_endpoint(
            domain=target.domain,
            domainOwner=target.domain_owner,
            repository=target.repository,
            format="pypi",
        )
    except (BotoCoreError, ClientError) as error:
        raise MintError.from_aws(
            error,
            attempt="get the repository's endpoint",
            subject=target.repository_id,
            action="codeartifact:GetRepositoryEndpoint",
        ) from error
    if "repositoryEndpoint" not in answer:
        raise MintError("get the repository's endpoint", target.repository_id, _CUT_OFF)
    return answer["repositoryEndpoint"]


def verify(http_get: HttpGet, endpoint: str, token: Token) -> None:
    """Ask the repository whether it answers to the token, as pip will.

    :param http_get: GETs a URL with the token and gives the status; raises OSError when there is no answer.
    :raises TokenRejectedError: when it answers 401 or 403.
    :raises VerifyError: when it does not answer, or neither yes (200, 404) nor no.
    """
    # Any name will do: 404 proves a good token as well as 200 does.
    url = simple_url(endpoint) + "pip/"
    attempt = "verify the token"
    try:
        status = http_get(url, token)
    except OSError as error:
        reason = f"no answer ({error}): check the VPC endpoint codeartifact.repositories, and CA certificates if any"
        raise VerifyError(attempt, url, reason) from error
    if status in {401, 403}:
        reason = "the repository rejects it: allow codeartifact:ReadFromRepository in the role's policy"
        raise TokenRejectedError(attempt, url, reason, code=str(status))
    if status not in {200, 404}:
        raise VerifyError(attempt, url, "the repository neither accepts nor rejects it: try again", code=str(status))
