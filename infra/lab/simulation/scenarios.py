"""What is simulated: who lives, what fails how often, how long outages last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from infra.lab.simulation.chance import Draws, seed_of
from infra.lab.simulation.refreshers import DAG, LAMBDA, SAMPLE, Schedule
from infra.lab.simulation.troubles import Span, Troubles, draw_blackouts, draw_outages, draw_turns

FAILURE_RATES = (0, 0.01, 0.05, 0.2)

_Out = Callable[[Draws, tuple[str, ...]], dict[str, list[Span]]]


@dataclass(frozen=True)
class Scenario:
    """Describe one row of the table.

    :param title: who refreshes, in words.
    :param schedules: who refreshes.
    :param failure_rate: the share of tries that fail (0 to 1).
    :param outage_hours: the shortest and the longest outage (h), None: there are none.
    :param out: draws when refreshers are paused or dead (default: never).
    :param promised: whether the goal is zero stale hours.
    :param weight: its share of the simulated years, beside that of the others.
    """

    title: str
    schedules: tuple[Schedule, ...]
    failure_rate: float
    outage_hours: tuple[int, int] | None = None
    out: _Out | None = None
    promised: bool = False
    weight: int = 1

    @property
    def outages(self) -> str:
        """Name the outages."""
        return f"{self.outage_hours[0]} to {self.outage_hours[1]} h" if self.outage_hours else "none"

    def troubles(self, seed: int, year: int) -> Troubles:
        """Draw what goes wrong in one year; the same outages and pauses whoever refreshes.

        :param seed: of the whole simulation.
        :param year: the number of the year.
        """
        names = tuple(schedule.name for schedule in self.schedules)
        return Troubles(
            seed=seed_of(seed, year, self.title, self.failure_rate, self.outages),
            failure_rate=self.failure_rate,
            outages=draw_outages(Draws(seed_of(seed, year, "outages")), self.outage_hours) if self.outage_hours else [],
            out=self.out(Draws(seed_of(seed, year, "out")), names) if self.out else {},
        )


def _rows() -> list[Scenario]:
    both, sample = (DAG, LAMBDA), (SAMPLE,)
    rows = []
    for rate in FAILURE_RATES:
        rows += [
            Scenario("both refreshers", both, rate, promised=True),
            Scenario("the sample", sample, rate, weight=20),
        ]
    rows += [
        Scenario("all dead, 1 to 24 h a month", both, 0.01, None, draw_blackouts, weight=2),
        Scenario("sample dead, 1 to 24 h a month", sample, 0.01, None, draw_blackouts, weight=5),
    ]
    # Most years go to where the least is in reserve.
    for rate in FAILURE_RATES:
        rows += [
            Scenario("both refreshers", both, rate, (1, 7), promised=True, weight=2),
            Scenario("DAG alone (dead Lambda)", (DAG,), rate, (1, 7), promised=True, weight=3),
            Scenario("Lambda alone (paused DAG)", (LAMBDA,), rate, (1, 7), promised=True, weight=14),
            Scenario("each out in turn", both, rate, (1, 7), draw_turns, promised=True, weight=5),
            Scenario("the sample", sample, rate, (1, 7), weight=5),
        ]
    rows += [
        Scenario("both refreshers", both, 0.01, (7, 11), weight=2),
        Scenario("DAG alone (dead Lambda)", (DAG,), 0.01, (7, 11), weight=2),
        Scenario("Lambda alone (paused DAG)", (LAMBDA,), 0.01, (7, 11), weight=5),
        Scenario("the sample", sample, 0.01, (7, 11), weight=5),
    ]
    return rows


SCENARIOS = _rows()


def years_of(scenarios: list[Scenario], promised_years: int) -> list[int]:
    """Share out the years by weight.

    :param promised_years: how many the scenarios with a promise get together.
    """
    whole = sum(scenario.weight for scenario in scenarios if scenario.promised) or 1
    return [-(-promised_years * scenario.weight // whole) for scenario in scenarios]
