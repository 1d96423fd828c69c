"""The figures: none stale under the promise, and the sample as arithmetic expects."""

from __future__ import annotations

import pytest

from infra.lab.simulation.scenarios import HOUR, LAMBDA, SCENARIOS, Scenario, simulate
from infra.lab.simulation.world import SECOND
from mwaa_codeartifact.core.policy import LAMBDA_MIN_REMAINING
from tests.infra.cloudformation.support import load

PROMISED = [each for each in SCENARIOS if each.promised and each.failure_rate == 0.2]


@pytest.mark.parametrize("scenario", PROMISED, ids=lambda each: f"{each.title}, {each.outages}")
def test_no_hour_is_stale_while_one_refresher_runs_and_outages_are_shorter_than_seven_hours(scenario: Scenario) -> None:
    stale, smallest = simulate(scenario, seed=11, years=1)
    assert stale == 0
    assert smallest > 0


@pytest.mark.parametrize("rate", [0, 0.01, 0.05, 0.2])
def test_the_sample_is_stale_as_arithmetic_expects(rate: float) -> None:
    # 876 runs a year; a failed run leaves 8 h of 10 without a token, one that follows a failed run all 10.
    expected = 876 * rate * (8 + 2 * rate)
    years = 40
    # Failures are independent: a bound of 4 standard deviations.
    bound = 4 * (876 * rate * (1 - rate) * years) ** 0.5 * 12 / years
    stale, _ = simulate(Scenario("the sample", None, rate), seed=5, years=years)
    assert stale / HOUR / years == pytest.approx(expected, abs=bound + 1e-9)


def test_the_same_seed_gives_the_same_years_and_another_seed_others() -> None:
    scenario = Scenario("the sample", (1, 7), 0.2)
    assert simulate(scenario, seed=1, years=3) == simulate(scenario, seed=1, years=3)
    assert simulate(scenario, seed=1, years=3) != simulate(scenario, seed=2, years=3)


def test_the_lambda_is_simulated_with_its_deployed_threshold_and_retries() -> None:
    resources = load("refresher")["Resources"]
    hours = resources["Refresher"]["Properties"]["Environment"]["Variables"]["CODEARTIFACT_MIN_REMAINING_HOURS"]
    assert int(hours) * HOUR == LAMBDA_MIN_REMAINING // SECOND
    assert len(LAMBDA.waits) == int(resources["RefresherRetries"]["Properties"]["MaximumRetryAttempts"])
