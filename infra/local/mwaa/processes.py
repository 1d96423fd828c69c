"""Programs that run beside this one: each with its output in a log file, each stopped with all its children."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from infra.local.mwaa.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PATIENCE_SECONDS = 10
_GUARD = Guard()


def start(command: list[str], **how: Any) -> subprocess.Popen[bytes]:
    """Start a program with a session of its own, which ends with this process at the latest.

    :param command: its path and arguments.
    :param how: of subprocess.Popen.
    """
    process = subprocess.Popen(command, start_new_session=True, **how)
    _GUARD.started(process.pid)
    return process


def end(process: subprocess.Popen[bytes], patience: float = _PATIENCE_SECONDS) -> None:
    """End a program that :func:`start` has started, and its children.

    :param process: which.
    :param patience: seconds before it is killed.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            break
    _GUARD.stopped(process.pid)


class Processes:
    """Start programs and stop them.

    :param logs: folder of their log files, which are named after them.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._services: set[str] = set()

    def start(self, name: str, command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a program that ends by itself.

        :param name: of its log file.
        :param command: its path and arguments.
        :param environ: all of its environment variables.
        """
        with (self._logs / f"{name}.log").open("wb") as log:
            self._started[name] = start(command, env=environ, stdout=log, stderr=subprocess.STDOUT)
        return self._started[name]

    def serve(self, name: str, command: list[str], environ: Mapping[str, str]) -> None:
        """Start a program that is to run until all are stopped; see :meth:`start`."""
        self.start(name, command, environ)
        self._services.add(name)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for the programs that serve.

        :param ready: whether they do.
        :param seconds: so long at most.
        :raises RuntimeError: when one of them ends, or they are not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            for name in sorted(self._services & self._started.keys()):
                if self._started[name].poll() is not None:
                    raise RuntimeError(f"airflow {name} ended: {self.last_line(name)}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Airflow was not healthy within {seconds} s: see {self._logs}")
            time.sleep(0.5)

    def last_line(self, name: str) -> str:
        """Return the last line that a program printed, and where the others are.

        :param name: of its log file.
        """
        log = self._logs / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()
        return f"{lines[-1] if lines else 'it printed nothing'} (see {log})"

    def ask_to_end(self, name: str) -> None:
        """Ask a program to end when its work is done: its children are not told."""
        with suppress(ProcessLookupError):
            os.kill(self._started[name].pid, signal.SIGTERM)

    def has_ended(self, name: str) -> bool:
        """Tell whether a program has ended."""
        return self._started[name].poll() is not None

    def stop(self, *, but: tuple[str, ...] = ()) -> None:
        """Stop every program, the last first, each by its own id.

        :param but: the names of those that go on.
        """
        stopping = [name for name in reversed(self._started) if name not in but]
        for name in stopping:  # side by side: each may take seconds to end
            with suppress(ProcessLookupError):
                os.killpg(self._started[name].pid, signal.SIGTERM)
        for name in stopping:
            end(self._started.pop(name))
