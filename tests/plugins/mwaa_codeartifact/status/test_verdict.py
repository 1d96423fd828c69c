"""Verdict, reason and sentence for each state of the destination and of the DAG."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mwaa_codeartifact.core.destinations import StoredFile
from mwaa_codeartifact.core.index_url import LineFacts
from mwaa_codeartifact.core.policy import DAG_MAY_BE_LATE, DAG_MISSED_BELOW, DAG_WITHOUT_SUCCESS
from mwaa_codeartifact.core.target import Target
from mwaa_codeartifact.status.dag_state import DagState
from mwaa_codeartifact.status.verdict import USABLE, Judgement, Status, judge
from tests.plugins.mwaa_codeartifact.core.support import REPOSITORY_ID, START, TARGET_REPOSITORY
from tests.plugins.mwaa_codeartifact.status.documented_states import Row, documented_states

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
TARGET = Target(repository=TARGET_REPOSITORY, destination="s3://bucket/dags/c.txt")
DOCUMENTED = documented_states()
# States without a judgement: the tests of the watch and of the page have these.
NOTHING_SEEN = {"settings missing", "package missing", "destination not reached", "internal error"}


def line(remaining: timedelta, by: str = "dag", **changes: Any) -> StoredFile:
    facts: dict[str, Any] = {
        "token_expires_at": START + remaining,
        "refreshed_at": START + remaining - 12 * HOUR,
        "refreshed_by": by,
        "token_fingerprint": "0123456789ab",
        "repository": REPOSITORY_ID,
    }
    return StoredFile("etag", LineFacts(**facts | changes), recoverable=True, version_id="1")


BY_HAND = StoredFile("etag", None, recoverable=True, version_id="1")
GOOD_LINE, BOOTSTRAPPED = line(11 * HOUR), line(12 * HOUR, by="lambda")
NEW = DagState(next_run_at=START + MINUTE)
WELL = DagState(
    last_run_state="success",
    last_run_ended_at=START - HOUR,
    last_success_at=START - HOUR,
    next_run_at=START + MINUTE,
)
FAILED = replace(WELL, last_run_state="failed", last_run_ended_at=START - MINUTE)
RUNNING = replace(WELL, running_since=START - MINUTE, next_run_at=None)

# The state's name in docs/status-page.md, the stored file, the DAG's state, and a part of the sentence.
STATES = [
    ("no file", None, WELL, "There is no index-url file: pip cannot install with it; trigger the refresh DAG"),
    ("no file", None, None, "trigger the refresh DAG"),
    ("no file", None, replace(WELL, is_paused=True), "the refresh DAG is paused: unpause it"),
    ("no file", None, RUNNING, "a run of the refresh DAG is under way: wait for its end"),
    ("by hand", BY_HAND, WELL, "No refresher wrote"),
    ("other repository", line(12 * HOUR, repository="else"), WELL, f"serves the repository else, not {REPOSITORY_ID}"),
    ("expired", line(timedelta(0)), WELL, "has expired"),
    (
        "expired",
        line(-HOUR, by="lambda"),
        FAILED,
        "has expired: pip cannot install with it; the refresh DAG's last run",
    ),
    ("no such DAG", GOOD_LINE, DagState(exists=False), "Airflow has no refresh DAG: check that its file is in dags/"),
    ("gone", GOOD_LINE, replace(WELL, is_active=False), "gone from Airflow's list: check that its file is in dags/"),
    ("gone", GOOD_LINE, replace(FAILED, is_active=False, is_paused=True), "gone from Airflow's list"),
    ("import error", GOOD_LINE, replace(WELL, has_import_errors=True), "cannot be imported: fix the import error"),
    ("paused", GOOD_LINE, replace(WELL, is_paused=True), "the refresh DAG is paused: unpause it"),
    ("paused", GOOD_LINE, replace(NEW, is_paused=True), "the refresh DAG is paused: unpause it"),
    ("paused", GOOD_LINE, replace(FAILED, is_paused=True), "the refresh DAG is paused: unpause it"),
    ("failed", GOOD_LINE, FAILED, "the refresh DAG's last run failed: read the log"),
    ("failed", GOOD_LINE, replace(FAILED, running_since=START), "last run failed (a run is under way): read the log"),
    ("retrying", GOOD_LINE, replace(RUNNING, is_retrying=True), "has failed and waits for its next try"),
    (
        "no success",
        GOOD_LINE,
        replace(WELL, last_success_at=START - DAG_WITHOUT_SUCCESS - SECOND),
        "since 2029-12-31 21:59",
    ),
    ("no success", GOOD_LINE, DagState(running_since=START - DAG_WITHOUT_SUCCESS - SECOND), "has succeeded yet"),
    (
        "overdue",
        GOOD_LINE,
        replace(WELL, next_run_at=START - DAG_MAY_BE_LATE - SECOND),
        "run of 2029-12-31 23:49 UTC has not",
    ),
    (
        "overdue",
        GOOD_LINE,
        DagState(next_run_at=START - DAG_MAY_BE_LATE - SECOND),
        "check that the scheduler is running",
    ),
    ("not scheduled", GOOD_LINE, replace(WELL, next_run_at=None), "no run of the refresh DAG is scheduled"),
    ("not scheduled", GOOD_LINE, DagState(), "no run of the refresh DAG is scheduled"),
    ("few hours left", line(DAG_MISSED_BELOW - SECOND), WELL, "less than 10 hours are left"),
    ("few hours left", line(SECOND), None, "less than 10 hours are left"),
    ("refreshed by another", BOOTSTRAPPED, None, "came from lambda, and the state of the DAG is not known here"),
    ("refreshed by another", line(12 * HOUR, by="startup"), None, "came from startup"),
    ("kept so far", GOOD_LINE, None, "the DAG refreshed it last; the state of the DAG is not known here"),
    ("kept so far", line(DAG_MISSED_BELOW), None, "the DAG refreshed it last"),
    ("first run to come", BOOTSTRAPPED, NEW, "nothing to do"),
    ("first run to come", BOOTSTRAPPED, DagState(running_since=START), "nothing to do"),
    ("first run to come", BOOTSTRAPPED, replace(NEW, next_run_at=START - DAG_MAY_BE_LATE), "nothing to do"),
    ("kept", GOOD_LINE, WELL, "the DAG keeps it so: nothing to do"),
    ("kept", line(DAG_MISSED_BELOW), replace(WELL, last_success_at=START - DAG_WITHOUT_SUCCESS), "nothing to do"),
    ("kept", BOOTSTRAPPED, WELL, "nothing to do"),
    ("kept", GOOD_LINE, RUNNING, "nothing to do"),
    ("kept", GOOD_LINE, replace(WELL, next_run_at=None, last_run_ended_at=START - DAG_MAY_BE_LATE), "nothing to do"),
]


@pytest.mark.parametrize(("state", "stored", "dag", "told"), STATES)
def test_every_state_is_as_it_is_documented(
    state: str, stored: StoredFile | None, dag: DagState | None, told: str
) -> None:
    found = judge(TARGET, stored, dag, START)
    assert (found.reason, told in found.sentence) == (state, True), found.sentence
    assert Row(found.verdict, 200 if found.verdict in USABLE else 503, "") == DOCUMENTED[state]._replace(
        dag_keeps_it=""
    )
    keeps_it = {True: "yes", False: "no", None: "not known"}[found.dag_keeps_it]
    if dag is None:
        assert keeps_it == "not known"
    elif DOCUMENTED[state].dag_keeps_it == "as the DAG is":
        assert keeps_it == ("no" if dag in {FAILED, replace(WELL, is_paused=True)} else "yes")
    else:
        assert keeps_it == DOCUMENTED[state].dag_keeps_it
    assert found.sentence.endswith(".")
    assert found.sentence.count(". ") == 0


def test_every_documented_state_has_a_test() -> None:
    assert set(DOCUMENTED) == {state for state, *_ in STATES} | NOTHING_SEEN


@pytest.mark.parametrize(
    ("state", "dag"), [(state, dag) for state, stored, dag, _ in STATES if stored is GOOD_LINE and dag is not None]
)
def test_a_line_at_risk_is_falling_back_once_another_refresher_has_stepped_in(state: str, dag: DagState) -> None:
    found = judge(TARGET, line(11 * HOUR, by="lambda"), dag, START)
    expected = DOCUMENTED[state].verdict
    assert (found.reason, found.verdict) == (state, "falling back" if expected == "at risk" else expected)


def status(verdict: Any, stored: StoredFile | None) -> Status:
    judgement = Judgement(verdict=verdict, reason="any", sentence=".")
    facts = stored.facts if stored else None
    return Status(judgement=judgement, asked_at=START, target=TARGET, facts=facts)


@pytest.mark.parametrize(
    ("found", "remaining"),
    [
        (status("alive", line(11 * HOUR)), 11 * HOUR),
        (status("at risk", line(11 * HOUR)), 11 * HOUR),
        (status("stale", line(-HOUR)), timedelta(0)),
        (status("stale", line(HOUR, repository="elsewhere")), timedelta(0)),
        (status("stale", None), timedelta(0)),
        (status("unknown", None), None),
    ],
)
def test_the_remaining_lifetime_is_zero_for_an_unusable_line_and_none_for_an_unknown_one(
    found: Status, remaining: timedelta | None
) -> None:
    assert found.remaining(START) == remaining
    seconds = None if remaining is None else remaining.total_seconds()
    assert json.loads(json.dumps(found.as_dict(START)))["remaining_seconds"] == seconds
