"""The short cuts change nothing, and the schedules are those that are deployed."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.lab.simulation.life import Life, Record
from infra.lab.simulation.limits import longest_survived
from infra.lab.simulation.memory import Memory
from infra.lab.simulation.refreshers import DAG, LAMBDA, SAMPLE, Schedule
from infra.lab.simulation.scenarios import Scenario
from infra.lab.simulation.troubles import Span, Troubles, draw_blackouts, draw_turns
from infra.lab.simulation.units import DAY, HOUR, MINUTE, TOKEN_LIFE
from infra.lab.simulation.world import FAULTS, Outcome, World
from mwaa_codeartifact.core.policy import DAG_MIN_REMAINING

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS = 45
BOTH = (DAG, LAMBDA)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("both", BOTH, 0.2, (1, 11)),
        Scenario("DAG alone", (DAG,), 0.2, (1, 11)),
        Scenario("Lambda alone", (LAMBDA,), 0.2, (1, 11)),
        Scenario("Lambda alone, little fails", (LAMBDA,), 0.01, (1, 7)),
        Scenario("in turn", BOTH, 0.05, (1, 11), draw_turns),
        Scenario("all dead at times", BOTH, 0.05, (1, 7), draw_blackouts),
    ],
    ids=lambda scenario: scenario.title,
)
def test_every_publish_is_what_calling_refresh_at_every_tick_publishes(scenario: Scenario, seed: int) -> None:
    troubles = scenario.troubles(seed, year=0)
    memory, exact = Memory(), Memory(exact=True)

    short = Life(scenario.schedules, troubles, memory).live(DAYS * DAY)
    full = Life(scenario.schedules, troubles, exact).live(DAYS * DAY)

    assert short.publishes == full.publishes
    assert len(short.publishes) > DAYS
    assert figures(short) == figures(full)
    assert memory.calls < exact.calls == full.tries


def figures(record: Record) -> tuple[int, int, int, int | None]:
    return record.mints, record.stale, record.smallest, record.first_stale


@pytest.mark.parametrize("fault", [None, *FAULTS])
@pytest.mark.parametrize("schedule", BOTH, ids=lambda schedule: schedule.name)
def test_an_outcome_depends_on_the_remaining_lifetime_not_on_the_time(schedule: Schedule, fault: str | None) -> None:
    min_remaining = schedule.min_remaining or 0
    world = World()
    for remaining in (-5 * HOUR, -5, 0, 5, min_remaining - 5, min_remaining, min_remaining + 5, TOKEN_LIFE):
        outcomes = {
            schedule.run(world, now, now + remaining, fault) for now in (12345, 200 * DAY, 90 * DAY + 5, 12345 + 5)
        }
        assert len(outcomes) == 1


def test_the_world_is_refreshed_by_the_real_protocol() -> None:
    world = World()
    eight = timedelta(hours=8)

    def run(now: int, expires_at: int | None, fault: str | None = None) -> Outcome:
        return world.refresh("lambda", eight, now=now, expires_at=expires_at, fault=fault)

    assert run(0, None) == Outcome(failed=False, remaining=12 * HOUR, spent=0, mints=1)
    assert run(4 * HOUR, 12 * HOUR) == Outcome(failed=False, remaining=8 * HOUR, spent=0, mints=0)
    assert run(5 * HOUR, 12 * HOUR, "head") == Outcome(failed=True, remaining=7 * HOUR, spent=24, mints=0)
    assert run(5 * HOUR, 12 * HOUR, "rejected") == Outcome(failed=True, remaining=7 * HOUR, spent=0, mints=1)
    assert run(5 * HOUR, 12 * HOUR, "put") == Outcome(failed=True, remaining=7 * HOUR, spent=24, mints=1)
    assert run(5 * HOUR, 12 * HOUR) == Outcome(failed=False, remaining=12 * HOUR, spent=0, mints=1)


def test_a_run_that_depends_on_the_time_is_found_out() -> None:
    def run(_: World, now: int, expires_at: int | None, __: str | None) -> Outcome:
        return Outcome(failed=False, remaining=TOKEN_LIFE - now // DAY if expires_at else TOKEN_LIFE, spent=0, mints=1)

    moody = replace(SAMPLE, run=run, period=HOUR, delays=(0, 5))
    with pytest.raises(AssertionError, match="not always the same"):
        Life((moody,), Troubles(seed=1), Memory()).live(365 * DAY)


def test_the_dag_is_simulated_as_it_is_written() -> None:
    source = (ROOT / "dags" / "refresh_codeartifact_index_url.py").read_text(encoding="utf-8")
    settings = {
        ast.unparse(key): ast.unparse(value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if key
    }
    assert settings["'retries'"] == str(len(DAG.waits))
    assert settings["'retry_delay'"] == f"timedelta(minutes={DAG.waits[0][0] // MINUTE})"
    assert settings["'max_retry_delay'"] == f"timedelta(minutes={DAG.waits[-1][1] // MINUTE})"
    assert settings["'retry_exponential_backoff'"] == "True"
    assert 'schedule="@hourly"' in source
    assert DAG.min_remaining == DAG_MIN_REMAINING.total_seconds()


def test_the_lambda_is_simulated_as_it_is_deployed() -> None:
    template = (ROOT / "infra" / "cloudformation" / "refresher.yaml").read_text(encoding="utf-8")
    assert f"rate({LAMBDA.period // MINUTE} minutes)" in template
    assert f"MaximumRetryAttempts: {len(LAMBDA.waits)}" in template
    assert f'CODEARTIFACT_MIN_REMAINING_HOURS: "{(LAMBDA.min_remaining or 0) // HOUR}"' in template


@pytest.mark.parametrize(
    ("schedules", "least", "most"),
    [
        (BOTH, 9 * HOUR, 12 * HOUR),
        ((DAG,), 9 * HOUR, 12 * HOUR),
        ((LAMBDA,), 8 * HOUR, 9 * HOUR),
        ((SAMPLE,), 0, MINUTE),
    ],
    ids=["both", "DAG", "Lambda", "sample"],
)
def test_the_longest_outage_survived(schedules: tuple[Schedule, ...], least: int, most: int) -> None:
    assert least <= longest_survived(schedules, seed=3) <= most


def test_two_outages_without_a_run_between_count_as_one_and_may_be_too_long() -> None:
    def live(*outages: Span) -> Record:
        return Life((LAMBDA,), Troubles(seed=1, outages=[*outages]), Memory()).live(3 * DAY)

    first_due = live().publishes[5][0]
    first = Span(first_due - 5, first_due + 3 * HOUR + 10 * MINUTE, "head")
    assert live(first, Span(first.end + 10 * MINUTE, first.end + 6 * HOUR, "mint")).stale > 0
    assert live(first, Span(first.end + HOUR, first.end + 7 * HOUR, "mint")).stale == 0


def test_a_dag_that_comes_back_runs_at_once() -> None:
    back = 30 * HOUR + 17 * MINUTE
    troubles = Troubles(seed=2, out={"dag": [Span(DAY, back)]})
    moments = [moment for moment, _ in Life((DAG,), troubles, Memory()).live(2 * DAY).publishes]
    assert not [moment for moment in moments if DAY <= moment < back]
    assert [moment for moment in moments if back <= moment <= back + MINUTE]


def test_the_same_seed_gives_the_same_year_and_another_seed_another() -> None:
    scenario = Scenario("both", BOTH, 0.05, (1, 7), draw_turns)

    def publishes(seed: int, year: int) -> list[tuple[int, int]]:
        return Life(BOTH, scenario.troubles(seed, year), Memory()).live(9 * DAY).publishes

    draws: Callable[[], list[list[tuple[int, int]]]] = lambda: [publishes(1, 0), publishes(1, 1), publishes(2, 0)]  # noqa: E731
    first, again = draws(), draws()
    assert first == again
    assert len({tuple(year) for year in first}) == len(first)
