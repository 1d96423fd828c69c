"""The exact requests to CodeArtifact and to the repository."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber

from mwaa_codeartifact.core.codeartifact import mint, repository_endpoint, verify
from mwaa_codeartifact.core.errors import TokenRejectedError, VerifyError
from mwaa_codeartifact.core.index_url import Token
from tests.plugins.mwaa_codeartifact.core.support import DOMAIN, OWNER, REPOSITORY, START, answer, rendered

if TYPE_CHECKING:
    from mwaa_codeartifact.core.clients import Clients
    from mwaa_codeartifact.core.config import Target
    from tests.plugins.mwaa_codeartifact.core.support import Aws

EXPIRY = START + timedelta(hours=12)


def test_a_token_is_asked_for_with_domain_owner_and_12_hours(clients: Clients, target: Target) -> None:
    response = {"authorizationToken": "canary", "expiration": EXPIRY}
    request = {"domain": DOMAIN, "domainOwner": OWNER, "durationSeconds": 43_200}
    with Stubber(clients.codeartifact) as stub:
        stub.add_response("get_authorization_token", response, request)
        token = mint(clients.codeartifact, target)
        stub.assert_no_pending_responses()
    assert (token.value, token.expires_at) == ("canary", EXPIRY)


def test_the_duration_goes_over_the_wire(clients: Clients, target: Target, aws: Aws) -> None:
    mint(clients.codeartifact, target)
    assert aws.only("mint").query == {"domain": DOMAIN, "domain-owner": OWNER, "duration": "43200"}


def test_the_expiry_is_read_with_its_time_zone(clients: Clients, target: Target, aws: Aws) -> None:
    token = mint(clients.codeartifact, target)
    assert token == Token(aws.state.minted[0], EXPIRY)


def test_the_endpoint_is_asked_for_in_the_pypi_format(clients: Clients, target: Target) -> None:
    response = {"repositoryEndpoint": "https://dualstack.example/pypi/python/"}
    request = {"domain": DOMAIN, "domainOwner": OWNER, "repository": REPOSITORY, "format": "pypi"}
    with Stubber(clients.codeartifact) as stub:
        stub.add_response("get_repository_endpoint", response, request)
        assert repository_endpoint(clients.codeartifact, target) == "https://dualstack.example/pypi/python/"
        stub.assert_no_pending_responses()


@pytest.fixture
def endpoint(clients: Clients, target: Target, aws: Aws) -> str:
    endpoint = repository_endpoint(clients.codeartifact, target)
    aws.seen.clear()
    return endpoint


def _minted(aws: Aws, domain: str = DOMAIN) -> Token:
    return Token(*aws.state.mint(domain, OWNER))


def test_the_repository_is_asked_as_pip_asks_it(clients: Clients, aws: Aws, endpoint: str) -> None:
    token = _minted(aws)
    verify(clients.http_get, endpoint, token)
    (request,) = aws.seen
    credentials = base64.b64encode(f"aws:{token.value}".encode()).decode()
    assert request.headers["Authorization"] == f"Basic {credentials}"
    assert request.path == f"/{DOMAIN}-{OWNER}/pypi/{REPOSITORY}/simple/pip/"


@pytest.mark.parametrize("status", [200, 404])
def test_a_page_and_a_missing_page_both_prove_the_token(clients: Clients, aws: Aws, endpoint: str, status: int) -> None:
    aws.at("verify", answer(status))
    verify(clients.http_get, endpoint, _minted(aws))


def test_the_token_of_another_domain_is_rejected(clients: Clients, aws: Aws, endpoint: str) -> None:
    with pytest.raises(TokenRejectedError, match=r"allow codeartifact:ReadFromRepository in the role's policy \[401\]"):
        verify(clients.http_get, endpoint, _minted(aws, "other"))


@pytest.mark.parametrize("status", [204, 301, 400, 407, 500, 503])
def test_an_answer_that_is_neither_yes_nor_no_is_no_proof(
    clients: Clients, aws: Aws, endpoint: str, status: int
) -> None:
    aws.at("verify", *[answer(status)] * 3)
    with pytest.raises(VerifyError, match=rf"neither accepts nor rejects it: try again \[{status}\]") as caught:
        verify(clients.http_get, endpoint, _minted(aws))
    assert not isinstance(caught.value, TokenRejectedError)


def test_an_error_names_the_url_without_credentials(clients: Clients, aws: Aws, endpoint: str) -> None:
    aws.at("verify", answer(403))
    token = _minted(aws)
    with pytest.raises(TokenRejectedError) as caught:
        verify(clients.http_get, endpoint, token)
    assert f"Could not verify the token ({endpoint}simple/pip/): " in str(caught.value)
    assert token.value not in rendered(caught.value)
