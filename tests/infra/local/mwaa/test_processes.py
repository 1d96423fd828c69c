from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.local.mwaa.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    processes.stop()


def shell(commands: str) -> list[str]:
    return ["/bin/sh", "-c", commands]


def test_a_programs_output_is_in_its_log(processes: Processes, tmp_path: Path) -> None:
    assert processes.start("database", shell("echo $WORD; echo failed >&2; exit 3"), {"WORD": "migrated"}).wait() == 3
    assert (tmp_path / "database.log").read_text() == "migrated\nfailed\n"


def test_a_service_that_ends_is_named_with_its_last_line_and_its_log(processes: Processes, tmp_path: Path) -> None:
    processes.serve("scheduler", shell("sleep 60"), {"PATH": os.defpath})
    processes.serve("webserver", shell("echo starting; echo the port is taken"), {})
    with pytest.raises(RuntimeError) as caught:
        processes.wait_until(lambda: False, 30)
    assert str(caught.value) == f"airflow webserver ended: the port is taken (see {tmp_path}/webserver.log)"


def test_a_service_that_ends_without_output_is_named_with_its_log(processes: Processes, tmp_path: Path) -> None:
    processes.serve("webserver", shell("exit 0"), {})
    with pytest.raises(RuntimeError) as caught:
        processes.wait_until(lambda: False, 30)
    assert str(caught.value) == f"airflow webserver ended: it printed nothing (see {tmp_path}/webserver.log)"


def test_services_that_are_never_ready_end_the_wait(processes: Processes, tmp_path: Path) -> None:
    processes.serve("scheduler", shell("sleep 60"), {"PATH": os.defpath})
    with pytest.raises(RuntimeError) as caught:
        processes.wait_until(lambda: False, 0.1)
    assert str(caught.value) == f"Airflow was not healthy within 0.1 s: see {tmp_path}"


def test_a_stop_stops_the_children_too(processes: Processes, tmp_path: Path) -> None:
    processes.serve("webserver", shell("sleep 60 & echo $!; wait"), {"PATH": os.defpath})
    log = tmp_path / "webserver.log"
    processes.wait_until(lambda: log.read_text().endswith("\n"), 10)
    child = int(log.read_text())
    processes.stop()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and is_running(child):
        time.sleep(0.05)
    assert not is_running(child)


def is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_program_that_is_asked_to_end_may_finish_its_work(processes: Processes, tmp_path: Path) -> None:
    processes.serve(
        "worker", shell("trap 'wait; echo done; exit' TERM; sleep 0.5 & echo began; wait"), {"PATH": os.defpath}
    )
    log = tmp_path / "worker.log"
    processes.wait_until(lambda: log.read_text() == "began\n", 10)
    processes.release(["worker"])
    deadline = time.monotonic() + 10
    while processes.are_running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert log.read_text() == "began\ndone\n"


def test_a_parent_that_has_stopped_its_programs_ends_without_a_warning(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from infra.local.mwaa.processes import Processes
processes = Processes(Path({str(tmp_path)!r}))
processes.start("ended", ["/bin/sh", "-c", "exit 0"], {{}})
processes.stop()
"""
    command = [sys.executable, "-W", "default::ResourceWarning", "-c", program]
    assert subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, check=True).stderr == b""


def test_a_killed_parent_leaves_no_orphan(tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from infra.local.mwaa.processes import Processes
processes = Processes(Path({str(tmp_path)!r}))
processes.serve("scheduler", ["/bin/sh", "-c", "sleep 60 & echo $!; wait"], {{"PATH": {os.defpath!r}}})
processes.start("ended", ["/bin/sh", "-c", "exit 0"], {{}}).wait()
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as parent:
        log, deadline = tmp_path / "scheduler.log", time.monotonic() + 20
        begun = tmp_path / "ended.log"  # by then the guard knows the first process
        while not (begun.exists() and log.read_text().endswith("\n")) and time.monotonic() < deadline:
            time.sleep(0.05)
        child = int(log.read_text())
        assert is_running(child)
        parent.kill()
    deadline = time.monotonic() + 10
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)
