"""A process that outlives its parent for a moment, and stops what the parent has left running.

Its standard input is a pipe that the parent holds: ``+PID`` for a process group that has started, ``-PID`` for one that
has been stopped. The pipe's end is the parent's, however that came, kill -9 included.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

_PATIENCE_SECONDS = 5


class Guard:
    """Watch over process groups."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def started(self, group: int) -> None:
        """Stop a process group if this process dies before :meth:`stopped` is called."""
        self._tell(f"+{group}\n")

    def stopped(self, group: int) -> None:
        """Forget a process group."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                command = [sys.executable, "-I", "-S", __file__]
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
            assert self._process.stdin  # noqa: S101  (it is a pipe)
            with suppress(BrokenPipeError):  # somebody has killed the guard: there is none then
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


def main() -> None:
    """Wait for the parent's end, and stop what it has left running."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        if groups and number == signal.SIGTERM:
            time.sleep(_PATIENCE_SECONDS)


if __name__ == "__main__":
    main()
