"""The exact requests to CodeArtifact and to the repository."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber

from mwaa_codeartifact.core.codeartifact import PROBE, mint, repository_endpoint, verify
from mwaa_codeartifact.core.errors import TokenRejectedError, VerifyError
from mwaa_codeartifact.core.index_url import Token
from tests.plugins.mwaa_codeartifact.core.support import DOMAIN, OWNER, REGION, REPOSITORY, START, answer, rendered
from tests.wheels import wheel

if TYPE_CHECKING:
    from mwaa_codeartifact.core.connections import BotoConnections
    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import Clock, RecordedAws

EXPIRY = START + timedelta(hours=12)


def test_a_token_is_requested_with_domain_owner_and_12_hours(connections: BotoConnections, target: Target) -> None:
    response = {"authorizationToken": "canary", "expiration": EXPIRY}
    request = {"domain": DOMAIN, "domainOwner": OWNER, "durationSeconds": 43_200}
    with Stubber(connections.codeartifact(target.repository.domain)) as stub:
        stub.add_response("get_authorization_token", response, request)
        token = mint(connections.codeartifact(target.repository.domain), target.repository)
        stub.assert_no_pending_responses()
    assert (token.value, token.expires_at) == ("canary", EXPIRY)


def test_the_duration_goes_over_the_wire(connections: BotoConnections, target: Target, aws: RecordedAws) -> None:
    mint(connections.codeartifact(target.repository.domain), target.repository)
    assert aws.only("mint").query == {"domain": DOMAIN, "domain-owner": OWNER, "duration": "43200"}


def test_the_expiry_is_read_with_its_time_zone(connections: BotoConnections, target: Target, aws: RecordedAws) -> None:
    token = mint(connections.codeartifact(target.repository.domain), target.repository)
    assert token == Token(aws.state.minted[0], EXPIRY)


def test_the_endpoint_is_requested_in_the_pypi_format(connections: BotoConnections, target: Target) -> None:
    response = {"repositoryEndpoint": "https://dualstack.example/pypi/python/"}
    request = {"domain": DOMAIN, "domainOwner": OWNER, "repository": REPOSITORY, "format": "pypi"}
    with Stubber(connections.codeartifact(target.repository.domain)) as stub:
        stub.add_response("get_repository_endpoint", response, request)
        assert (
            repository_endpoint(connections.codeartifact(target.repository.domain), target.repository)
            == "https://dualstack.example/pypi/python/"
        )
        stub.assert_no_pending_responses()


@pytest.fixture
def endpoint(connections: BotoConnections, target: Target, aws: RecordedAws) -> str:
    endpoint = repository_endpoint(connections.codeartifact(target.repository.domain), target.repository)
    aws.seen.clear()
    return endpoint


def _minted(aws: RecordedAws, domain: str = DOMAIN) -> Token:
    return Token(*aws.state.mint(domain))


def test_the_repository_gets_the_request_that_pip_sends(
    connections: BotoConnections, aws: RecordedAws, endpoint: str
) -> None:
    token = _minted(aws)
    verify(connections.http_get, endpoint, token)
    request = aws.only("verify")
    credentials = base64.b64encode(f"aws:{token.value}".encode()).decode()
    assert request.headers["Authorization"] == f"Basic {credentials}"
    assert request.path == f"/{DOMAIN}-{OWNER}.{REGION}/pypi/{REPOSITORY}/simple/mwaa-codeartifact-probe/"


GOOD, REJECTED, NOTHING_PROVED = "good", "TokenRejectedError [401]", "VerifyError [404]"


@pytest.mark.parametrize(
    ("scene", "verdict", "requests"),
    [
        # If a bad token gets 401, any other response shows that a token is good.
        (("401", "nothing", "good"), GOOD, ["verify", "control"]),
        (("401", PROBE, "good"), GOOD, ["verify"]),
        (("401", "pip", "good"), GOOD, ["verify", "control"]),
        (("401", "nothing", "expired"), REJECTED, ["verify"]),
        (("401", PROBE, "expired"), REJECTED, ["verify"]),
        (("401", "nothing", "wrong"), REJECTED, ["verify"]),
        (("401", PROBE, "wrong"), REJECTED, ["verify"]),
        # If it gets 404, only the page of an existing package shows that.
        (("404", "nothing", "good"), NOTHING_PROVED, ["verify", "control", "verify"]),
        (("404", PROBE, "good"), GOOD, ["verify"]),
        (("404", "pip", "good"), GOOD, ["verify", "control", "verify"]),
        (("404", "nothing", "expired"), NOTHING_PROVED, ["verify", "control", "verify"]),
        (("404", PROBE, "expired"), NOTHING_PROVED, ["verify", "control", "verify"]),
        (("404", "pip", "expired"), NOTHING_PROVED, ["verify", "control", "verify"]),
        (("404", "nothing", "wrong"), NOTHING_PROVED, ["verify", "control", "verify"]),
        (("404", PROBE, "wrong"), NOTHING_PROVED, ["verify", "control", "verify"]),
        (("404", "pip", "wrong"), NOTHING_PROVED, ["verify", "control", "verify"]),
    ],
)
def test_a_token_is_good_only_where_a_wrong_one_gets_another_answer(
    connections: BotoConnections,
    aws: RecordedAws,
    clock: Clock,
    endpoint: str,
    scene: tuple[str, str, str],
    verdict: str,
    requests: list[str],
) -> None:
    bad_tokens_get, known, token = scene
    aws.state.hides_from_bad_tokens = bad_tokens_get == "404"
    if known != "nothing":
        aws.state.repository(DOMAIN, REPOSITORY).publish(known, *wheel(known.replace("-", "_"), "1.0"))
    presented = Token("eyJwrong", EXPIRY) if token == "wrong" else _minted(aws)
    clock.time += timedelta(hours=12 if token == "expired" else 0)
    assert _verdict(connections, endpoint, presented) == verdict
    assert aws.steps == requests


def _verdict(connections: BotoConnections, endpoint: str, token: Token) -> str:
    try:
        verify(connections.http_get, endpoint, token)
    except VerifyError as error:
        return f"{type(error).__name__} [{error.code}]"
    return GOOD


def test_the_error_for_an_inconclusive_verification_contains_the_fix(
    connections: BotoConnections, aws: RecordedAws, endpoint: str
) -> None:
    aws.state.hides_from_bad_tokens = True
    with pytest.raises(VerifyError) as caught:
        verify(connections.http_get, endpoint, _minted(aws))
    assert str(caught.value) == (
        f"Could not verify the token ({endpoint}simple/pip/): it answers 404 to a wrong token as well, which proves "
        "nothing: add the package pip to the repository, or an upstream that has it [404]"
    )


@pytest.mark.parametrize("status", [500, 429])
def test_a_404_proves_nothing_while_a_wrong_token_gets_no_clear_answer(
    connections: BotoConnections, aws: RecordedAws, endpoint: str, status: int
) -> None:
    aws.at("control", *[answer(status)] * 3)
    with pytest.raises(VerifyError, match=rf"neither accepts nor rejects it: try again \[{status}\]"):
        verify(connections.http_get, endpoint, _minted(aws))


def test_the_wrong_token_is_none_that_was_ever_minted_and_looks_like_one(
    connections: BotoConnections, aws: RecordedAws, endpoint: str
) -> None:
    token = _minted(aws)
    verify(connections.http_get, endpoint, token)
    scheme, _, credentials = aws.only("control").headers["Authorization"].partition(" ")
    user, _, wrong = base64.b64decode(credentials).decode().partition(":")
    assert (scheme, user, wrong[:3], len(wrong)) == ("Basic", "aws", "eyJ", len(token.value))
    assert wrong not in aws.state.minted


def test_the_token_of_another_domain_is_rejected(connections: BotoConnections, aws: RecordedAws, endpoint: str) -> None:
    with pytest.raises(TokenRejectedError, match=r"allow codeartifact:ReadFromRepository in the role's policy \[401\]"):
        verify(connections.http_get, endpoint, _minted(aws, "other"))


@pytest.mark.parametrize("status", [204, 301, 400, 407, 500, 503])
def test_an_answer_that_is_neither_yes_nor_no_is_no_proof(
    connections: BotoConnections, aws: RecordedAws, endpoint: str, status: int
) -> None:
    aws.at("verify", *[answer(status)] * 3)
    with pytest.raises(VerifyError, match=rf"neither accepts nor rejects it: try again \[{status}\]") as caught:
        verify(connections.http_get, endpoint, _minted(aws))
    assert not isinstance(caught.value, TokenRejectedError)


def test_an_error_names_the_url_without_credentials(
    connections: BotoConnections, aws: RecordedAws, endpoint: str
) -> None:
    aws.at("verify", answer(403))
    token = _minted(aws)
    with pytest.raises(TokenRejectedError) as caught:
        verify(connections.http_get, endpoint, token)
    assert f"Could not verify the token ({endpoint}simple/{PROBE}/): " in str(caught.value)
    assert token.value not in rendered(caught.value)
