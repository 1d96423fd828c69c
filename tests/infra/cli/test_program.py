"""How the command line programs end."""

from __future__ import annotations

import pytest

from infra.cli.program import DeployerError, run
from infra.cli.settings import SettingsError


def test_what_succeeds_ends_with_0_and_what_has_a_verdict_with_that() -> None:
    assert run(lambda: None) == 0
    assert run(lambda: 1) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(DeployerError("It broke: mend it."), 1), (SettingsError(["AWS_REGION is missing.", "BUCKET_NAME too."]), 2)],
)
def test_a_known_error_is_told_without_a_trace_and_has_its_status(
    error: DeployerError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise error

    assert run(command) == status
    assert run(command, failed=3) == 3
    assert capsys.readouterr().err == f"{error}\n" * 2


def test_what_nobody_expects_keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise KeyboardInterrupt

    assert run(command, interrupted="Go on with `make deploy`.") == 130
    assert capsys.readouterr().err == "Go on with `make deploy`.\n"
