"""Who refreshes when: the DAG, the Lambda, and the sample's one Lambda."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from infra.lab.simulation.units import HOUR, MINUTE, TOKEN_LIFE
from infra.lab.simulation.world import TIMEOUT, Outcome, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from mwaa_codeartifact.core.refresh import Refresher

    # world, now, expires_at, fault
    Run = Callable[[World, int, int | None, str | None], Outcome]


@dataclass(frozen=True)
class Schedule:
    """Say when a refresher runs, and what a run is.

    :param name: the refresher.
    :param period: from tick to tick (s).
    :param delays: the least and the most that a try starts late (s).
    :param waits: the least and the most before each retry (s); one pair a retry.
    :param run: the run.
    :param min_remaining: what the run leaves alone (s); None: nothing, it always refreshes.
    :param catches_up: whether it runs at once when it comes back, for the tick that it missed last.
    """

    name: str
    period: int
    delays: tuple[int, int]
    waits: tuple[tuple[int, int], ...]
    run: Run
    min_remaining: int | None = None
    catches_up: bool = False

    @property
    def margin(self) -> int | None:
        """Give the remaining lifetime at a tick from which on none of its tries does anything (s); None: there is none.

        A tick that is missed and caught up with is never left out either.
        """
        if self.min_remaining is None or self.catches_up:
            return None
        last_try = self.delays[1] + sum(TIMEOUT + longest + self.delays[1] for _, longest in self.waits)
        return self.min_remaining + last_try


def _real(
    refresher: Refresher, enough: timedelta, world: World, now: int, expires_at: int | None, fault: str | None
) -> Outcome:
    """Run the real refresh()."""
    return world.refresh(refresher, enough, now=now, expires_at=expires_at, fault=fault)


def _sample(_: World, now: int, expires_at: int | None, fault: str | None) -> Outcome:
    """Mint and overwrite, whatever stands there; swallow what goes wrong, so that nothing tries again."""
    if fault:
        return Outcome(failed=True, remaining=(expires_at or 0) - now, spent=0, mints=0)
    return Outcome(failed=False, remaining=TOKEN_LIFE, spent=0, mints=1)


# dags/refresh_codeartifact_index_url.py; the waits are Airflow's for 4 retries, exponential backoff from 1 minute and
# at most 10 (TaskInstance.next_retry_datetime: 1 to 2 times 1, 2, 4, 8 minutes). A task starts some seconds late.
# An unpaused DAG without catchup runs at once for the latest of the hours that it missed.
DAG = Schedule(
    "dag",
    period=HOUR,
    delays=(5, 60),
    waits=((60, 120), (120, 240), (240, 480), (480, 600)),
    run=partial(_real, "dag", timedelta(hours=11.5)),
    min_remaining=11 * HOUR + 30 * MINUTE,
    catches_up=True,
)

# infra/cloudformation/refresher.yaml; AWS retries an asynchronous invocation after 1 and then 2 minutes (Lambda
# developer guide, asynchronous invocation). EventBridge is exact to the minute.
LAMBDA = Schedule(
    "lambda",
    period=30 * MINUTE,
    delays=(0, 60),
    waits=((60, 60), (120, 120)),
    run=partial(_real, "lambda", timedelta(hours=9)),
    min_remaining=9 * HOUR,
)

# The sample's Lambda by its description: every 10 hours a token of 12 hours; its handler catches every exception and
# returns normally, so AWS sees no failure and retries nothing.
SAMPLE = Schedule("sample", period=10 * HOUR, delays=(0, 60), waits=(), run=_sample)
