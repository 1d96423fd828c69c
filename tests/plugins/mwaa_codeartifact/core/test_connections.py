from __future__ import annotations

import base64
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mwaa_codeartifact.core.connections import BotoConnections, http_get
from mwaa_codeartifact.core.destinations.file import FileDestination
from mwaa_codeartifact.core.destinations.s3 import S3Destination
from mwaa_codeartifact.core.index_url import Token
from mwaa_codeartifact.core.target import Domain
from tests.plugins.mwaa_codeartifact.core.support import START, answer, hang_up, rendered

if TYPE_CHECKING:
    import boto3

    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import RecordedAws

TOKEN = Token("canary", START)


def _page(aws: RecordedAws) -> str:
    return f"{aws.url}/data-123456789012.eu-west-1/pypi/python/simple/pip/"


@pytest.mark.parametrize("status", [200, 401, 404])
def test_a_get_returns_the_status_of_its_one_request(aws: RecordedAws, status: int) -> None:
    aws.at("verify", answer(status))
    assert http_get(_page(aws), TOKEN) == status
    assert aws.only("verify").headers["Authorization"] == f"Basic {base64.b64encode(b'aws:canary').decode()}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(aws: RecordedAws, status: int) -> None:
    aws.at("verify", answer(status, Location=f"{aws.url}/elsewhere/pypi/"))
    assert http_get(_page(aws), TOKEN) == status
    assert aws.steps == ["verify"]


def test_a_request_is_repeated_after_a_503(aws: RecordedAws) -> None:
    aws.at("verify", answer(503), answer(404))
    assert http_get(_page(aws), TOKEN) == 404
    assert aws.steps == ["verify"] * 2


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_after_3_tries_the_status_is_given_as_it_is(aws: RecordedAws, status: int) -> None:
    aws.at("verify", *[answer(status)] * 4)
    assert http_get(_page(aws), TOKEN) == status
    assert aws.steps == ["verify"] * 3


def test_a_server_cannot_make_it_wait_longer_than_a_refresh_has(aws: RecordedAws) -> None:
    aws.at("verify", answer(503, Retry_After="4"), answer(404))
    started = time.monotonic()
    http_get(_page(aws), TOKEN)
    assert time.monotonic() - started < 3


def test_a_connection_that_is_closed_is_tried_again(aws: RecordedAws) -> None:
    aws.at("verify", hang_up, answer(404))
    assert http_get(_page(aws), TOKEN) == 404


def test_no_answer_is_an_os_error_without_the_credentials(closed_port: int) -> None:
    with pytest.raises(OSError, match="NewConnectionError") as caught:
        http_get(f"http://127.0.0.1:{closed_port}/", TOKEN)
    assert "canary" not in rendered(caught.value)


def test_an_s3_uri_opens_bucket_and_key(connections: BotoConnections, target: Target) -> None:
    destination = connections.destination(replace(target, destination="s3://my.bucket/any/other key.txt"))
    assert isinstance(destination, S3Destination)
    assert destination.uri == "s3://my.bucket/any/other key.txt"


def test_a_file_uri_opens_the_path_that_it_encodes(connections: BotoConnections, target: Target) -> None:
    destination = connections.destination(replace(target, destination="file:///opt/air%20flow/codeartifact.txt"))
    assert isinstance(destination, FileDestination)
    assert destination.uri == Path("/opt/air flow/codeartifact.txt").as_uri()


def test_a_client_is_made_once_a_region(local_session: boto3.Session) -> None:
    made: list[tuple[str, str | None]] = []

    def make(service: str, *, region_name: str | None, **options: Any) -> Any:
        made.append((service, region_name))
        return local_session.client(service, region_name=region_name, **options)  # type: ignore[call-overload]  # any service

    with closing(BotoConnections(make)) as connections:
        here, too, elsewhere = (
            connections.codeartifact(Domain(region=region, owner="123456789012", name=name))
            for region, name in (("eu-west-1", "data"), ("eu-west-1", "other"), ("us-east-1", "data"))
        )
        assert connections.s3 is connections.s3
    assert here is too
    assert (here.meta.region_name, elsewhere.meta.region_name) == ("eu-west-1", "us-east-1")
    assert made == [("codeartifact", "eu-west-1"), ("codeartifact", "us-east-1"), ("s3", None)]
