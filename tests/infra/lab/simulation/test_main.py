"""The program: what it prints, and how it exits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.lab.simulation.__main__ import main
from infra.lab.simulation.refreshers import LAMBDA, SAMPLE
from infra.lab.simulation.scenarios import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_it_exits_0_when_the_goal_is_met(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    promised = Scenario("Lambda alone", (LAMBDA,), 0.05, (1, 7), promised=True)
    assert run(tmp_path, [promised, Scenario("the sample", (SAMPLE,), 0.05, (1, 7))]) == 0
    out = capfd.readouterr().out
    assert "Goal met: 0 stale hours in 2 years" in out
    assert "stale h/year" in out
    assert "called refresh()" in out
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8").startswith("<svg")


def test_it_exits_1_and_names_the_counterexample_when_a_policy_misses_the_goal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, [Scenario("the sample", (SAMPLE,), 0.05, promised=True)]) == 1
    out = capfd.readouterr().out
    assert "MISSED: 0 stale hours" in out
    assert "the sample, 5% of tries fail, outages none:" in out
    assert "the first: seed 7, year 0, day " in out


def run(folder: Path, scenarios: list[Scenario]) -> int:
    return main(["--seed", "7", "--years", "2", "--picture", str(folder / "picture.svg")], scenarios)
