"""Requests to CodeArtifact: for a token, for the repository's endpoint, and whether the two go together."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from mwaa_codeartifact.core.errors import MintError, TokenRejectedError, VerifyError
from mwaa_codeartifact.core.index_url import Token, simple_url
from mwaa_codeartifact.core.target import TOKEN_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_codeartifact import CodeArtifactClient

    from mwaa_codeartifact.core.target import Target

    HttpGet = Callable[[str, Token], int]

# Nobody's package: the repository template keeps the name from upstream, so that asking for it fetches nothing.
PROBE = "mwaa-codeartifact-probe"
# A package that nearly every repository has, or gets from upstream.
_COMMON = "pip"
# No secret: as long as a token and of the same letters, and no domain has ever given it out.
_WRONG_TOKEN = Token("eyJ" + "wrong" * 200, datetime.max.replace(tzinfo=UTC))
_VERIFY = "verify the token"
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

    Two GETs where a wrong token gets 401; a third where it gets 404 (reports differ: actions/setup-python #733 has 401,
    astral-sh/uv #11899 has 404).

    :param http_get: GETs a URL with the token and returns the status; raises OSError when there is no answer.
    :raises TokenRejectedError: when it answers 401 or 403.
    :raises VerifyError: when it does not answer, or neither yes nor no, or the same to every token.
    """
    probe = f"{simple_url(endpoint)}{PROBE}/"
    if _has(http_get, probe, token):
        return
    try:
        _has(http_get, probe, _WRONG_TOKEN)
    except TokenRejectedError:
        return
    # What a wrong token is not told, a good one is: any name that the repository has will do.
    common = f"{simple_url(endpoint)}{_COMMON}/"
    if not _has(http_get, common, token):
        reason = (
            "it answers 404 to a wrong token as well, which proves nothing: let the repository hold the package "
            f"{_COMMON}, or get it from upstream"
        )
        raise VerifyError(_VERIFY, common, reason, code=str(HTTPStatus.NOT_FOUND.value))


def _has(http_get: HttpGet, url: str, token: Token) -> bool:
    """Return whether a project's page is there for the bearer of a token; False for 404."""
    try:
        status = http_get(url, token)
    except OSError as error:
        reason = f"no answer ({error}): check the VPC endpoint codeartifact.repositories, and CA certificates if any"
        raise VerifyError(_VERIFY, url, reason) from error
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        reason = "the repository rejects it: allow codeartifact:ReadFromRepository in the role's policy"
        raise TokenRejectedError(_VERIFY, url, reason, code=str(status))
    if status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
        raise VerifyError(_VERIFY, url, "the repository neither accepts nor rejects it: try again", code=str(status))
    return status == HTTPStatus.OK
