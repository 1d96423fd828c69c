from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from infra import ROOT


def run(verb: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.local", verb]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("setting", ["AIRFLOW_PORT", pytest.param("LOCAL_AWS_PORT", marks=pytest.mark.long)])
def test_a_port_in_use_is_named_with_the_setting_and_the_fix(setting: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = run("demo", **{setting: port})
    assert ended.returncode == 2
    assert ended.stderr == f"{setting} {port} is in use: set {setting} to a free port, or 0\n"


@pytest.mark.long
def test_a_malformed_port_is_named_with_the_setting_and_the_fix() -> None:
    ended = run("demo", AIRFLOW_PORT="http")
    assert ended.returncode == 2
    assert ended.stderr == "AIRFLOW_PORT is 'http': give a port number, or 0 for a free one\n"


def test_a_signal_stops_everything_and_leaves_nothing_behind() -> None:
    process = subprocess.Popen(  # as a shell starts what stands before an &, which ignores Ctrl-C otherwise
        ["sh", "-c", 'trap "" INT; exec "$0" -m infra.local stay', sys.executable],
        cwd=ROOT,
        env=os.environ | {"AIRFLOW_PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        with process.stdout as output:
            assert any(" deploy " in line for line in output)
            os.killpg(process.pid, signal.SIGINT)
            said = output.read()
        assert process.wait(30) == 0
    finally:
        process.terminate()
    assert said.endswith("stopped\n")
    assert not list((ROOT / ".local").glob(f"run-{process.pid}-*"))
