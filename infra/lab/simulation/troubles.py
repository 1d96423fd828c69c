"""What goes wrong in a simulated year."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from infra.lab.simulation.units import DAY, HOUR, STEP, YEAR

if TYPE_CHECKING:
    from infra.lab.simulation.chance import Draws

# An outage takes one step away: S3 cannot be read or written, or CodeArtifact's control plane or repository is down.
_OUTAGE_FAULTS = ("head", "endpoint", "mint", "verify", "put")


class Span(NamedTuple):
    """Hold the time from `start` up to, not including, `end`, and the step that fails meanwhile."""

    start: int
    end: int
    fault: str = ""


_NEVER = Span(1000 * YEAR, 1000 * YEAR + 1)


@dataclass(frozen=True)
class Troubles:
    """Hold what goes wrong.

    :param seed: of the failures and delays of single tries.
    :param failure_rate: the share of tries that fail (0 to 1).
    :param outages: when a service is down for everyone, in order.
    :param out: when a refresher is paused or dead, in order, by its name.
    """

    seed: int
    failure_rate: float = 0
    outages: list[Span] = field(default_factory=list)
    out: dict[str, list[Span]] = field(default_factory=dict)


class Now:
    """Tell which of the spans a moment is in; the moments must come in order.

    :param spans: in order.
    """

    def __init__(self, spans: list[Span]) -> None:
        self._spans = iter([*spans, _NEVER])
        self._next = next(self._spans)

    def __call__(self, now: int) -> Span | None:
        """Give the span that holds the moment."""
        while self._next.end <= now:
            self._next = next(self._spans)
        return self._next if self._next.start <= now else None


def draw_outages(draws: Draws, hours: tuple[float, float]) -> list[Span]:
    """Draw outages: one in 30 days on average, of any length between the two, an hour or more apart.

    Two outages with less than an hour between are one: the DAG may not have had a single run in that time.

    :param hours: the shortest and the longest; the longest itself does not occur.
    """
    outages, now = [], 0
    while (now := now + HOUR + int(draws.exponential(30 * DAY)) // STEP * STEP) < YEAR:
        end = now + int(draws.uniform(hours[0] * HOUR, hours[1] * HOUR)) // STEP * STEP
        outages.append(Span(now, end, draws.choice(_OUTAGE_FAULTS)))
        now = end
    return outages


def draw_turns(draws: Draws, names: tuple[str, ...]) -> dict[str, list[Span]]:
    """Let the refreshers be out in turn, for 1 to 14 days each: always one, never both."""
    out: dict[str, list[Span]] = {name: [] for name in names}
    now = turn = 0
    while now < YEAR:
        end = now + int(draws.uniform(1 * DAY, 14 * DAY)) // STEP * STEP
        out[names[turn % len(names)]].append(Span(now, end))
        now, turn = end, turn + 1
    return out


def draw_blackouts(draws: Draws, names: tuple[str, ...]) -> dict[str, list[Span]]:
    """Let all refreshers be out at once: once in 30 days on average, for 1 to 24 hours."""
    blackouts = draw_outages(draws, (1, 24))
    return dict.fromkeys(names, blackouts)
