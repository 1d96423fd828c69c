"""The life of an index-url file: the refreshers' runs, one after another, in virtual time (whole seconds)."""

from __future__ import annotations

import heapq
from bisect import bisect
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from infra.lab.simulation.world import FAULTS, Outcome

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from random import Random

    from infra.lab.simulation.refreshers import Schedule

# Starts and waits are multiples of this, so the same situations come again and the cache of refresh_once() is useful.
STEP = 5


class Span(NamedTuple):
    """The time from `start` up to, but not including, `end` (s); in an outage, `fault` is the step that fails."""

    start: int
    end: int
    fault: str = ""


class Publish(NamedTuple):
    """The time of a publish, and when the new line expires (s)."""

    moment: int
    expires_at: int


@dataclass(frozen=True)
class Troubles:
    """The troubles of a period of operation.

    :param failure_rate: share of tries that fail (default: 0).
    :param outages: times without a service, in order (default: none).
    :param absences: times in which a refresher does not run, in order, by its name (default: none).
    """

    failure_rate: float = 0
    outages: Sequence[Span] = ()
    absences: Mapping[str, Sequence[Span]] = field(default_factory=dict)


@dataclass
class Record:
    """The history of a period of operation.

    :param end: its end (s).
    :param publishes: the publishes, in order.
    :param failures: times of the failed tries.
    :param tries: number of tries.
    :param mints: number of tokens minted.
    """

    end: int
    publishes: list[Publish]
    failures: list[int] = field(default_factory=list)
    tries: int = 0
    mints: int = 0

    def lines(self) -> list[tuple[int, int, int]]:
        """Return when each line was published, when it expired, and when the next one replaced it (s)."""
        return [(*old, new.moment) for old, new in pairwise([*self.publishes, Publish(self.end, 0)])]

    def stale(self) -> list[Span]:
        """Return the times without a valid token."""
        return [Span(expires_at, end) for _, expires_at, end in self.lines() if expires_at < end]


def live(schedules: Sequence[Schedule], troubles: Troubles, end: int, random: Random) -> Record:
    """Return the history of a period that begins with a successful bootstrap.

    :param schedules: the refreshers at work.
    :param troubles: what fails.
    :param end: the end of the period (s).
    :param random: source of all delays, waits and single failures.
    """
    expires_at = schedules[-1].run(0, None).remaining
    record = Record(end, [Publish(0, expires_at)])
    due = []
    for number, schedule in enumerate(schedules):
        tries = _tries(schedule, troubles.absences.get(schedule.name, ()), random)
        due.append((next(tries), number, tries))
    heapq.heapify(due)
    while due[0][0] < end:
        now, number, tries = due[0]
        fault = random.choice(FAULTS) if random.random() < troubles.failure_rate else None
        if outage := _span_at(now, troubles.outages):
            fault = outage.fault
        outcome = schedules[number].run(expires_at - now, fault)
        record.tries += 1
        record.mints += outcome.mints
        if outcome.failed:
            record.failures.append(now)
        if now + outcome.remaining != expires_at:
            expires_at = now + outcome.remaining
            record.publishes.append(Publish(now, expires_at))
        heapq.heapreplace(due, (tries.send(outcome), number, tries))
    return record


def _tries(schedule: Schedule, absences: Sequence[Span], random: Random) -> Generator[int, Outcome]:
    """Yield the time of each try of a refresher; receive the outcome of the try before the next."""

    def draw(low: int, high: int) -> int:
        return low + int(random.random() * ((high - low) // STEP)) * STEP

    def next_tick(moment: int) -> int:
        return moment + (phase - moment) % schedule.period

    phase = start = draw(0, schedule.period)
    while True:
        moment = start + draw(*schedule.delays)
        for wait in (*schedule.waits, None):
            if absence := _span_at(moment, absences):
                start = absence.end if schedule.catches_up else next_tick(absence.end)
                break
            outcome = yield moment
            if wait is None or not outcome.failed:
                start = next_tick(moment + 1)
                break
            moment += outcome.seconds + draw(*wait) + draw(*schedule.delays)


def _span_at(moment: int, spans: Sequence[Span]) -> Span | None:
    """Return the span that contains a moment, or None."""
    place = bisect(spans, Span(moment + 1, 0)) if spans else 0
    return spans[place - 1] if place and moment < spans[place - 1].end else None
