from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from infra.deploy.release_history import KEY, begin, conclude, last_release, read, released, verdict_of, way_back

if TYPE_CHECKING:
    from infra.cli.aws import Aws

A, B, C, D = (
    {
        "PluginsS3ObjectVersion": f"plugins-{name}",
        "RequirementsS3ObjectVersion": f"requirements-{name}",
        "StartupScriptS3ObjectVersion": "startup",
        "RefresherS3ObjectVersion": f"refresher-{name}",
    }
    for name in "abcd"
)
PAIR_A, PAIR_B, PAIR_C = ({name: each[name] for name in list(each)[:2]} for each in (A, B, C))


def entries(*outcomes: tuple[dict[str, str], str | None]) -> list[dict[str, Any]]:
    return [{**versions, **({"verdict": verdict} if verdict else {})} for versions, verdict in outcomes]


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"releases-{uuid4().hex}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return name


def test_a_release_is_the_versions_among_the_parameters() -> None:
    assert released({**A, "EnvironmentName": "x"}) == A
    assert released({}) == {}


@pytest.mark.parametrize(
    ("known", "current", "goal"),
    [
        (entries(), A, None),
        (entries((A, "good")), A, None),
        (entries((A, "good"), (B, "good")), B, A),
        (entries((A, "good"), (B, "bad"), (C, "bad")), C, A),
        (entries((A, "good"), (B, "none"), (C, "bad")), C, A),
        (entries((A, "good"), (B, "bad")), A, A),
        (entries((A, "good"), (B, "good"), (C, "bad"), (B, "good")), B, A),
        (entries((A, "good"), (B, "good"), (A, "good")), A, None),
        (entries((A, "good"), (B, "good"), (A, "good"), (D, "good")), D, A),
        (entries((A, "bad"), (B, "none"), (C, "bad")), C, B),
        (entries((A, "bad"), (B, "bad")), B, None),
        (entries((A, "good"), (B, "good")), D, B),
        (entries((PAIR_A, None), (PAIR_B, None)), B, PAIR_A),
        (entries((PAIR_A, None), (PAIR_B, None), (C, "bad")), C, PAIR_B),
    ],
    ids=[
        "nothing is known",
        "the first release",
        "the release before",
        "bad releases are skipped",
        "releases without a verdict are skipped too",
        "CloudFormation has gone back itself",
        "a second step goes further back",
        "there is no earlier release",
        "a new release after a rollback",
        "no verdict is better than a bad one",
        "only bad releases",
        "set by other means",
        "old entries without verdicts",
        "the last old entry without a verdict",
    ],
)
def test_a_rollback_goes_to_the_last_release_that_worked(
    known: list[dict[str, Any]], current: dict[str, str], goal: dict[str, str] | None
) -> None:
    found = way_back(known, current)
    assert (found and released(found)) == goal


def test_a_release_has_its_newest_verdict_whatever_version_the_lambda_has() -> None:
    known = entries((A, "bad"), (B, "good"), (A, "good"))
    assert verdict_of(known, {**A, "RefresherS3ObjectVersion": "another"}) == ("good", "")
    assert verdict_of(known, C) == ("none", "")


@pytest.mark.long
def test_a_release_is_recorded_before_it_is_set_and_judged_after(aws: Aws, bucket: str, s3: Any) -> None:
    assert last_release(aws, bucket) is None
    begin(aws, bucket, {}, A)
    recorded = last_release(aws, bucket)
    assert recorded is not None
    assert (released(recorded), recorded["verdict"]) == (A, "none")
    conclude(aws, bucket, A, "good")
    begin(aws, bucket, A, B)
    conclude(aws, bucket, B, "bad", "pip says no")
    last = json.loads(s3.get_object(Bucket=bucket, Key=KEY)["Body"].read())[-1]
    assert (released(last), last["verdict"], last["reason"]) == (B, "bad", "pip says no")
    assert [entry["verdict"] for entry in read(aws, bucket)] == ["good", "bad"]


@pytest.mark.long
def test_a_rollback_can_restore_the_versions_before_the_first_recorded_release(aws: Aws, bucket: str) -> None:
    begin(aws, bucket, A, B)
    assert way_back(read(aws, bucket), B) == A


@pytest.mark.long
def test_an_old_entry_without_a_verdict_has_the_verdict_none(aws: Aws, bucket: str, s3: Any) -> None:
    s3.put_object(Bucket=bucket, Key=KEY, Body=json.dumps([{**PAIR_A, "at": "2026-01-01T00:00:00Z"}]).encode())
    assert last_release(aws, bucket) == {**PAIR_A, "at": "2026-01-01T00:00:00Z", "verdict": "none"}
