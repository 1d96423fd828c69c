"""Programs that run beside this one: each with its output in a log file, each stopped with all its children."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PATIENCE_SECONDS = 10


class Processes:
    """Start programs and stop them.

    :param logs: folder of their log files, which are named after them.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._services: dict[str, subprocess.Popen[bytes]] = {}
        self._started = ExitStack()

    def start(self, name: str, command: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a program that ends by itself.

        :param name: of its log file.
        :param command: its path and arguments.
        :param environ: all of its environment variables.
        """
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._started.callback(_stop, process)
        return process

    def serve(self, name: str, command: list[str], environ: Mapping[str, str]) -> None:
        """Start a program that is to run until all are stopped; see :meth:`start`."""
        self._services[name] = self.start(name, command, environ)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for the programs that serve.

        :param ready: whether they do.
        :param seconds: so long at most.
        :raises RuntimeError: when one of them ends, or they are not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            for name, process in self._services.items():
                if process.poll() is not None:
                    raise RuntimeError(f"airflow {name} ended: {self.last_line(name)}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Airflow was not healthy within {seconds} s: see {self._logs}")
            time.sleep(0.5)

    def last_line(self, name: str) -> str:
        """Give the last line that a program printed, and where the others are.

        :param name: of its log file.
        """
        log = self._logs / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines()
        return f"{lines[-1] if lines else 'it printed nothing'} (see {log})"

    def stop(self) -> None:
        """Stop every program, each by its own id."""
        self._started.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: they have a session, thus a process group, of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
