"""The program: what it prints, and how it exits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.lab.simulation.__main__ import main
from infra.lab.simulation.scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ALONE = Scenario("Lambda alone", (1, 7), 0.2)


def test_it_exits_0_if_the_promise_holds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, [ALONE]) == 0
    out = capfd.readouterr().out
    assert "stale h/year" in out
    assert "Goal met: 0 stale hours in 1 years" in out
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_it_exits_1_if_the_promise_is_broken(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A promise that nobody gives: outages of 11 hours.
    monkeypatch.setattr("infra.lab.simulation.scenarios.PROMISED_OUTAGE", 11)
    assert run(tmp_path, [replace(ALONE, outages=(7, 11))]) == 1
    assert "MISSED: " in capfd.readouterr().out


def test_every_scenario_of_the_project_is_promised_up_to_outages_of_7_hours() -> None:
    assert sum(each.promised for each in SCENARIOS) == 16
    assert not any(each.promised for each in SCENARIOS if each.title == "the sample" or each.outages == (7, 11))


def run(folder: Path, scenarios: list[Scenario]) -> int:
    return main(["--seed", "7", "--years", "1", "--picture", str(folder / "picture.svg")], scenarios)
