"""The life of an index-url file: the refreshers' runs, one after another, in virtual time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.lab.simulation.chance import Try, mix
from infra.lab.simulation.troubles import Now, Troubles
from infra.lab.simulation.units import STEP, TOKEN_LIFE

if TYPE_CHECKING:
    from infra.lab.simulation.memory import Memory
    from infra.lab.simulation.refreshers import Schedule
    from infra.lab.simulation.world import Outcome


# A due try: moment, refresher, tick, attempt, and what chance has in store for it. Plain tuples: there are millions.
_Due = tuple[int, int, int, int, int]


@dataclass
class Record:
    """Hold what happened.

    :param publishes: moment and new expiry of each publish (s).
    :param failures: moment of each failed try (s).
    :param stale: time without a working line (s).
    :param smallest: smallest remaining lifetime (s), 0 when it was stale.
    :param first_stale: when it first became stale (s), None: never.
    """

    publishes: list[tuple[int, int]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    tries: int = 0
    mints: int = 0
    stale: int = 0
    smallest: int = TOKEN_LIFE
    first_stale: int | None = None

    def until(self, now: int, expires_at: int) -> None:
        """Count the time that a line stood, up to now.

        :param expires_at: when that line dies.
        """
        self.smallest = max(0, min(self.smallest, expires_at - now))
        if now > expires_at:
            self.first_stale = expires_at if self.first_stale is None else self.first_stale
            self.stale += now - expires_at


class Life:
    """Let the refreshers work for a while.

    :param schedules: who refreshes.
    :param troubles: what goes wrong.
    :param memory: how runs come out.
    """

    def __init__(self, schedules: tuple[Schedule, ...], troubles: Troubles, memory: Memory) -> None:
        self._schedules = schedules
        self._troubles = troubles
        self._memory = memory
        self._outcome = memory.outcome
        self._phases = [
            mix(troubles.seed + number) % schedule.period // STEP * STEP for number, schedule in enumerate(schedules)
        ]
        self._margins = [schedule.margin for schedule in schedules]
        self._failing = round(troubles.failure_rate * Try.WHOLE)
        self._outage = Now(troubles.outages)
        self._out = [Now(troubles.out.get(schedule.name, [])) for schedule in schedules]
        self._expires_at = 0
        self._record = Record()

    def live(self, until: int) -> Record:
        """Run from the bootstrap, a good run at 0, to the end.

        :param until: the end (s).
        """
        self._take(0, self._memory.call(self._schedules[-1], 0, None, None))
        due = [self._next(number, 0) for number in range(len(self._schedules))]
        heapq.heapify(due)
        while due[0][0] < until:
            heapq.heapreplace(due, self._follow(*due[0]))
        self._record.until(until, self._expires_at)
        return self._record

    def _follow(self, now: int, number: int, tick: int, attempt: int, bits: int) -> _Due:
        """Do what is due; give what is due next from the same refresher."""
        schedule = self._schedules[number]
        if away := self._out[number](now):
            return self._next(number, away.end, returning=True)
        if outage := self._outage(now):
            fault: str | None = outage.fault
        else:
            fault = Try.fault(bits) if Try.failure(bits) < self._failing else None
        outcome = self._outcome(schedule, now, self._expires_at, fault)
        self._take(now, outcome)
        if outcome.failed:
            self._record.failures.append(now)
            if attempt < len(schedule.waits):
                wait = Try.wait(bits, *schedule.waits[attempt])
                return self._due(number, now + outcome.spent + wait, tick, attempt + 1)
        return self._next(number, now, after=tick)

    def _take(self, now: int, outcome: Outcome) -> None:
        """Count a run, and what it published."""
        record = self._record
        record.tries += 1
        record.mints += outcome.mints
        if (expires_at := now + outcome.remaining) != self._expires_at:
            if record.publishes:
                record.until(now, self._expires_at)
            record.publishes.append((now, expires_at))
            self._expires_at = expires_at

    def _next(self, number: int, now: int, *, after: int = -1, returning: bool = False) -> _Due:
        """Give the first run of a refresher at or after a moment and after a tick of its own."""
        schedule, phase = self._schedules[number], self._phases[number]
        tick = max(after + 1, -((phase - now) // schedule.period))
        if returning and schedule.catches_up:
            return self._due(number, now, tick - 1, 0)
        if (margin := self._margins[number]) is not None and not self._memory.exact:
            # The expiry never decreases: a tick whose last possible try still finds the line fresh changes nothing.
            tick = max(tick, -((phase - self._expires_at + margin) // schedule.period))
        return self._due(number, phase + tick * schedule.period, tick, 0)

    def _due(self, number: int, time: int, tick: int, attempt: int) -> _Due:
        low, high = self._schedules[number].delays
        bits = Try.draw(self._troubles.seed, number, tick, attempt)
        return time + Try.delay(bits, low, high), number, tick, attempt, bits
