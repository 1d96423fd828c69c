"""The refreshers' runs in virtual time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from random import Random

import pytest

from infra.lab.simulation.life import Record, Schedule, Span, live
from infra.lab.simulation.scenarios import DAG, DAY, HOUR, LAMBDA, MINUTE, SAMPLE
from infra.lab.simulation.world import Outcome, refresh_once


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311  (not a secret)


def moments(record: Record) -> list[int]:
    return [moment for moment, _ in record.publishes]


def test_the_dag_publishes_every_hour_and_the_lambda_then_never() -> None:
    both = live((DAG, LAMBDA), 10 * DAY, chance(1))
    assert len(both.publishes) == pytest.approx(240, abs=2)
    gaps = [end - start for start, _, end in both.lines()]
    assert max(gaps[1:]) <= HOUR + MINUTE


def test_the_lambda_alone_publishes_when_less_than_9_hours_remain() -> None:
    lines = live((LAMBDA,), 10 * DAY, chance(1)).lines()[:-1]
    assert all(8 * HOUR + 29 * MINUTE <= expires - replaced < 9 * HOUR for _, expires, replaced in lines)


def test_a_failed_try_is_repeated_with_the_schedules_waits() -> None:
    failures = live((DAG,), DAY, chance(3), outages=[Span(HOUR, DAY, "head")]).failures
    waits = [later - earlier for earlier, later in pairwise(failures[:5])]
    lateness = 24 + MINUTE
    assert all(low <= wait <= high + lateness for (low, high), wait in zip(DAG.waits, waits, strict=True))


def test_the_sample_does_not_repeat_a_failed_try() -> None:
    failures = live((SAMPLE,), 3 * DAY, chance(3), outages=[Span(HOUR, 3 * DAY, "head")]).failures
    assert all(later - earlier > 9 * HOUR for earlier, later in pairwise(failures))


def test_a_stale_time_lasts_from_the_expiry_to_the_next_publish() -> None:
    record = live((LAMBDA,), 3 * DAY, chance(2), outages=[Span(DAY, 2 * DAY, "mint")])
    (stale,) = record.stale()
    assert stale.start in {expires for _, expires in record.publishes}
    assert stale.end in moments(record)
    assert 2 * DAY <= stale.end <= 2 * DAY + 31 * MINUTE


def test_an_absent_dag_does_nothing_and_runs_as_soon_as_it_comes_back() -> None:
    back = 30 * HOUR + 17 * MINUTE
    found = moments(live((DAG,), 2 * DAY, chance(2), absences=[[Span(DAY, back)]]))
    assert not [moment for moment in found if DAY <= moment < back]
    assert [moment for moment in found if back <= moment <= back + MINUTE]


def test_an_absent_lambda_waits_for_its_next_regular_time() -> None:
    regular = moments(live((LAMBDA,), 2 * DAY, chance(2), failure_rate=0))[1] % (30 * MINUTE)
    later = moments(live((LAMBDA,), 2 * DAY, chance(2), absences=[[Span(2 * HOUR, 20 * HOUR)]]))[1]
    assert 20 * HOUR <= later <= 20 * HOUR + 31 * MINUTE
    assert later % (30 * MINUTE) == pytest.approx(regular, abs=MINUTE)


@pytest.mark.parametrize(
    ("schedules", "least", "most"),
    [
        ((DAG, LAMBDA), 10 * HOUR, 11 * HOUR),
        ((DAG,), 10 * HOUR, 11 * HOUR),
        ((LAMBDA,), 8 * HOUR, 9 * HOUR),
        ((SAMPLE,), 0, 15 * MINUTE),
    ],
    ids=["both", "DAG", "Lambda", "sample"],
)
def test_the_longest_outage_that_is_survived_at_the_worst_moment(
    schedules: tuple[Schedule, ...], least: int, most: int
) -> None:
    assert least <= min(survived(schedules, 12 * HOUR + minute * MINUTE) for minute in range(0, 12 * 60, 10)) <= most


def survived(schedules: tuple[Schedule, ...], start: int) -> int:
    """Return the length of the outage that begins at a moment and ends at the last try before the line expires."""
    record = live(schedules, start + 12 * HOUR, chance(start), outages=[Span(start, start + DAY, "head")])
    _, expires_at = record.publishes[-1]
    return max((moment for moment in record.failures if moment < expires_at), default=start) - start


@pytest.mark.parametrize(("hours", "stale_times"), [(8, 1), (9, 0)])
def test_two_failed_runs_before_an_outage_of_7_hours_are_survived_at_9_hours_but_not_at_8(
    hours: int, stale_times: int
) -> None:
    def run(*outages: Span) -> Record:
        refresh = partial(refresh_once, "lambda", timedelta(hours=hours))
        return live((replace(LAMBDA, run=refresh),), DAY, chance(1), outages=outages)

    due = moments(run())[2]
    two_runs, outage = due + 36 * MINUTE, due + 55 * MINUTE
    assert len(run(Span(due, two_runs, "head"), Span(outage, outage + 7 * HOUR, "mint")).stale()) == stale_times


def test_an_outcome_is_that_of_the_schedules_own_run() -> None:
    def run(remaining: int, fault: str | None) -> Outcome:
        assert fault is None
        return Outcome(failed=False, remaining=max(remaining, 5 * HOUR), seconds=0)

    record = live((replace(LAMBDA, run=run),), DAY, chance(1))
    assert {expires - moment for moment, expires in record.publishes} == {5 * HOUR}
