"""The scenarios: the refreshers at work, the share of tries that fail, and the length of the outages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from infra.lab.simulation.life import Record, Span, Troubles, live
from infra.lab.simulation.refreshers import DAG, DAY, HOUR, LAMBDA, MINUTE, SAMPLE, TOKEN_SECONDS, YEAR, Schedule

# In an outage one step fails for everyone: S3 cannot be read or written, or CodeArtifact or its repository is down.
_OUTAGE_FAULTS = ("head", "endpoint", "mint", "verify", "put")
_MEAN_INTERVAL = 30 * DAY

Absences = Callable[[Random, tuple[Schedule, ...]], dict[str, list[Span]]]


def draw_outages(random: Random, shortest: int, longest: int) -> list[Span]:
    """Return a year's outages: one in 30 days on average, and an hour or more apart.

    Two outages with less than an hour between them are one: the DAG may not have run in that time.

    :param random: source of the draws.
    :param shortest: the shortest outage (h).
    :param longest: the longest outage (h).
    """
    outages, now = [], 0
    while (now := now + HOUR + int(random.expovariate(1 / _MEAN_INTERVAL))) < YEAR:
        end = now + int(random.uniform(shortest, longest) * HOUR)
        outages.append(Span(now, end, random.choice(_OUTAGE_FAULTS)))
        now = end
    return outages


def all_absent(random: Random, schedules: tuple[Schedule, ...]) -> dict[str, list[Span]]:
    """Return a year's absences: no refresher runs for 1 to 24 hours, once in 30 days on average."""
    return dict.fromkeys((schedule.name for schedule in schedules), draw_outages(random, 1, 24))


def absent_in_turn(random: Random, schedules: tuple[Schedule, ...]) -> dict[str, list[Span]]:
    """Return a year's absences: one refresher is always absent, in turn for 1 to 14 days; never both."""
    absences: dict[str, list[Span]] = {schedule.name: [] for schedule in schedules}
    now = turn = 0
    while now < YEAR:
        end = now + int(random.uniform(1, 14) * DAY)
        absences[schedules[turn % len(schedules)].name].append(Span(now, end))
        now, turn = end, turn + 1
    return absences


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    :param title: the refreshers at work, in words.
    :param schedules: their schedules.
    :param failure_rate: share of tries that fail (0 to 1).
    :param outage_hours: the shortest and the longest outage (h; default: no outages).
    :param absences: draws when refreshers do not run (default: they always run).
    :param promised: whether the project promises zero stale hours (default: no).
    """

    title: str
    schedules: tuple[Schedule, ...]
    failure_rate: float
    outage_hours: tuple[int, int] | None = None
    absences: Absences | None = None
    promised: bool = False

    @property
    def outages(self) -> str:
        """The length of the outages, in words."""
        return f"{self.outage_hours[0]} to {self.outage_hours[1]} h" if self.outage_hours else "none"


@dataclass
class Figures:
    """The sums over a scenario's years.

    :param years: number of years.
    :param stale: time without a valid token (s).
    :param smallest: smallest remaining lifetime (s); 0 if the line was stale.
    :param mints: number of tokens minted.
    :param tries: number of tries.
    :param counterexample: the first time the line became stale, in words; empty if it never did.
    """

    years: int
    stale: int = 0
    smallest: int = TOKEN_SECONDS
    mints: int = 0
    tries: int = 0
    counterexample: str = ""

    @property
    def stale_hours_a_year(self) -> float:
        """The stale hours a year."""
        return self.stale / HOUR / self.years


def simulate(scenario: Scenario, seed: int, years: int) -> Figures:
    """Simulate years of a scenario, each from its own bootstrap.

    :param scenario: the scenario.
    :param seed: another seed gives other years.
    :param years: number of years.
    """
    figures = Figures(years)
    for year in range(years):
        # Seeded by a string, which gives the same numbers on every platform.
        random = Random(f"{seed} {scenario.title} {scenario.failure_rate} {scenario.outages} {year}")  # noqa: S311
        outages = draw_outages(random, *scenario.outage_hours) if scenario.outage_hours else []
        absences = scenario.absences(random, scenario.schedules) if scenario.absences else {}
        record = live(scenario.schedules, Troubles(scenario.failure_rate, outages, absences), YEAR, random)
        stale = record.stale()
        figures.stale += sum(span.end - span.start for span in stale)
        figures.smallest = min(figures.smallest, *(max(0, expires - end) for _, expires, end in record.lines()))
        figures.mints += record.mints
        figures.tries += record.tries
        if stale and not figures.counterexample:
            day, seconds = divmod(stale[0].start, DAY)
            figures.counterexample = f"seed {seed}, year {year}, day {day}, {seconds / HOUR:.2f} h"
    return figures


def longest_survived(schedules: tuple[Schedule, ...], seed: int) -> int:
    """Return the length of the longest outage that is survived even if it begins at the worst moment (s).

    An endless outage begins at each minute of 12 hours, and nothing else fails. The last try before the line expires
    is the last moment at which it could have ended in time.

    :param schedules: the refreshers at work.
    :param seed: another seed gives other delays.
    """
    return min(_survived(schedules, seed, TOKEN_SECONDS + minute * MINUTE) for minute in range(12 * 60))


def _survived(schedules: tuple[Schedule, ...], seed: int, start: int) -> int:
    random, endless = Random(f"{seed} {start}"), Troubles(outages=[Span(start, start + DAY, "head")])  # noqa: S311
    record: Record = live(schedules, endless, start + TOKEN_SECONDS, random)
    expires_at = record.publishes[-1].expires_at
    return max((moment for moment in record.failures if moment < expires_at), default=start) - start


def scenarios() -> list[Scenario]:
    """Return all rows of the table."""
    both, dag, lambda_, sample = (DAG, LAMBDA), (DAG,), (LAMBDA,), (SAMPLE,)
    rows = []
    for rate in (0, 0.01, 0.05, 0.2):
        rows += [Scenario("both refreshers", both, rate, promised=True), Scenario("the sample", sample, rate)]
    rows += [
        Scenario("all absent, 1 to 24 h a month", both, 0.01, absences=all_absent),
        Scenario("sample absent, 1 to 24 h a month", sample, 0.01, absences=all_absent),
    ]
    for rate in (0, 0.01, 0.05, 0.2):
        rows += [
            Scenario("both refreshers", both, rate, (1, 7), promised=True),
            Scenario("DAG alone (no Lambda)", dag, rate, (1, 7), promised=True),
            Scenario("Lambda alone (paused DAG)", lambda_, rate, (1, 7), promised=True),
            Scenario("each absent in turn", both, rate, (1, 7), absent_in_turn, promised=True),
            Scenario("the sample", sample, rate, (1, 7)),
        ]
    rows += [
        Scenario("both refreshers", both, 0.01, (7, 11)),
        Scenario("DAG alone (no Lambda)", dag, 0.01, (7, 11)),
        Scenario("Lambda alone (paused DAG)", lambda_, 0.01, (7, 11)),
        Scenario("the sample", sample, 0.01, (7, 11)),
    ]
    return rows
