"""The requests to CodeArtifact: mint a token, get the repository's endpoint, and verify the token there."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mwaa_codeartifact.core.errors import MintError, TokenRejectedError, VerifyError, aws_errors
from mwaa_codeartifact.core.index_url import Token, simple_url
from mwaa_codeartifact.core.policy import TOKEN_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mwaa_codeartifact.core.target import Repository

    HttpGet = Callable[[str, Token], int]

# No package has this name: the repository template blocks it upstream, so a request for it fetches nothing.
PROBE = "mwaa-codeartifact-probe"
# A package that nearly every repository has, or gets from upstream.
_COMMON = "pip"
# Not a secret: it looks like a token, but no domain has ever issued it.
_WRONG_TOKEN = Token("eyJ" + "wrong" * 200, datetime.max.replace(tzinfo=UTC))
_MINT = "mint a token"
_GET_ENDPOINT = "get the repository's endpoint"
_VERIFY = "verify the token"
# botocore accepts a response that ends early as one with fewer fields.
_CUT_OFF = "CodeArtifact's answer was cut off: try again"


class CodeArtifactClient(Protocol):
    """The part of boto3's client that a refresh uses."""

    def get_authorization_token(
        self,
        *,
        domain: str,
        domainOwner: str,  # noqa: N803  (boto3's name)
        durationSeconds: int,  # noqa: N803  (boto3's name)
    ) -> Mapping[str, Any]:
        """Request a token (API: GetAuthorizationToken)."""

    def get_repository_endpoint(
        self,
        *,
        domain: str,
        domainOwner: str,  # noqa: N803  (boto3's name)
        repository: str,
        format: Literal["pypi"],  # noqa: A002  (boto3's name)
    ) -> Mapping[str, Any]:
        """Request the repository's endpoint (API: GetRepositoryEndpoint)."""


def mint(codeartifact: CodeArtifactClient, repository: Repository) -> Token:
    """Get an authorization token for the repository's domain.

    :param codeartifact: client in the domain's region.
    :param repository: the repository.
    :raises MintError: if CodeArtifact returns none.
    """
    with aws_errors(
        MintError,
        attempt=_MINT,
        subject=repository.id,
        action="codeartifact:GetAuthorizationToken and sts:GetServiceBearerToken",
    ):
        answer = codeartifact.get_authorization_token(
            domain=repository.domain.name,
            domainOwner=repository.domain.owner,
            durationSeconds=int(TOKEN_LIFETIME.total_seconds()),
        )
    if "authorizationToken" not in answer or "expiration" not in answer:
        raise MintError(_MINT, repository.id, _CUT_OFF)
    # To the second, like the facts: a token that expires within the same second is no reason to replace a line.
    return Token(answer["authorizationToken"], answer["expiration"].replace(microsecond=0))


def repository_endpoint(codeartifact: CodeArtifactClient, repository: Repository) -> str:
    """Get the repository's pypi endpoint: its host depends on partition and network, so it is never built here.

    :param codeartifact: client in the domain's region.
    :param repository: the repository.
    :raises MintError: if CodeArtifact returns none.
    """
    with aws_errors(
        MintError, attempt=_GET_ENDPOINT, subject=repository.id, action="codeartifact:GetRepositoryEndpoint"
    ):
        answer = codeartifact.get_repository_endpoint(
            domain=repository.domain.name,
            domainOwner=repository.domain.owner,
            repository=repository.name,
            format="pypi",
        )
    if "repositoryEndpoint" not in answer:
        raise MintError(_GET_ENDPOINT, repository.id, _CUT_OFF)
    return str(answer["repositoryEndpoint"])


def verify(http_get: HttpGet, endpoint: str, token: Token) -> None:
    """Check that the repository accepts the token, with the request that pip will send.

    This takes up to two GETs where a wrong token gets 401, and a third where it gets 404 (reports differ:
    actions/setup-python #733 has 401, astral-sh/uv #11899 has 404).

    :param http_get: GETs a URL with the token and returns the status; raises OSError if there is no response.
    :param endpoint: the repository's endpoint.
    :param token: the token.
    :raises TokenRejectedError: if the repository responds with 401 or 403.
    :raises VerifyError: if it does not respond, or neither accepts nor rejects the token, or treats all tokens alike.
    """
    probe = f"{simple_url(endpoint)}{PROBE}/"
    if _has(http_get, probe, token):
        return
    try:
        _has(http_get, probe, _WRONG_TOKEN)
    except TokenRejectedError:
        return
    # Here a wrong token gets 404 as well, so only a page that exists proves that the token is accepted.
    common = f"{simple_url(endpoint)}{_COMMON}/"
    if not _has(http_get, common, token):
        reason = (
            "it answers 404 to a wrong token as well, which proves nothing: add the package "
            f"{_COMMON} to the repository, or an upstream that has it"
        )
        raise VerifyError(_VERIFY, common, reason, code=str(HTTPStatus.NOT_FOUND.value))


def _has(http_get: HttpGet, url: str, token: Token) -> bool:
    """Return whether the repository shows a project's page for a token; False for 404."""
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
