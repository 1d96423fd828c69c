"""Simulate years of operation, print the figures, and draw the picture: `python -m infra.lab.simulation`."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from infra import ROOT
from infra.cli.console import say, waiting
from infra.cli.program import run
from infra.cli.table import table
from infra.lab.simulation.picture import draw
from infra.lab.simulation.refreshers import DAG, HOUR, LAMBDA, MINUTE, SAMPLE
from infra.lab.simulation.scenarios import Figures, Scenario, longest_survived, scenarios, simulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The promise covers outages that are shorter than this (h).
PROMISED_OUTAGE = 7
# The sample runs rarely, so its years cost little, and its figures need many.
_SAMPLE_YEARS = 10
_HEAD = ("refreshers", "outages", "fail", "years", "stale h/year", "smallest h", "mints/year", "")
_REFRESHERS = {"both refreshers": (DAG, LAMBDA), "DAG alone": (DAG,), "Lambda alone": (LAMBDA,)}


def main(arguments: list[str] | None = None, rows: list[Scenario] | None = None) -> int:
    """Simulate, and return the exit status: 1 if the goal is missed.

    :param arguments: of the command line (default: the program's own).
    :param rows: the scenarios (default: all).
    """
    parser = argparse.ArgumentParser(prog="python -m infra.lab.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other years (default: 1)")
    parser.add_argument("--years", type=int, default=20, help="years of each row (default: 20); the sample: 10 times")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "simulation.svg", help="path of the picture")
    options = parser.parse_args(arguments)
    rows = scenarios() if rows is None else rows
    years = [options.years * (_SAMPLE_YEARS if SAMPLE in row.schedules else 1) for row in rows]
    found: list[Figures] = []
    # Spawned, not forked: the same on every platform.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool, waiting("simulating"):
        figures = pool.map(simulate, rows, repeat(options.seed), years)
        outages = pool.map(longest_survived, _REFRESHERS.values(), repeat(options.seed))
        for line in table(_cells(zip(rows, figures, strict=True), found), "<<>>>>><", (32, 9, 4, 5, 12, 10, 10, 0)):
            say(line)
        survived = dict(zip(_REFRESHERS, outages, strict=True))
    draw(options.seed, options.picture)
    say("\nThe longest outage that is survived even if it begins at the worst moment, while nothing else fails:")
    for title, seconds in survived.items():
        say(f"{title:15}  {seconds // HOUR} h {seconds % HOUR // MINUTE:02} min")
    broken = list(_broken(zip(rows, found, strict=True), survived))
    promised = [each for row, each in zip(rows, found, strict=True) if row.promised]
    say(
        f"\n{'MISSED' if broken else 'Goal met'}: 0 stale hours in {sum(each.years for each in promised):,} years "
        f"({sum(each.tries for each in promised):,} tries) while one refresher runs and outages are shorter than "
        f"{PROMISED_OUTAGE} h"
    )
    for line in broken:
        say(line)
    return 1 if broken else 0


def _cells(rows: Iterable[tuple[Scenario, Figures]], found: list[Figures]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each row as soon as it is simulated, and keep the figures."""
    yield _HEAD
    for scenario, figures in rows:
        found.append(figures)
        hours = figures.stale_hours_a_year
        yield (
            scenario.title,
            scenario.outages,
            f"{scenario.failure_rate:.0%}",
            f"{figures.years:,}",
            f"{hours:.1f}" if hours >= 1 else f"{hours:.4f}" if hours else "0",  # only zero looks like zero
            f"{figures.smallest / HOUR:.2f}",
            f"{figures.mints / figures.years:,.0f}",
            "promised" if scenario.promised else "",
        )


def _broken(rows: Iterable[tuple[Scenario, Figures]], survived: dict[str, int]) -> Iterator[str]:
    """Yield a line for each broken promise."""
    for scenario, figures in rows:
        if scenario.promised and figures.stale:
            yield (
                f"  {scenario.title}, {scenario.failure_rate:.0%} of tries fail, outages {scenario.outages}: "
                f"{figures.stale / HOUR:.2f} h stale in {figures.years} years; the first: {figures.counterexample}"
            )
    for title, seconds in survived.items():
        if seconds < PROMISED_OUTAGE * HOUR:
            yield f"  {title}: an outage of {seconds / HOUR:.2f} h can be too long"


if __name__ == "__main__":
    sys.exit(run(main))
