"""The longest outage that is survived even if it begins at the worst moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.lab.simulation.chance import seed_of
from infra.lab.simulation.life import Life
from infra.lab.simulation.memory import Memory
from infra.lab.simulation.troubles import Span, Troubles
from infra.lab.simulation.units import DAY, MINUTE, TOKEN_LIFE

if TYPE_CHECKING:
    from infra.lab.simulation.refreshers import Schedule

MOMENTS = 12 * 60


def longest_survived(schedules: tuple[Schedule, ...], seed: int) -> int:
    """Let an outage begin at each minute of 12 hours, with nothing else failing; give the least that is survived (s).

    :param schedules: who refreshes.
    :param seed: of the schedules' phases and delays, which are others for each minute.
    """
    memory = Memory()
    return min(
        _survived(schedules, seed_of(seed, minute), TOKEN_LIFE + minute * MINUTE, memory) for minute in range(MOMENTS)
    )


def _survived(schedules: tuple[Schedule, ...], seed: int, start: int, memory: Memory) -> int:
    """Give how long an outage may last that begins at a moment: until the last try before the line dies."""
    forever = Troubles(seed, outages=[Span(start, start + DAY, "head")])
    record = Life(schedules, forever, memory).live(start + TOKEN_LIFE)
    _, expires_at = record.publishes[-1]
    return max((moment for moment in record.failures if moment < expires_at), default=start) - start
