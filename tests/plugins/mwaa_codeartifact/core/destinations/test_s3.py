"""The exact requests to S3, also from a botocore without PutObject's IfMatch."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.loaders import Loader
from botocore.stub import Stubber

from mwaa_codeartifact.core.connections import CLIENT_CONFIG
from mwaa_codeartifact.core.destinations import ConflictError, StoredFile
from mwaa_codeartifact.core.destinations.s3 import S3Destination
from mwaa_codeartifact.core.errors import DestinationError
from mwaa_codeartifact.core.index_url import IndexUrlFile, LineFacts, Token
from tests.plugins.mwaa_codeartifact.core.support import (
    BY_HAND,
    KEY,
    REGION,
    REPOSITORY_ID,
    START,
    after,
    answer,
    line_metadata,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3 import S3Client

    from mwaa_codeartifact.core.connections import BotoConnections
    from tests.plugins.mwaa_codeartifact.core.support import Bucket, RecordedAws

METADATA = line_metadata(START)
FACTS = LineFacts(
    token_expires_at=START,
    refreshed_at=START - timedelta(hours=2),
    refreshed_by="dag",
    token_fingerprint="0123456789ab",
    repository=REPOSITORY_ID,
)
FILE = IndexUrlFile("https://localhost/pypi/python/", Token("canary", START), FACTS)


@pytest.fixture
def destination(connections: BotoConnections, bucket: Bucket) -> S3Destination:
    return S3Destination(connections.s3, bucket.name, KEY)


def _stored(etag: str) -> StoredFile:
    return StoredFile(etag, FACTS, recoverable=True)


# HEAD


def test_a_head_without_an_object_returns_none(destination: S3Destination) -> None:
    assert destination.head() is None


def test_a_head_reads_no_secret(destination: S3Destination, bucket: Bucket, aws: RecordedAws) -> None:
    bucket.write_line(START)
    destination.head()
    assert aws.steps == ["head"]


def test_a_line_is_seen_with_etag_facts_and_version(destination: S3Destination, bucket: Bucket) -> None:
    etag = bucket.write_line(START)
    version_id = bucket.s3.head_object(Bucket=bucket.name, Key=KEY)["VersionId"]
    assert destination.head() == StoredFile(etag, FACTS, recoverable=True, version_id=version_id)


def test_a_hand_written_file_has_no_facts_and_can_be_recovered_from_its_version(
    destination: S3Destination, bucket: Bucket
) -> None:
    bucket.write(BY_HAND)
    stored = destination.head()
    assert stored is not None
    assert (stored.facts, stored.recoverable) == (None, True)


@pytest.mark.parametrize("header", [{}, {"x_amz_version_id": "null"}], ids=["unversioned", "suspended"])
def test_without_versions_nothing_can_be_recovered(
    destination: S3Destination, aws: RecordedAws, header: dict[str, str]
) -> None:
    aws.at("head", answer(200, ETag='"etag"', **header))
    stored = destination.head()
    assert stored is not None
    assert not stored.recoverable


# PUT


@pytest.mark.parametrize(
    ("replacing", "condition"), [(None, {"IfNoneMatch": "*"}), (_stored('"seen"'), {"IfMatch": '"seen"'})]
)
def test_a_put_names_bytes_type_metadata_and_condition(
    connections: BotoConnections, replacing: StoredFile | None, condition: dict[str, str]
) -> None:
    request = {
        "Bucket": "bucket",
        "Key": KEY,
        "Body": FILE.render(),
        "ContentType": "text/plain; charset=utf-8",
        "Metadata": METADATA,
        **condition,
    }
    with Stubber(connections.s3) as stub:
        stub.add_response("put_object", {"VersionId": "version"}, request)
        assert S3Destination(connections.s3, "bucket", KEY).put(FILE, replacing=replacing) == "version"
        stub.assert_no_pending_responses()


def test_bytes_type_and_metadata_go_over_the_wire(destination: S3Destination, aws: RecordedAws) -> None:
    destination.put(FILE, replacing=None)
    put = aws.only("put")
    assert put.body == FILE.render()
    assert put.headers["Content-Type"] == "text/plain; charset=utf-8"
    sent = {name.lower(): value for name, value in put.headers.items()}
    assert {name: sent[f"x-amz-meta-{name}"] for name in METADATA} == METADATA


def test_a_first_put_is_a_conflict_if_there_is_an_object_by_now(
    destination: S3Destination, bucket: Bucket, aws: RecordedAws
) -> None:
    aws.at("put", after(lambda: bucket.write(BY_HAND)))
    with pytest.raises(ConflictError):
        destination.put(FILE, replacing=None)
    assert bucket.read() == BY_HAND


def test_a_put_over_something_else_than_was_seen_is_a_conflict(destination: S3Destination, bucket: Bucket) -> None:
    bucket.write(BY_HAND)
    with pytest.raises(ConflictError):
        destination.put(FILE, replacing=_stored('"another"'))
    assert bucket.read() == BY_HAND


def test_a_put_over_an_object_that_was_deleted_is_a_conflict(destination: S3Destination) -> None:
    with pytest.raises(ConflictError):
        destination.put(FILE, replacing=_stored('"gone"'))
    assert destination.head() is None


def test_a_race_that_s3_decides_with_409_is_a_conflict(destination: S3Destination, aws: RecordedAws) -> None:
    aws.at("put", answer(409, "ConditionalRequestConflict"))
    with pytest.raises(ConflictError) as caught:
        destination.put(FILE, replacing=None)
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__traceback__ is None  # its frames hold the request


def test_a_missing_bucket_is_no_conflict(connections: BotoConnections) -> None:
    with pytest.raises(DestinationError, match="the bucket does not exist"):
        S3Destination(connections.s3, "no-such-bucket", KEY).put(FILE, replacing=None)


# A botocore without PutObject's IfMatch (before 1.35.69)


class _OldLoader(Loader):
    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        model: Any = super().load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) == ("s3", "service-2"):
            model["shapes"]["PutObjectRequest"]["members"].pop("IfMatch", None)
        return model


@pytest.fixture
def old_s3(aws: RecordedAws) -> Iterator[S3Client]:
    session = botocore.session.get_session()
    session.register_component("data_loader", _OldLoader())
    session.set_credentials("local", "local")
    client: Any = session.create_client("s3", region_name=REGION, endpoint_url=aws.url, config=CLIENT_CONFIG)
    with closing(client):
        members = client.meta.service_model.operation_model("PutObject").input_shape.members
        assert "IfMatch" not in members
        yield client


def test_an_old_botocore_sends_if_match_too(old_s3: S3Client, bucket: Bucket, aws: RecordedAws) -> None:
    etag = bucket.write_line(START)
    S3Destination(old_s3, bucket.name, KEY).put(FILE, replacing=_stored(etag))
    assert aws.only("put").headers["If-Match"] == etag
    assert bucket.read() == FILE.render()


def test_an_old_botocore_never_replaces_content_that_was_not_read(old_s3: S3Client, bucket: Bucket) -> None:
    bucket.write(BY_HAND)
    with pytest.raises(ConflictError):
        S3Destination(old_s3, bucket.name, KEY).put(FILE, replacing=_stored('"another"'))
    assert bucket.read() == BY_HAND


def test_an_old_botocore_sends_if_match_in_a_retry_too(old_s3: S3Client, bucket: Bucket, aws: RecordedAws) -> None:
    etag = bucket.write_line(START)
    aws.at("put", answer(500, "InternalError"))
    S3Destination(old_s3, bucket.name, KEY).put(FILE, replacing=_stored(etag))
    assert [request.headers["If-Match"] for request in aws.seen] == [etag, etag]


def test_an_old_botocore_sends_no_if_match_with_a_first_publish(
    old_s3: S3Client, bucket: Bucket, aws: RecordedAws
) -> None:
    S3Destination(old_s3, bucket.name, KEY).put(FILE, replacing=None)
    put = aws.only("put")
    assert (put.headers["If-None-Match"], put.headers.get("If-Match")) == ("*", None)


def test_a_client_of_an_old_botocore_may_serve_several_destinations(
    old_s3: S3Client, bucket: Bucket, aws: RecordedAws
) -> None:
    etag = bucket.write_line(START)
    S3Destination(old_s3, bucket.name, "another key")
    S3Destination(old_s3, bucket.name, KEY).put(FILE, replacing=_stored(etag))
    assert aws.only("put").headers["If-Match"] == etag
