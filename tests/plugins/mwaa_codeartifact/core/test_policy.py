"""The thresholds fit each other."""

from __future__ import annotations

from datetime import timedelta

from mwaa_codeartifact.core.policy import (
    DAG_INTERVAL,
    DAG_MIN_REMAINING,
    DAG_MISSED_BELOW,
    LAMBDA_MIN_REMAINING,
    STARTUP_MIN_REMAINING,
    TOKEN_LIFETIME,
    in_hours,
)

HOUR = timedelta(hours=1)


def test_each_refresher_leaves_the_one_before_it_time_to_act() -> None:
    # The DAG refreshes at every run; the Lambda only after a missed run, which the page shows before; then the script.
    assert TOKEN_LIFETIME - DAG_INTERVAL < DAG_MIN_REMAINING < TOKEN_LIFETIME
    assert LAMBDA_MIN_REMAINING < DAG_MISSED_BELOW < TOKEN_LIFETIME - DAG_INTERVAL
    assert timedelta(0) < STARTUP_MIN_REMAINING < LAMBDA_MIN_REMAINING


def test_hours_are_written_without_superfluous_zeros() -> None:
    assert [in_hours(hours * HOUR) for hours in (11.5, 9, 0)] == ["11.5", "9", "0"]
