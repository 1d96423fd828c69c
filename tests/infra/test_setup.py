from __future__ import annotations

from typing import TYPE_CHECKING

from infra import setup

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_an_airflow_that_has_no_pins_is_refused_with_those_that_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main("airflow", "2.9.0") == 1
    versions = "2.10.3, 2.11.2, 3.0.6, 3.2.1, 3.3.1"
    assert capsys.readouterr().err == f"AIRFLOW_VERSION is '2.9.0': give one of {versions}\n"


def test_a_folder_whose_path_holds_a_space_is_refused_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup, "ROOT", tmp_path / "My Projects")
    assert setup.main("airflow", "3.0.6") == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"The path of this folder holds a space ({tmp_path}/My Projects), and pip cannot ")
    assert not said.out
