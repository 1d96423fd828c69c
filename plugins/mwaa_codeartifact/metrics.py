"""The index-url's metrics in Airflow: outcomes and verdicts as counters, the remaining lifetime as a gauge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mwaa_codeartifact.compat import stats

if TYPE_CHECKING:
    from datetime import timedelta

    from mwaa_codeartifact.status.verdict import Verdict

_PREFIX = "codeartifact.index_url"


def count_refresh(outcome: str, verdict: Verdict) -> None:
    """Count a refresh and the verdict on the line after it.

    :param outcome: state of the result, or ``failed``.
    :param verdict: verdict of the status page; ``at risk`` becomes ``at_risk``.
    """
    stats().incr(f"{_PREFIX}.refreshes.{outcome}")
    stats().incr(f"{_PREFIX}.verdicts.{verdict.replace(' ', '_')}")


def set_remaining(remaining: timedelta) -> None:
    """Set the gauge of the remaining lifetime.

    :param remaining: of the line.
    """
    stats().gauge(f"{_PREFIX}.remaining_seconds", int(remaining.total_seconds()))
