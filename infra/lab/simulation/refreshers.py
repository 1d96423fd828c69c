"""The schedules: of the DAG, of the Lambda, and of the sample's one Lambda."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from infra.cli.templates import TEMPLATES, parse
from infra.lab.simulation.world import Outcome, refresh_once
from mwaa_codeartifact.core.policy import DAG_INTERVAL, DAG_MIN_REMAINING, LAMBDA_MIN_REMAINING, TOKEN_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY
TOKEN_SECONDS = int(TOKEN_LIFETIME.total_seconds())


@dataclass(frozen=True)
class Schedule:
    """When a refresher runs, and what a try does. Times are in seconds.

    :param name: the refresher's name.
    :param period: time from one run to the next.
    :param delays: a try starts this much late, at least and at most.
    :param waits: the shortest and the longest wait before each retry.
    :param run: returns the outcome of a try, given the remaining lifetime (s) and the step that fails, or None.
    :param catches_up: whether it runs at once when it comes back after an absence (default: at its next regular time).
    """

    name: str
    period: int
    delays: tuple[int, int]
    waits: tuple[tuple[int, int], ...]
    run: Callable[[int, str | None], Outcome]
    catches_up: bool = False


def _sample(remaining: int, fault: str | None) -> Outcome:
    """Mint and overwrite, without reading the old line; a failure changes nothing and is not retried."""
    if fault:
        return Outcome(failed=True, remaining=remaining, seconds=0, mints=0)
    return Outcome(failed=False, remaining=TOKEN_SECONDS, seconds=0, mints=1)


def _deployed_lambda() -> Schedule:
    """Return the schedule of the template. AWS retries after 1 and 2 minutes (Lambda developer guide, async errors)."""
    resources = parse((TEMPLATES / "refresher.yaml").read_text(encoding="utf-8"))["Resources"]
    (minutes,) = re.findall(r"rate\((\d+) minutes\)", resources["Schedule"]["Properties"]["ScheduleExpression"])
    retries = int(resources["RefresherRetries"]["Properties"]["MaximumRetryAttempts"])
    return Schedule(
        "lambda",
        period=int(minutes) * MINUTE,
        delays=(0, MINUTE),  # EventBridge is exact to the minute
        waits=((MINUTE, MINUTE), (2 * MINUTE, 2 * MINUTE))[:retries],
        run=partial(refresh_once, "lambda", LAMBDA_MIN_REMAINING),
    )


# The waits are Airflow's for the DAG's 4 retries: 1 to 2 times 1, 2, 4 and 8 minutes, and at most 10 minutes
# (TaskInstance.next_retry_datetime). An unpaused DAG without catchup runs at once, for the latest hour that it missed.
DAG = Schedule(
    "dag",
    period=int(DAG_INTERVAL / timedelta(seconds=1)),
    delays=(5, MINUTE),
    waits=((60, 120), (120, 240), (240, 480), (480, 600)),
    run=partial(refresh_once, "dag", DAG_MIN_REMAINING),
    catches_up=True,
)
LAMBDA = _deployed_lambda()
# The sample, by its description: every 10 hours a token of 12 hours; its handler catches every exception and returns
# normally, so AWS sees no failure and does not retry.
SAMPLE = Schedule("sample", period=10 * HOUR, delays=(0, MINUTE), waits=(), run=_sample)
