"""The table, and whether the goal is met."""

from __future__ import annotations

from itertools import chain, groupby, starmap
from typing import TYPE_CHECKING

from infra.cli.table import table as columns
from infra.lab.simulation.limits import MOMENTS
from infra.lab.simulation.units import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.lab.simulation.figures import Figures
    from infra.lab.simulation.scenarios import Scenario

    Row = tuple[Scenario, Figures]

# The outages that the promise covers are shorter than this (s).
PROMISED_OUTAGE = 7 * HOUR
_HEAD = ("who refreshes", "fail", "years", "stale h/year", "smallest h", "mints/year", "")
_ALIGN, _WIDTHS = "<>>>>><", (30, 4, 5, 12, 10, 10, 0)


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Render the rows, each as soon as it is there; what is under the promise has a mark."""
    for outages, group in groupby(rows, key=lambda row: row[0].outages):
        yield f"\nOutages of CodeArtifact or S3: {outages}{'' if outages == 'none' else ', one in 30 days on average'}"
        yield from columns(chain([_HEAD], starmap(_cells, group)), _ALIGN, _WIDTHS)


def _cells(scenario: Scenario, figures: Figures) -> tuple[str, ...]:
    return (
        scenario.title,
        f"{scenario.failure_rate:.0%}",
        f"{figures.years:,}",
        _hours(figures.stale_hours_a_year),
        f"{figures.smallest / HOUR:.2f}",
        f"{figures.mints / figures.years:,.0f}",
        "promised" if scenario.promised else "",
    )


def _hours(hours: float) -> str:
    """Render so that only nothing looks like nothing."""
    return f"{hours:.1f}" if hours >= 1 else f"{hours:.4f}" if hours else "0"


def limits(survived: dict[str, int]) -> Iterator[str]:
    """Render the longest outages survived.

    :param survived: by who refreshes (s).
    """
    yield f"\nLongest outage survived when it begins at the worst of {MOMENTS:,} moments and nothing else fails"
    for title, seconds in survived.items():
        yield f"{title:30} {seconds // HOUR} h {seconds % HOUR // 60:02} min"


def verdict(rows: list[Row], survived: dict[str, int]) -> tuple[bool, list[str]]:
    """Judge the goal: no stale hour under the promise.

    :param rows: all rows of the table.
    :param survived: the longest outage survived by those who are under the promise, by name (s).
    :returns: whether it is met, and what there is to say.
    """
    promised = [(scenario, figures) for scenario, figures in rows if scenario.promised]
    years, tries, calls = (
        sum(getattr(figures, name) for _, figures in promised) for name in ("years", "tries", "calls")
    )
    broken = [
        f"  {scenario.title}, {scenario.failure_rate:.0%} of tries fail, outages {scenario.outages}: "
        f"{figures.stale / HOUR:.2f} h stale in {figures.years} years; the first: {figures.counterexample}"
        for scenario, figures in promised
        if figures.stale
    ]
    broken += [
        f"  {title}: an outage of {seconds / HOUR:.2f} h can be too long"
        for title, seconds in survived.items()
        if seconds < PROMISED_OUTAGE
    ]
    goal = (
        f"0 stale hours in {years:,} years while one refresher lives and outages stay under {PROMISED_OUTAGE // HOUR} h"
    )
    return not broken, [
        f"\n{'MISSED' if broken else 'Goal met'}: {goal}",
        *broken,
        f"Behind it: {tries:,} runs; {calls:,} called refresh(), the others repeat a situation known from a call",
    ]
