"""The real programs and real signals, in a clone of this folder that consists of links and has its own .local."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from infra import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Twice the promised time: the machine may be busy.
_STOPPED_SECONDS = 5
# Built by `make setup`.
_ENVIRONMENTS = [
    folder.name for folder in (ROOT / ".local").glob("*") if folder.name.startswith(("image-", "lambda-runtime"))
]


@pytest.fixture(autouse=True)
def _default_sigint() -> Iterator[None]:
    """Start programs with SIGINT's default handling: pytest in the background, as in `make test &`, ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "infra", "plugins", "dags", "requirements", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".local").mkdir()
    for name in _ENVIRONMENTS:
        (tmp_path / ".local" / name).symlink_to((ROOT / ".local" / name).resolve())
    return tmp_path


def environ(clone: Path, **more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{clone / 'plugins'}:{clone}", "AIRFLOW_PORT": "0"} | more


def run(clone: Path, verb: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.local", verb]
    return subprocess.run(command, cwd=clone, env=environ(clone, **more), capture_output=True, text=True, check=False)


@contextmanager
def staying(clone: Path, verb: str = "stay", **more: str) -> Iterator[subprocess.Popen[str]]:
    """Start the program as a shell starts `command &`: with SIGINT ignored."""
    command = ["sh", "-c", 'trap "" INT; exec "$0" -m infra.local "$1"', sys.executable, verb]
    with subprocess.Popen(
        command,
        cwd=clone,
        env=environ(clone, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def read_until(process: subprocess.Popen[str], sign: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if sign in line:
            return said
    raise AssertionError(f"{sign!r} was not said: {said}")


def interrupt(process: subprocess.Popen[str]) -> tuple[float, str]:
    """Press Ctrl-C; return the seconds until the end and the output."""
    assert process.stdout is not None
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    said = process.stdout.read()
    process.wait()
    return time.monotonic() - began, said


def processes_of(clone: Path) -> list[str]:
    """Wait until discarded folders are deleted; return the commands that still run."""
    deadline = time.monotonic() + 60
    while list((clone / ".local").glob("discarded-*")) and time.monotonic() < deadline:
        time.sleep(0.2)
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(clone / ".local") in part for part in (*process.cmdline(), *process.environ().values())):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("setting", ["AIRFLOW_PORT", pytest.param("LOCAL_AWS_PORT", marks=pytest.mark.long)])
def test_a_port_in_use_is_named_with_the_setting_and_the_fix(clone: Path, setting: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = run(clone, "demo", **{setting: port})
    assert ended.returncode == 2
    assert ended.stderr == f"{setting} {port} is in use: set {setting} to a free port, or 0\n"


@pytest.mark.long
def test_a_malformed_port_is_named_with_the_setting_and_the_fix(clone: Path) -> None:
    ended = run(clone, "demo", AIRFLOW_PORT="http")
    assert ended.returncode == 2
    assert ended.stderr == "AIRFLOW_PORT is 'http': set it to a port number, or to 0 for a free one\n"


@pytest.mark.parametrize(
    "moment",
    [
        "acting on",
        *(pytest.param(late, marks=pytest.mark.long) for late in ("startup script", "pip install -r", "Ctrl-C stops")),
    ],
)
def test_ctrl_c_stops_everything_at_once(clone: Path, moment: str) -> None:
    with staying(clone) as process:
        read_until(process, moment)
        seconds, said = interrupt(process)
    assert process.returncode == 0
    assert seconds < _STOPPED_SECONDS
    assert re.search(r" local     stopping …\n(.*\n)*.* local     stopped\n\Z", said)
    assert "Traceback" not in said
    assert processes_of(clone) == []
    assert {path.name for path in (clone / ".local").iterdir()} <= {
        "runs.lock",
        "preflight",
        *_ENVIRONMENTS,
    }


@pytest.mark.parametrize("module", ["infra", "psutil", pytest.param("infra.local.runs", marks=pytest.mark.long)])
def test_ctrl_c_leaves_no_trace_while_the_program_imports_its_modules(clone: Path, module: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "infra.local", "stay"]  # prints a line for each module
    with subprocess.Popen(
        command,
        cwd=clone,
        env=environ(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        read_until(process, f" {module}\n")
        _, said = interrupt(process)
    assert process.returncode in {0, -signal.SIGINT}
    assert "Traceback" not in said
    assert processes_of(clone) == []


@pytest.mark.long
def test_a_stopped_demonstration_has_exit_status_130(clone: Path) -> None:
    with staying(clone, "demo") as process:
        read_until(process, "acting on")
        interrupt(process)
    assert process.returncode == 130


@pytest.mark.long
def test_a_second_run_is_refused_with_the_process_start_and_url_of_the_first(clone: Path) -> None:
    with staying(clone) as process:
        read_until(process, "acting on")
        second = run(clone, "stay")
        interrupt(process)
    assert second.returncode == 2
    assert second.stdout == ""
    message = (
        rf"`make local` runs in this folder already \(process {process.pid}, since [\d:]+, Airflow at http://[\d.:]+\)"
    )
    assert re.match(message, second.stderr)
    with staying(clone) as process:
        read_until(process, "acting on")


@pytest.mark.long
def test_a_killed_run_leaves_no_processes_and_the_next_run_removes_its_folder(clone: Path) -> None:
    with staying(clone) as process:
        read_until(process, "acting on")
        process.kill()
    (folder,) = (clone / ".local").glob("run-*")
    assert folder.name.startswith(f"run-{process.pid}-")
    (clone / ".local" / "aws.env").touch()
    with staying(clone) as process:
        said = read_until(process, "acting on")
        assert re.search(rf"local     removed .local/{folder.name}.*, left over from a run that has ended\n", said)
        assert not (clone / ".local" / "aws.env").exists()
        assert not folder.exists()
        interrupt(process)
    assert processes_of(clone) == []


@pytest.mark.long
def test_nothing_of_the_user_s_settings_reaches_the_local_stacks_and_nobody_else_reads_its_keys(clone: Path) -> None:
    (clone / ".env").write_text("AWS_PROFILE=nosuch\nMAX_WORKERS=wrong\nAWS_REGION=us-east-1\n")
    with staying(clone, AWS_PROFILE="another") as process:
        said = read_until(process, "Ctrl-C stops")
        aws_env = clone / ".local" / "aws.env"
        assert aws_env.stat().st_mode & 0o777 == 0o600
        status = subprocess.run(
            ["sh", "-c", ". .local/aws.env; make status"],
            cwd=clone,
            env=environ(clone, AWS_PROFILE="another"),
            capture_output=True,
            text=True,
            check=False,
        )
        interrupt(process)
    assert " local     .env is not read here" in said
    assert status.returncode == 0, status.stderr
    assert "acting on the local AWS at http://127.0.0.1:" in status.stdout
    assert not aws_env.exists()
