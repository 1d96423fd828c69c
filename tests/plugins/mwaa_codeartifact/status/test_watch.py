"""The requests to the destination for a status, over HTTP, and the status that follows from the responses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.status.dag_state import DagState
from mwaa_codeartifact.status.watch import Watch
from tests.plugins.mwaa_codeartifact.core.support import (
    BY_HAND,
    KEY,
    OTHER_LINE,
    answer,
    assert_no_token,
    line_metadata,
)
from tests.plugins.mwaa_codeartifact.status.documented_states import documented_states

if TYPE_CHECKING:
    from pathlib import Path

    from mwaa_codeartifact.core.connections import BotoConnections
    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import Bucket, Clock, RecordedAws

HOUR = timedelta(hours=1)


class Monotonic:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def publish(bucket: Bucket, hours: float, life: float = 12, **changes: str) -> None:
    """Publish a line with an expiry in so many hours."""
    refreshed_at = datetime.now(UTC) + hours * HOUR
    facts = {"refreshed_at": refreshed_at.isoformat(timespec="seconds")} | changes
    bucket.write(OTHER_LINE, line_metadata(refreshed_at + life * HOUR, **facts))


@pytest.fixture
def watch(target: Target, connections: BotoConnections) -> Watch:
    return Watch(target, connections.s3, monotonic=Monotonic())


def test_a_status_takes_a_head_a_list_and_a_head_for_each_version_and_never_reads_the_body(
    aws: RecordedAws, bucket: Bucket, watch: Watch
) -> None:
    publish(bucket, -1.5, refreshed_by="lambda")
    publish(bucket, -0.5)
    status = watch.status()
    assert (status.verdict, status.timeline_problem) == ("alive", "")
    assert [(span.kind, span.refreshed_by) for span in status.timeline] == [
        ("no record", None),
        ("line", "lambda"),
        ("line", "dag"),
    ]
    first, listing, *heads = aws.seen
    assert (first.step, first.query) == ("head", {})
    assert (listing.step, listing.query) == ("get", {"versions": "", "prefix": KEY, "encoding-type": "url"})
    assert [head.step for head in heads] == ["head", "head"]
    assert len({head.query["versionId"] for head in heads}) == 2


def test_a_version_is_requested_once(
    aws: RecordedAws, bucket: Bucket, target: Target, connections: BotoConnections
) -> None:
    watch = Watch(target, connections.s3, seconds=0)
    publish(bucket, -1)
    watch.status()
    watch.status()
    assert aws.steps == ["head", "get", "head", "head", "get"]
    publish(bucket, 0)
    aws.seen.clear()
    watch.status()
    assert aws.steps == ["head", "get", "head"]


def test_a_hundred_readers_at_once_cost_one_round_of_calls(aws: RecordedAws, bucket: Bucket, watch: Watch) -> None:
    publish(bucket, 0)
    with ThreadPoolExecutor(100) as people:
        found = list(people.map(lambda _: watch.status(), range(100)))
    assert {status.verdict for status in found} == {"alive"}
    assert aws.steps == ["head", "get", "head"]


def test_a_response_is_used_for_five_seconds(
    aws: RecordedAws, bucket: Bucket, target: Target, connections: BotoConnections
) -> None:
    monotonic = Monotonic()
    watch = Watch(target, connections.s3, monotonic=monotonic)
    assert watch.status().verdict == "stale"
    publish(bucket, 0)
    monotonic.seconds = 4.9
    assert watch.status().verdict == "stale"
    monotonic.seconds = 5
    assert watch.status().verdict == "alive"
    assert aws.steps.count("get") == 2


def test_a_new_state_of_the_dag_counts_at_once(aws: RecordedAws, bucket: Bucket, watch: Watch) -> None:
    publish(bucket, 0)
    next_run_at = datetime.now(UTC) + HOUR
    found = [watch.status(DagState(is_paused=paused, next_run_at=next_run_at)) for paused in (False, True, False)]
    assert [status.verdict for status in found] == ["alive", "at risk", "alive"]
    assert aws.steps == ["head", "get", "head"]


def test_a_failing_s3_makes_it_unknown_and_gets_no_request_for_a_while(aws: RecordedAws, watch: Watch) -> None:
    aws.at("head", *[answer(403)] * 3)
    found = [watch.status() for _ in range(3)]
    state = documented_states()["destination not reached"]
    assert {(status.judgement.reason, status.verdict) for status in found} == {("destination not reached", "unknown")}
    assert (state.verdict, state.monitors_get) == ("unknown", 503)
    assert "access denied: allow s3:GetObject and, on the bucket, s3:ListBucket" in found[0].sentence
    assert "\n" not in found[0].sentence
    assert aws.steps == ["head"]


def test_without_permission_to_list_versions_there_is_a_verdict_and_the_timeline_gives_the_reason(
    aws: RecordedAws, bucket: Bucket, watch: Watch
) -> None:
    publish(bucket, 0)
    aws.at("get", answer(403, "AccessDenied"))
    status = watch.status()
    assert status.verdict == "alive"
    assert "allow s3:GetObjectVersion and, on the bucket, s3:ListBucketVersions" in status.timeline_problem
    assert [span.kind for span in status.timeline] == ["no record", "line"]


def test_a_version_that_expires_while_it_is_listed_is_no_record(aws: RecordedAws, bucket: Bucket, watch: Watch) -> None:
    publish(bucket, -1)
    aws.at("head", lambda forward: forward(), answer(404))
    status = watch.status()
    assert (status.verdict, [span.kind for span in status.timeline]) == ("alive", ["no record"])


def test_a_file_written_by_hand_is_stale_and_not_read(aws: RecordedAws, bucket: Bucket, watch: Watch) -> None:
    bucket.write(BY_HAND)
    status = watch.status()
    assert status.verdict == "stale"
    assert [span.reason for span in status.timeline[1:]] == ["the file was not written by a refresher"]
    assert aws.steps == ["head", "get", "head"]


def test_a_deletion_is_seen(bucket: Bucket, watch: Watch) -> None:
    publish(bucket, -1)
    bucket.s3.delete_object(Bucket=bucket.name, Key=KEY)
    status = watch.status()
    assert status.verdict == "stale"
    assert [span.reason for span in status.timeline][1:2] == ["replaced"]


def test_a_file_whose_name_begins_alike_plays_no_part(bucket: Bucket, watch: Watch) -> None:
    publish(bucket, -1)
    bucket.s3.put_object(Bucket=bucket.name, Key=KEY + ".bak", Body=b"")
    assert [span.kind for span in watch.status().timeline] == ["no record", "line"]


def test_a_bucket_without_versions_shows_the_current_line(
    unversioned_bucket: Bucket, target: Target, connections: BotoConnections
) -> None:
    watch = Watch(replace(target, destination=unversioned_bucket.uri), connections.s3, seconds=0)
    for refresher in ("lambda", "dag"):
        publish(unversioned_bucket, -0.1, refreshed_by=refresher)
        assert watch.status().timeline[-1].refreshed_by == refresher


def test_a_file_on_disk_shows_the_current_line(
    tmp_path: Path, aws: RecordedAws, target: Target, connections: BotoConnections
) -> None:
    path = tmp_path / "codeartifact.txt"
    watch = Watch(replace(target, destination=path.as_uri()), connections.s3, seconds=0)
    assert watch.status().verdict == "stale"
    now = datetime.now(UTC)
    facts = line_metadata(now + 11 * HOUR, refreshed_at=(now - HOUR).isoformat(timespec="seconds"))
    path.write_text("# CodeArtifact index-url: " + ", ".join(f"{name}={value}" for name, value in facts.items()) + "\n")
    status = watch.status()
    assert status.verdict == "alive"
    assert [span.kind for span in status.timeline] == ["no record", "line"]
    assert "only the current line is shown" in status.timeline_problem
    assert aws.seen == []


def test_a_status_contains_no_token(
    aws: RecordedAws, clock: Clock, target: Target, connections: BotoConnections
) -> None:
    refresh(target, refresher="dag", min_remaining=HOUR, connections=connections, now=clock)
    status = Watch(target, connections.s3, now=clock).status()
    assert status.verdict == "alive"
    assert_no_token(aws.state, status, status.as_dict(clock()))
