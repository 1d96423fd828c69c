"""Simulate years of operation, print the figures, and draw the picture: `python -m infra.lab.simulation`."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import compress, repeat
from pathlib import Path

from infra import ROOT
from infra.cli.console import say, waiting
from infra.cli.program import run
from infra.cli.table import table
from infra.lab.simulation.picture import draw
from infra.lab.simulation.scenarios import HOUR, PROMISED_OUTAGE, SAMPLE, SCENARIOS, Scenario, simulate

# The sample runs rarely, so its years cost little, and its figures need many.
_SAMPLE_YEARS = 10
_HEAD = ("refreshers", "outages", "fail", "years", "stale h/year", "smallest h", "")


def main(arguments: list[str] | None = None, scenarios: list[Scenario] = SCENARIOS) -> int:
    """Simulate, and return the exit status: 1 if the promise is broken.

    :param arguments: of the command line (default: the program's own).
    :param scenarios: the rows of the table.
    """
    parser = argparse.ArgumentParser(prog="python -m infra.lab.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other years (default: 1)")
    parser.add_argument("--years", type=int, default=10, help="years of each row (default: 10); the sample: 10 times")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "simulation.svg", help="path of the picture")
    options = parser.parse_args(arguments)
    draw(options.seed, options.picture)
    years = [options.years * (_SAMPLE_YEARS if SAMPLE in each.schedules else 1) for each in scenarios]
    # Spawned, not forked: the same on every platform.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool, waiting("simulating"):
        figures = list(pool.map(simulate, scenarios, repeat(options.seed), years))
    for line in table([_HEAD, *map(_cells, scenarios, years, figures)], "<<>>>><"):
        say(line)
    promised = [each.promised for each in scenarios]
    stale, count = sum(seconds for seconds, _ in compress(figures, promised)), sum(compress(years, promised))
    say(f"\n{'MISSED' if stale else 'Goal met'}: {stale / HOUR:.4g} stale hours in {count:,} years")
    say(f"while one refresher runs and outages are shorter than {PROMISED_OUTAGE} h")
    return 1 if stale else 0


def _cells(scenario: Scenario, years: int, figures: tuple[int, int]) -> tuple[str, ...]:
    stale, smallest = figures
    hours = stale / HOUR / years
    return (
        scenario.title,
        "{} to {} h".format(*scenario.outages) if scenario.outages else "none",
        f"{scenario.failure_rate:.0%}",
        f"{years:,}",
        f"{hours:.1f}" if hours >= 1 else f"{hours:.4f}" if hours else "0",  # only zero looks like zero
        f"{smallest / HOUR:.2f}",
        "promised" if scenario.promised else "",
    )


if __name__ == "__main__":
    sys.exit(run(main))
