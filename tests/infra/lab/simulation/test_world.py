"""The real protocol against the simulated connections."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.lab.simulation.scenarios import HOUR
from infra.lab.simulation.world import FAULTS, Outcome, refresh_once

NINE = timedelta(hours=9)


def test_a_line_with_enough_remaining_lifetime_is_left_alone() -> None:
    assert refresh_once("lambda", NINE, 9 * HOUR, None) == Outcome(failed=False, remaining=9 * HOUR, seconds=0)


@pytest.mark.parametrize("remaining", [9 * HOUR - 1, 0, -5 * HOUR])
def test_a_line_with_less_is_replaced_by_one_of_12_hours(remaining: int) -> None:
    assert refresh_once("lambda", NINE, remaining, None) == Outcome(failed=False, remaining=12 * HOUR, seconds=0)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_at_any_step_leaves_the_old_line(fault: str) -> None:
    # No answer takes 24 s; a rejection comes at once.
    seconds = 0 if fault == "rejected" else 24
    assert refresh_once("dag", NINE, 5 * HOUR, fault) == Outcome(failed=True, remaining=5 * HOUR, seconds=seconds)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "head"])
def test_a_fresh_line_needs_only_the_head(fault: str) -> None:
    assert not refresh_once("dag", NINE, 10 * HOUR, fault).failed
    assert refresh_once("dag", NINE, 10 * HOUR, "head").failed
