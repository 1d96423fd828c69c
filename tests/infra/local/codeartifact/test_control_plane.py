from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.local.codeartifact.control_plane import control_plane
from infra.local.codeartifact.store import Origin
from tests.infra.local.codeartifact.support import OWNER, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_codeartifact import CodeArtifactClient

    from infra.local.codeartifact.store import CodeArtifact
    from tests.infra.local.codeartifact.support import Clock


@pytest.fixture
def client_in(state: CodeArtifact) -> Iterator[Callable[[str], CodeArtifactClient]]:
    """Return a function that returns a client of a Region."""
    with serve(control_plane(state, lambda: "http://127.0.0.1:1234")) as url, ExitStack() as clients:

        def make(region: str) -> CodeArtifactClient:
            client = boto3.client(
                "codeartifact",
                endpoint_url=url,
                region_name=region,
                aws_access_key_id="id",
                aws_secret_access_key="secret",
                config=Config(retries={"total_max_attempts": 1}),
            )
            clients.callback(client.close)
            return client

        yield make


@pytest.fixture
def client(client_in: Callable[[str], CodeArtifactClient]) -> CodeArtifactClient:
    return client_in("eu-west-1")


def _error(raised: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_token_comes_with_its_expiry(client: CodeArtifactClient, state: CodeArtifact, clock: Clock) -> None:
    answer = client.get_authorization_token(domain="data", domainOwner=OWNER, durationSeconds=1800)
    assert state.check("data", answer["authorizationToken"])
    assert answer["expiration"] == clock.time + timedelta(seconds=1800)


def test_a_token_lives_12_hours_unless_asked(client: CodeArtifactClient, clock: Clock) -> None:
    assert client.get_authorization_token(domain="data")["expiration"] == clock.time + timedelta(hours=12)


def test_the_endpoint_is_where_the_index_is(client: CodeArtifactClient) -> None:
    answer = client.get_repository_endpoint(
        domain="data", domainOwner=OWNER, repository="python", format="pypi", endpointType="ipv4"
    )
    assert answer["repositoryEndpoint"] == f"http://127.0.0.1:1234/data-{OWNER}.eu-west-1/pypi/python/"


@pytest.mark.parametrize("place", [(OWNER, "us-east-1"), ("999999999999", "eu-west-1")], ids=["Region", "account"])
def test_a_domain_of_the_same_name_elsewhere_has_other_tokens_and_another_endpoint(
    client_in: Callable[[str], CodeArtifactClient], state: CodeArtifact, place: tuple[str, str]
) -> None:
    (owner, region), elsewhere = place, state.of(*place)
    elsewhere.create_domain("data")
    elsewhere.create_repository("data", "python")
    client = client_in(region)
    token = client.get_authorization_token(domain="data", domainOwner=owner)["authorizationToken"]
    assert (state.check("data", token), elsewhere.check("data", token)) == (False, True)
    repository: Any = {"domain": "data", "domainOwner": owner, "repository": "python", "format": "pypi"}
    endpoint = client.get_repository_endpoint(**repository)["repositoryEndpoint"]
    assert endpoint == f"http://127.0.0.1:1234/data-{owner}.{region}/pypi/python/"


def test_an_unknown_domain_is_a_resource_not_found_exception(client: CodeArtifactClient) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="nowhere") as raised:
        client.get_authorization_token(domain="nowhere")
    assert _error(raised) == ("ResourceNotFoundException", 404)


def test_an_unknown_repository_is_a_resource_not_found_exception(client: CodeArtifactClient) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="nothing"):
        client.get_repository_endpoint(domain="data", repository="nothing", format="pypi")


def test_a_duration_out_of_range_is_a_validation_exception(client: CodeArtifactClient) -> None:
    with pytest.raises(client.exceptions.ValidationException, match="900 to 43200") as raised:
        client.get_authorization_token(domain="data", durationSeconds=60)
    assert _error(raised) == ("ValidationException", 400)


def test_another_format_is_a_validation_exception(client: CodeArtifactClient) -> None:
    with pytest.raises(client.exceptions.ValidationException):
        client.get_repository_endpoint(domain="data", repository="python", format="npm")


def test_an_unsupported_operation_is_named_in_the_error(client: CodeArtifactClient) -> None:
    with pytest.raises(ClientError, match="does not serve DELETE /v1/domain") as raised:
        client.delete_domain(domain="data")
    assert _error(raised) == ("UnknownOperationException", 404)


def test_domains_are_listed(client: CodeArtifactClient) -> None:
    data, other = client.list_domains()["domains"]
    assert data == {"name": "data", "owner": OWNER, "arn": f"arn:aws:codeartifact:eu-west-1:{OWNER}:domain/data"}
    assert other["name"] == "other"


def test_the_domains_of_one_region_are_listed(client_in: Callable[[str], CodeArtifactClient]) -> None:
    assert client_in("us-east-1").list_domains()["domains"] == []


def test_packages_are_listed_with_their_origin_controls(client: CodeArtifactClient, state: CodeArtifact) -> None:
    state.repository("data", "python").packages.update(numpy=Origin.EXTERNAL, mine=Origin.INTERNAL)
    packages = client.list_packages(domain="data", repository="python")["packages"]
    assert [(item["package"], item["originConfiguration"]["restrictions"]) for item in packages] == [
        ("mine", {"publish": "ALLOW", "upstream": "BLOCK"}),
        ("numpy", {"publish": "BLOCK", "upstream": "ALLOW"}),
    ]
    in_house = client.list_packages(domain="data", repository="python", upstream="BLOCK")["packages"]
    assert [item["package"] for item in in_house] == ["mine"]
