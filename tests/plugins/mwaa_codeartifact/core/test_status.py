"""The verdict and its sentence, from what stands at the destination."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from mwaa_codeartifact.core.config import Target
from mwaa_codeartifact.core.destinations import Standing
from mwaa_codeartifact.core.index_url import LineFacts
from mwaa_codeartifact.core.status import DAG_LEAVES, Status, judge
from tests.plugins.mwaa_codeartifact.core.support import DOMAIN, OWNER, REGION, REPOSITORY, REPOSITORY_ID, START

HOUR = timedelta(hours=1)
TARGET = Target(
    domain=DOMAIN, domain_owner=OWNER, repository=REPOSITORY, region=REGION, destination="s3://bucket/dags/c.txt"
)


def line(remaining: timedelta, **changes: Any) -> LineFacts:
    facts: dict[str, Any] = {
        "token_expires_at": START + remaining,
        "refreshed_at": START + remaining - 12 * HOUR,
        "refreshed_by": "dag",
        "token_fingerprint": "0123456789ab",
        "repository": REPOSITORY_ID,
    }
    return LineFacts(**facts | changes)


def verdict(facts: LineFacts | None) -> tuple[str, str]:
    return judge(TARGET, Standing("etag", facts, recoverable=True, version_id="1"), START)


@pytest.mark.parametrize(
    ("facts", "expected", "why"),
    [
        (line(11 * HOUR), "alive", "nothing to do"),
        (line(DAG_LEAVES), "alive", "nothing to do"),
        (line(DAG_LEAVES - timedelta(seconds=1)), "falling back", "less than 10 hours are left"),
        (line(timedelta(seconds=1)), "falling back", "less than 10 hours are left"),
        (line(12 * HOUR, refreshed_by="lambda"), "falling back", "from lambda, not from the DAG"),
        (line(12 * HOUR, refreshed_by="startup"), "falling back", "from startup, not from the DAG"),
        (line(timedelta(0)), "stale", "has expired"),
        (line(-HOUR, refreshed_by="lambda"), "stale", "has expired"),
        (line(12 * HOUR, repository="elsewhere"), "stale", f"serves the repository elsewhere, not {REPOSITORY_ID}"),
        (None, "stale", "No refresher wrote"),
    ],
)
def test_the_verdict_on_a_line_says_why(facts: LineFacts | None, expected: str, why: str) -> None:
    found, sentence = verdict(facts)
    assert (found, why in sentence) == (expected, True)
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0


def test_a_missing_file_is_stale() -> None:
    assert judge(TARGET, None, START)[0] == "stale"


def status(verdict: Any, facts: LineFacts | None) -> Status:
    return Status(verdict=verdict, sentence=".", asked_at=START, repository=REPOSITORY_ID, facts=facts)


@pytest.mark.parametrize(
    ("found", "remaining"),
    [
        (status("alive", line(11 * HOUR)), 11 * HOUR),
        (status("stale", line(-HOUR)), timedelta(0)),
        (status("stale", line(HOUR, repository="elsewhere")), timedelta(0)),
        (status("stale", None), timedelta(0)),
        (status("unknown", None), None),
    ],
)
def test_what_remains_is_zero_where_pip_cannot_use_the_line_and_nothing_where_nobody_knows(
    found: Status, remaining: timedelta | None
) -> None:
    assert found.remaining(START) == remaining
    seconds = None if remaining is None else remaining.total_seconds()
    assert json.loads(json.dumps(found.as_dict(START)))["remaining_seconds"] == seconds
