from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from infra.deploy.releases import KEY, previous, record, released

if TYPE_CHECKING:
    from infra.cli.aws import Aws

pytestmark = pytest.mark.long

FIRST, SECOND, THIRD = (
    {"PluginsS3ObjectVersion": f"plugins-{n}", "RequirementsS3ObjectVersion": f"requirements-{n}"} for n in (1, 2, 3)
)


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"releases-{uuid4().hex}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return name


def test_a_release_is_the_pair_of_versions_among_the_parameters() -> None:
    assert released({**FIRST, "EnvironmentName": "x"}) == FIRST
    assert released({}) == {}


def test_before_the_first_release_nothing_is_known(aws: Aws, bucket: str) -> None:
    assert previous(aws, bucket, FIRST) is None
    record(aws, bucket, {}, FIRST)
    assert previous(aws, bucket, FIRST) is None


def test_each_release_knows_the_one_before_it(aws: Aws, bucket: str) -> None:
    record(aws, bucket, {}, FIRST)
    record(aws, bucket, FIRST, SECOND)
    record(aws, bucket, SECOND, THIRD)
    assert previous(aws, bucket, THIRD) == SECOND
    assert previous(aws, bucket, SECOND) == FIRST


def test_what_was_there_before_releases_were_recorded_can_be_gone_back_to(aws: Aws, bucket: str) -> None:
    record(aws, bucket, FIRST, SECOND)
    assert previous(aws, bucket, SECOND) == FIRST


def test_after_a_rollback_the_next_release_follows_what_it_went_back_to(aws: Aws, bucket: str, s3: Any) -> None:
    record(aws, bucket, {}, FIRST)
    record(aws, bucket, FIRST, SECOND)
    record(aws, bucket, FIRST, THIRD)
    assert previous(aws, bucket, THIRD) == FIRST
    kept = json.loads(s3.get_object(Bucket=bucket, Key=KEY)["Body"].read())
    assert [released(entry) for entry in kept] == [FIRST, THIRD]
    assert all("at" in entry for entry in kept)
