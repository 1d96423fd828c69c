"""Live a scenario's years and count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.lab.simulation.life import Life
from infra.lab.simulation.memory import Memory
from infra.lab.simulation.units import DAY, HOUR, TOKEN_LIFE, YEAR

if TYPE_CHECKING:
    from infra.lab.simulation.scenarios import Scenario


@dataclass
class Figures:
    """Hold what a scenario's years came to.

    :param years: how many years were lived.
    :param stale: time without a working line (s).
    :param smallest: smallest remaining lifetime (s).
    :param mints: tokens got.
    :param tries: runs, retries counted.
    :param calls: how many of them were really run; the others repeated a situation that had been run before.
    :param counterexample: where it first was stale, "" when it never was.
    """

    years: int
    stale: int = 0
    smallest: int = TOKEN_LIFE
    mints: int = 0
    tries: int = 0
    calls: int = 0
    counterexample: str = ""

    @property
    def stale_hours_a_year(self) -> float:
        """Give the stale hours a year."""
        return self.stale / HOUR / self.years


def simulate(scenario: Scenario, seed: int, years: int) -> Figures:
    """Live the years of a scenario, each from a bootstrap of its own.

    :param seed: of the whole simulation.
    :param years: how many.
    """
    figures, memory = Figures(years), Memory()
    for year in range(years):
        record = Life(scenario.schedules, scenario.troubles(seed, year), memory).live(YEAR)
        figures.stale += record.stale
        figures.smallest = min(figures.smallest, record.smallest)
        figures.mints += record.mints
        figures.tries += record.tries
        if record.first_stale is not None and not figures.counterexample:
            day, hours = record.first_stale // DAY, record.first_stale % DAY / HOUR
            figures.counterexample = f"seed {seed}, year {year}, day {day}, {hours:.2f} h"
    figures.calls = memory.calls
    return figures
