from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from infra.local import runs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    monkeypatch.setattr(runs, "LOCAL", tmp_path)
    monkeypatch.setattr(runs, "AWS_ENV", tmp_path / "aws.env")
    return tmp_path


def orphan(**environ: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], env=os.environ | environ, start_new_session=True)


def test_the_folder_and_processes_of_a_killed_run_are_removed_and_no_others(local: Path) -> None:
    folder = local / "run-1-x"
    folder.mkdir()
    (folder / "data").touch()
    said: list[str] = []
    with orphan(AIRFLOW_HOME=f"{folder}/aws/airflow") as own, orphan() as other:
        with runs.new_run("demo", said.append):
            assert not folder.exists()
        assert own.wait(5) == -signal.SIGTERM
        other.kill()
        assert other.wait() == -signal.SIGKILL
    assert said == ["removed run-1-x and stopped 1 processes, left over from a run that has ended"]


def test_a_process_whose_title_has_overwritten_its_variables_is_found_by_its_log(local: Path) -> None:
    folder = local / "run-1-x"
    folder.mkdir()
    with (folder / "airflow.log").open("w") as log:
        own = subprocess.Popen(["sleep", "60"], stdout=log, start_new_session=True)
    with runs.new_run("demo", print):
        assert own.wait(5) == -signal.SIGTERM


def test_a_running_run_is_not_touched(local: Path) -> None:
    with runs.new_run("demo", print) as first:
        with runs.new_run("demo", print):
            assert first.exists()
        assert first.exists()
    assert not list(local.glob("run-*"))


def test_the_folder_of_a_failed_run_stays_until_the_next(local: Path) -> None:
    with runs.new_run("demo", print) as failed:
        (failed / runs.FAILED).touch()
    assert failed.exists()
    with runs.new_run("demo", print):
        assert not failed.exists()
    assert not list(local.glob("run-*"))


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    with runs.new_run("demo", print) as folder:
        stubborn = subprocess.Popen(["sh", "-c", f'trap "" TERM; : {folder}; while :; do sleep 1; done'])
        time.sleep(0.3)
        began = time.monotonic()
    assert stubborn.wait() == -signal.SIGKILL or stubborn.returncode == 0
    assert time.monotonic() - began < 4


def test_only_one_run_stays_at_a_time(local: Path) -> None:
    with runs.new_run("stay", print) as folder:
        with (folder / runs.LOCK).open("a") as file:
            file.write(", Airflow at http://127.0.0.1:8080")
        message = rf"\(process {os.getpid()}, since .*, Airflow at http://127.0.0.1:8080\)"
        with pytest.raises(runs.RunError, match=message):
            runs.new_run("stay", print).__enter__()
        (local / "aws.env").touch()
        with runs.new_run("demo", print):
            pass
        assert (local / "aws.env").exists()
    assert not (local / "aws.env").exists()
    with runs.new_run("stay", print):
        pass
