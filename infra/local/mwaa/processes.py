"""Programs that run next to this one: each writes a log file, and is stopped with all its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_PATIENCE_SECONDS = 10
_guard_lock = threading.Lock()


@cache
def _guard() -> int:
    """Start the guard and return the pipe to it. Not a Popen, which must be waited for: the guard ends after us."""
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))]
    to_read, to_write = os.pipe()
    os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, to_read, 0)], setsid=True)
    os.close(to_read)
    return to_write


def _send_to_guard(line: str) -> None:
    with _guard_lock, suppress(BrokenPipeError):  # the guard may have been killed
        os.write(_guard(), line.encode())


def start(command: list[str], **how: Any) -> subprocess.Popen[bytes]:
    """Start a program as subprocess.Popen does, in a session that ends with this process at the latest."""
    process = subprocess.Popen(command, start_new_session=True, **how)
    _send_to_guard(f"+{process.pid}\n")
    return process


def end(*processes: subprocess.Popen[bytes]) -> None:
    """Stop programs that :func:`start` has started, and their children, in parallel; kill those that do not end."""
    running = list(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0))
        running = [process for process in running if process.poll() is None]
    for process in processes:
        _send_to_guard(f"-{process.pid}\n")


class Processes:
    """Start and stop programs; each has a name, and a log file NAME.log in a folder."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._services: list[str] = []

    def start(self, name: str, command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a program that ends by itself, with these environment variables only."""
        with (self._logs / f"{name}.log").open("wb") as log:
            self._started[name] = start(command, env=environ, stdout=log, stderr=subprocess.STDOUT)
        return self._started[name]

    def serve(self, name: str, command: list[str], environ: Mapping[str, str]) -> None:
        """Start a program that runs until all are stopped; see :meth:`start`."""
        self.start(name, command, environ)
        self._services.append(name)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until the services are ready; raise a RuntimeError if one ends, or if time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            for name in self._services:
                if name in self._started and self._started[name].poll() is not None:
                    raise RuntimeError(f"airflow {name} ended: {self.last_line(name)}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Airflow was not healthy within {seconds} s: see {self._logs}")
            time.sleep(0.5)

    def last_line(self, name: str) -> str:
        """Return the last line that a program printed, and the path of its log."""
        log = self._logs / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()
        return f"{lines[-1] if lines else 'it printed nothing'} (see {log})"

    def release(self, names: Collection[str]) -> None:
        """Send SIGTERM to some programs but not to their children, so that they finish their work; stop all others."""
        for name in names:
            self._started[name].terminate()
        self.stop(names)

    @property
    def are_running(self) -> bool:
        """Return whether any program has not ended yet."""
        return any(process.poll() is None for process in self._started.values())

    def stop(self, spared: Collection[str] = ()) -> None:
        """Stop every program that is not spared, the last one first."""
        end(*[self._started.pop(name) for name in reversed([*self._started]) if name not in spared])
