"""Simulate years of operation, print the figures, draw the picture: `python -m infra.lab.simulation`."""

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
from infra.lab.simulation.figures import simulate
from infra.lab.simulation.limits import longest_survived
from infra.lab.simulation.picture import draw
from infra.lab.simulation.refreshers import DAG, LAMBDA, SAMPLE
from infra.lab.simulation.report import limits, table, verdict
from infra.lab.simulation.scenarios import SCENARIOS, Scenario, years_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.lab.simulation.report import Row

_MISSED = 1


def main(arguments: list[str] | None = None, scenarios: list[Scenario] = SCENARIOS) -> int:
    """Simulate and give the exit status: 1 when the goal is missed.

    :param arguments: of the command line (default: the program's own).
    :param scenarios: what to simulate.
    """
    parser = argparse.ArgumentParser(prog="python -m infra.lab.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="other seeds give other years (default: 1)")
    parser.add_argument("--years", type=int, default=1000, help="years under the promise, in all (default: 1000)")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "simulation.svg", help="where to draw it")
    options = parser.parse_args(arguments)
    # Spawned, not forked: the same on every platform.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool, waiting("simulating"):
        seeds = repeat(options.seed)
        refreshers = {"both refreshers": (DAG, LAMBDA), "DAG alone": (DAG,), "Lambda alone": (LAMBDA,)}
        everyone = {**refreshers, "the sample": (SAMPLE,)}
        figures = pool.map(simulate, scenarios, seeds, years_of(scenarios, options.years))
        survived = pool.map(longest_survived, everyone.values(), seeds)
        rows: list[Row] = []
        for line in table(_keep(zip(scenarios, figures, strict=True), rows)):
            say(line)
        longest = dict(zip(everyone, survived, strict=True))
        for line in limits(longest):
            say(line)
    options.picture.write_text(draw(options.seed), encoding="utf-8")
    met, lines = verdict(rows, {title: longest[title] for title in refreshers})
    for line in lines:
        say(line)
    say(f"Picture: {options.picture}")
    return 0 if met else _MISSED


def _keep(pairs: Iterable[Row], rows: list[Row]) -> Iterator[Row]:
    """Pass the rows on and keep them."""
    for pair in pairs:
        rows.append(pair)
        yield pair


if __name__ == "__main__":
    sys.exit(run(main))
