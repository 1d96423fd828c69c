"""The life of an index-url file: the refreshers' runs, one after another, in virtual time (whole seconds)."""

from __future__ import annotations

import heapq
from bisect import bisect
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from infra.lab.simulation.world import FAULTS, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from random import Random


# Starts and waits are multiples of this, so that the same situations come again and refresh_once() knows them.
_STEP = 5


class Span(NamedTuple):
    """The time from `start` up to, but not including, `end` (s); in an outage, `fault` is the step that fails."""

    start: int
    end: int
    fault: str = ""


@dataclass(frozen=True)
class Schedule:
    """The schedule of a refresher, and what a try does. Times are in seconds.

    :param period: time from one run to the next.
    :param delays: a try starts this much late, at least and at most.
    :param waits: the shortest and the longest wait before each retry.
    :param run: returns the outcome of a try, given the remaining lifetime (s) and the step that fails, or None.
    :param catches_up: whether it runs at once after an absence (default: at its next regular time).
    """

    period: int
    delays: tuple[int, int]
    waits: tuple[tuple[int, int], ...]
    run: Callable[[int, str | None], Outcome]
    catches_up: bool = False


@dataclass
class Record:
    """The history of a period of operation.

    :param end: its end (s).
    :param publishes: when each line was published and when it expires (s), in order.
    :param failures: the times of the failed tries.
    """

    end: int
    publishes: list[tuple[int, int]]
    failures: list[int] = field(default_factory=list)

    def lines(self) -> list[tuple[int, int, int]]:
        """Return when each line was published, when it expires, and when the next one replaced it (s)."""
        return [(*line, replaced) for line, (replaced, _) in pairwise([*self.publishes, (self.end, 0)])]

    def stale(self) -> list[Span]:
        """Return the times without a valid token."""
        return [Span(expires, replaced) for _, expires, replaced in self.lines() if expires < replaced]


def live(
    schedules: Sequence[Schedule],
    end: int,
    random: Random,
    *,
    failure_rate: float = 0,
    outages: Sequence[Span] = (),
    absences: Sequence[Sequence[Span]] = ((), ()),
) -> Record:
    """Return the history of a period that begins with a successful bootstrap.

    :param schedules: the refreshers.
    :param end: the end of the period (s).
    :param random: source of all delays, waits and single failures.
    :param failure_rate: share of tries that fail (default: 0).
    :param outages: times without a service, in order (default: none).
    :param absences: times in which a refresher does not run, in order, for each schedule (default: none).
    """
    expires_at = schedules[-1].run(0, None).remaining
    record = Record(end, [(0, expires_at)])
    refreshers = [_tries(schedule, spans, random) for schedule, spans in zip(schedules, absences, strict=False)]
    due = [(next(tries), number) for number, tries in enumerate(refreshers)]
    heapq.heapify(due)
    while due[0][0] < end:
        now, number = due[0]
        fault = random.choice(FAULTS) if random.random() < failure_rate else None
        if outage := _span_at(now, outages):
            fault = outage.fault
        outcome = schedules[number].run(expires_at - now, fault)
        if outcome.failed:
            record.failures.append(now)
        if now + outcome.remaining != expires_at:
            expires_at = now + outcome.remaining
            record.publishes.append((now, expires_at))
        heapq.heapreplace(due, (refreshers[number].send(outcome), number))
    return record


def _tries(schedule: Schedule, absences: Sequence[Span], random: Random) -> Generator[int, Outcome]:
    """Yield the time of each try of a refresher; receive its outcome."""

    def draw(low: int, high: int) -> int:
        return low + int(random.random() * ((high - low) // _STEP)) * _STEP

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
    place = bisect(spans, Span(moment + 1, 0)) if spans else 0
    return spans[place - 1] if place and moment < spans[place - 1].end else None
