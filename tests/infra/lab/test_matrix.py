"""The matrix of versions: its content, and its report of a version whose tests fail."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from infra import ROOT, setup
from infra.cli.console import Console
from infra.lab import matrix
from tests.infra.cloudformation.support import load

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PARAMETER = load("mwaa")["Parameters"]["AirflowVersion"]


def environment(root: Path, version: str, program: str) -> None:
    """Create an imitation of a version's environment; its Python is a shell script."""
    python = root / ".local" / f"airflow-{version}" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)


def test_the_template_allows_exactly_the_versions_that_are_tested() -> None:
    assert PARAMETER["AllowedValues"] == setup.known_versions()


def test_make_runs_the_airflow_that_the_template_deploys_by_default() -> None:
    environ = {"PATH": os.environ["PATH"]}  # AIRFLOW_VERSION, or another make, would change the answer
    command = ["make", "--directory", str(ROOT), "--dry-run", "test-airflow"]
    printed = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    assert f"/airflow-{PARAMETER['Default']}/bin/python" in printed


def test_make_passes_an_argument_that_begins_with_a_dash_to_pytest() -> None:
    without = f"WITHOUT={' '.join(setup.known_versions())}"  # so that no test runs
    command = ["make", "--directory", str(ROOT), "test-matrix", without, "TESTARGS=--ignore=tests/airflow/x.py"]
    finished = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert finished.stderr.startswith("WITHOUT names every version of Airflow")


def test_the_error_for_an_unknown_version_names_the_known_ones_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert setup.main("airflow", "2.7.1") == 1
    known = ", ".join(setup.known_versions())
    assert capsys.readouterr().err == f"AIRFLOW_VERSION is '2.7.1': set it to one of {known}\n"


def test_each_version_runs_in_its_own_environment_and_the_output_of_one_that_fails_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(tmp_path, "1.0.0", 'echo "$@"; echo "===== 3 passed in 1.50s ====="')
    environment(tmp_path, "2.0.0", 'echo "it is broken"; echo "== 1 failed, 2 passed in 61.00s (0:01:01) =="; exit 1')
    environment(tmp_path, "3.0.0", "exit 4")
    with Console() as console:
        outcomes = matrix.test(tmp_path, ["1.0.0", "2.0.0", "3.0.0"], ["-k", "page"], console)
    assert [(outcome.passed, outcome.summary) for outcome in outcomes] == [
        (True, "3 passed"),
        (False, "1 failed, 2 passed"),
        (False, "ended with status 4"),
    ]
    assert "-m pytest" in outcomes[0].log.read_text()
    assert outcomes[0].log.read_text().splitlines()[0].endswith("-k page")
    said = capsys.readouterr().out
    assert "it is broken" in said
    assert "-m pytest" not in said
    rows = [line.split()[:2] for line in matrix.table(outcomes).splitlines()[1:]]
    assert rows == [["1.0.0", "passed"], ["2.0.0", "FAILED"], ["3.0.0", "FAILED"]]
