"""The scenarios: the refreshers and their schedules, the share of tries that fail, and the length of the outages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from itertools import product
from random import Random

from infra.cli.templates import TEMPLATES, parse
from infra.lab.simulation.life import Schedule, Span, live
from infra.lab.simulation.world import SECOND, Outcome, refresh_once
from mwaa_codeartifact.core.policy import DAG_INTERVAL, DAG_MIN_REMAINING, LAMBDA_MIN_REMAINING, TOKEN_LIFETIME

MINUTE, HOUR, DAY, YEAR = 60, 3600, 24 * 3600, 365 * 24 * 3600
TOKEN_SECONDS = TOKEN_LIFETIME // SECOND


def _sample(remaining: int, fault: str | None) -> Outcome:
    """Mint and overwrite without reading the old line; a failure changes nothing."""
    return Outcome(bool(fault), remaining if fault else TOKEN_SECONDS, seconds=0)


_template = parse((TEMPLATES / "refresher.yaml").read_text(encoding="utf-8"))["Resources"]
(_minutes,) = re.findall(r"rate\((\d+) minutes\)", _template["Schedule"]["Properties"]["ScheduleExpression"])
_retries = int(_template["RefresherRetries"]["Properties"]["MaximumRetryAttempts"])

# Airflow's waits for the DAG's 4 retries (tests/airflow/test_dags.py checks its settings): 1 to 2 times 1, 2, 4 and 8
# minutes, and at most 10 (TaskInstance.next_retry_datetime). An unpaused DAG without catchup runs at once, for the
# latest hour that it missed.
DAG = Schedule(
    period=DAG_INTERVAL // SECOND,
    delays=(5, MINUTE),
    waits=((60, 120), (120, 240), (240, 480), (480, 600)),
    run=partial(refresh_once, "dag", DAG_MIN_REMAINING),
    catches_up=True,
)
# EventBridge is exact to the minute. AWS retries after 1 and 2 minutes (Lambda developer guide, asynchronous errors).
LAMBDA = Schedule(
    period=int(_minutes) * MINUTE,
    delays=(0, MINUTE),
    waits=((60, 60), (120, 120))[:_retries],
    run=partial(refresh_once, "lambda", LAMBDA_MIN_REMAINING),
)
# By the sample's description: every 10 hours a token of 12 hours; the handler catches every exception and returns
# normally, so AWS sees no failure and does not retry.
SAMPLE = Schedule(period=10 * HOUR, delays=(0, MINUTE), waits=(), run=_sample)

# The project promises zero stale hours while one refresher runs and outages are shorter than this (h).
PROMISED_OUTAGE = 7
IN_TURN = "each absent in turn"
REFRESHERS = {
    "both refreshers": (DAG, LAMBDA),
    "DAG alone": (DAG,),
    "Lambda alone": (LAMBDA,),
    IN_TURN: (DAG, LAMBDA),
    "the sample": (SAMPLE,),
}
# In an outage one step fails for everyone: S3 cannot be read or written, or CodeArtifact or its repository is down.
_OUTAGE_FAULTS = ("head", "endpoint", "mint", "verify", "put")


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    :param title: the refreshers at work, a key of REFRESHERS.
    :param outages: the shortest and the longest outage (h); None: there are none.
    :param failure_rate: share of tries that fail (0 to 1).
    """

    title: str
    outages: tuple[int, int] | None
    failure_rate: float

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """Return the schedules of the refreshers."""
        return REFRESHERS[self.title]

    @property
    def promised(self) -> bool:
        """Return whether the project promises zero stale hours."""
        return SAMPLE not in self.schedules and (not self.outages or self.outages[1] <= PROMISED_OUTAGE)


SCENARIOS = [
    Scenario(title, outages, rate)
    for outages, rate, title in product((None, (1, PROMISED_OUTAGE), (PROMISED_OUTAGE, 11)), (0.01, 0.2), REFRESHERS)
]


def simulate(scenario: Scenario, seed: int, years: int) -> tuple[int, int]:
    """Simulate years of a scenario; return the stale time and the smallest remaining lifetime (s).

    :param scenario: the scenario.
    :param seed: another seed gives other years.
    :param years: number of years; each begins with its own bootstrap.
    """
    stale, smallest = 0, TOKEN_SECONDS
    for year in range(years):
        random = Random(f"{seed} {scenario} {year}")  # noqa: S311  (chance, not a secret)
        outages = _draw_outages(random, *scenario.outages) if scenario.outages else []
        absences = _draw_absences(random) if scenario.title == IN_TURN else [[], []]
        rate = scenario.failure_rate
        record = live(scenario.schedules, YEAR, random, failure_rate=rate, outages=outages, absences=absences)
        stale += sum(span.end - span.start for span in record.stale())
        smallest = min(smallest, *(max(0, expires - end) for _, expires, end in record.lines()))
    return stale, smallest


def _draw_outages(random: Random, shortest: int, longest: int) -> list[Span]:
    """Return a year's outages: one in 30 days on average, and an hour or more apart.

    Two outages with less than an hour between them count as one: the DAG may not have run in that time.
    """
    outages, now = [], 0
    while (now := now + HOUR + int(random.expovariate(1 / (30 * DAY)))) < YEAR:
        end = now + int(random.uniform(shortest, longest) * HOUR)
        outages.append(Span(now, end, random.choice(_OUTAGE_FAULTS)))
        now = end
    return outages


def _draw_absences(random: Random) -> list[list[Span]]:
    """Return a year's absences of two refreshers, in turn for 1 to 14 days: exactly one of them is always absent."""
    absences: list[list[Span]] = [[], []]
    now = turn = 0
    while now < YEAR:
        end = now + int(random.uniform(1, 14) * DAY)
        absences[turn % 2].append(Span(now, end))
        now, turn = end, turn + 1
    return absences
