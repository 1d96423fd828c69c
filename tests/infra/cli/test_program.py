"""The exit status and the error output of the command line programs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from infra import ROOT
from infra.acceptance.steps import ProofError
from infra.cli.pip_settings import PipSettingsError
from infra.cli.program import CommandError, run
from infra.cli.settings import SettingsError
from infra.local.runs import RunError
from infra.preflight import CannotCheckError
from infra.publish.distribution import PublishError
from infra.setup import SetupError


def test_the_exit_status_is_0_or_the_verdict_of_the_command() -> None:
    assert run(lambda: None) == 0
    assert run(lambda: 1) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(CommandError("It broke: fix it."), 1), (SettingsError(["AWS_REGION is missing.", "BUCKET_NAME too."]), 2)],
)
def test_a_known_error_is_printed_without_a_traceback_and_has_its_exit_status(
    error: CommandError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise error

    assert run(command) == status
    assert run(command, failed=3) == 3
    assert capsys.readouterr().err == f"{error}\n" * 2


def test_an_unexpected_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)


def test_ctrl_c_ends_with_130_and_prints_how_to_continue(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise KeyboardInterrupt

    assert run(command, interrupted="Go on with `make deploy`.") == 130
    assert capsys.readouterr().err == "Go on with `make deploy`.\n"


@pytest.mark.parametrize("command", [("setup", "airflow", "2.7.1"), ("lab.bench", "2.7.1")])
def test_a_program_that_fails_prints_one_sentence_and_no_traceback(command: tuple[str, ...]) -> None:
    program, *arguments = command
    ended = subprocess.run(
        [sys.executable, "-m", f"infra.{program}", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert re.fullmatch(r"AIRFLOW_VERSION is '2.7.1': set it to one of .*\n", ended.stderr)


@pytest.mark.parametrize("error", [SetupError, PipSettingsError, CannotCheckError, PublishError, RunError, ProofError])
def test_the_errors_of_all_programs_have_one_base(error: type[Exception]) -> None:
    assert issubclass(error, CommandError)
