"""The figures: none stale under the promise, the sample as arithmetic has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.lab.simulation.figures import simulate
from infra.lab.simulation.refreshers import LAMBDA, SAMPLE
from infra.lab.simulation.scenarios import SCENARIOS, Scenario, years_of
from infra.lab.simulation.units import HOUR

if TYPE_CHECKING:
    from infra.lab.simulation.world import Outcome, World

PROMISED = [scenario for scenario in SCENARIOS if scenario.promised]


@pytest.mark.parametrize("scenario", PROMISED, ids=lambda s: f"{s.title}, {s.failure_rate:.0%}, {s.outages}")
def test_no_hour_is_stale_while_one_refresher_lives_and_outages_stay_under_seven_hours(scenario: Scenario) -> None:
    figures = simulate(scenario, seed=11, years=1)
    assert figures.stale == 0
    assert figures.smallest > 0
    assert not figures.counterexample


@pytest.mark.parametrize("rate", [0, 0.01, 0.05, 0.2])
def test_the_sample_is_stale_as_arithmetic_has_it(rate: float) -> None:
    # 876 runs a year; a failed run leaves 8 h of 10 without a token, one that follows a failed run all 10.
    expected = 876 * rate * (8 + 2 * rate)
    years = 100
    # Failures are independent: a bound of 4 standard deviations.
    bound = 4 * (876 * rate * (1 - rate) * years) ** 0.5 * 12 / years
    figures = simulate(Scenario("sample", (SAMPLE,), rate), seed=5, years=years)
    assert figures.stale_hours_a_year == pytest.approx(expected, abs=bound + 1e-9)


def test_years_are_shared_out_by_weight_and_the_promised_ones_add_up() -> None:
    years = years_of(SCENARIOS, 1000)
    assert sum(count for scenario, count in zip(SCENARIOS, years, strict=True) if scenario.promised) == 1000
    assert min(years) >= 10


def test_a_stale_scenario_names_its_first_counterexample() -> None:
    figures = simulate(Scenario("sample", (SAMPLE,), 0.05), seed=5, years=2)
    assert figures.stale > 0
    assert figures.smallest == 0
    assert figures.counterexample.startswith("seed 5, year 0, day ")


def test_the_year_in_which_8_hours_were_too_few_for_the_lambda_alone_is_mended_by_9() -> None:
    # All three tries of a due run fail, an outage of 6.9 h begins before the next, and the run after it comes late.
    (scenario,) = (s for s in PROMISED if s.title.startswith("Lambda alone") and s.failure_rate == 0.2)

    def run(world: World, now: int, expires_at: int | None, fault: str | None) -> Outcome:
        return world.refresh("lambda", timedelta(hours=8), now=now, expires_at=expires_at, fault=fault)

    eight = replace(LAMBDA, run=run, min_remaining=8 * HOUR)
    assert simulate(replace(scenario, schedules=(eight,)), seed=1010, years=9).stale == 20
    assert simulate(scenario, seed=1010, years=9).stale == 0
