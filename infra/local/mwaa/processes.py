"""Programs that run beside this one: each with its output in a log file, each stopped with all its children."""

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
_one_line_at_a_time = threading.Lock()


@cache
def _guard() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, bufsize=0)


def _tell_guard(line: str) -> None:
    # Where somebody has killed the guard there is none.
    with _one_line_at_a_time, suppress(BrokenPipeError):
        _guard().stdin.write(line.encode())  # type: ignore[union-attr]  # it is a pipe


def start(command: list[str], **how: Any) -> subprocess.Popen[bytes]:
    """Start a program as subprocess.Popen does, with a session that ends with this process at the latest."""
    process = subprocess.Popen(command, start_new_session=True, **how)
    _tell_guard(f"+{process.pid}\n")
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program that :func:`start` has started, and its children: killed if they do not end in time."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_SECONDS)
            break
    _tell_guard(f"-{process.pid}\n")


class Processes:
    """Start programs and stop them; each has a name, and a log file NAME.log in a folder."""

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
        """Start a program that is to run until all are stopped; see :meth:`start`."""
        self.start(name, command, environ)
        self._services.append(name)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until the programs that serve are ready; raise a RuntimeError when one ends, or when time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            for name in self._services:
                if name in self._started and self._started[name].poll() is not None:
                    raise RuntimeError(f"airflow {name} ended: {self.last_line(name)}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Airflow was not healthy within {seconds} s: see {self._logs}")
            time.sleep(0.5)

    def last_line(self, name: str) -> str:
        """Return the last line that a program printed, and where the others are."""
        log = self._logs / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()
        return f"{lines[-1] if lines else 'it printed nothing'} (see {log})"

    def release(self, names: Collection[str]) -> None:
        """Ask programs to end when their work is done, without a word to their children, and stop all others."""
        for name in names:
            self._started[name].terminate()
        self.stop(names)

    @property
    def are_running(self) -> bool:
        """Return whether any program has not ended yet."""
        return any(process.poll() is None for process in self._started.values())

    def stop(self, spared: Collection[str] = ()) -> None:
        """Stop every program that is not spared, the last first, each by its own id."""
        names = [name for name in reversed(self._started) if name not in spared]
        for name in names:  # side by side: each may take seconds to end
            with suppress(ProcessLookupError):
                os.killpg(self._started[name].pid, signal.SIGTERM)
        for name in names:
            end(self._started.pop(name))
