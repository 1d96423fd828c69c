"""The output of the command line programs, with a heartbeat while they wait."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET_SECONDS = 8.0


class _Output:
    """Standard output, and the time of its last line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._waiting = False

    def say(self, line: str, to: TextIO | None = None) -> None:
        """Print a line without buffering.

        :param line: the text.
        :param to: the stream (default: standard output).
        """
        with self._lock:
            print(line, file=to or sys.stdout, flush=True)
            self._last = time.monotonic()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Print a heartbeat after each 8 seconds without output; nested calls leave it to the outermost.

        :param what: the subject of the wait.
        """
        if self._waiting:
            yield
            return
        over = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(what, over), daemon=True)
        self._waiting = True
        ticker.start()
        try:
            yield
        finally:
            over.set()
            ticker.join()
            self._waiting = False

    def _tick(self, what: str, over: threading.Event) -> None:
        start = time.monotonic()
        while not over.wait(0.5):
            now = time.monotonic()
            if now - self._last >= QUIET_SECONDS:
                self.say(f"  … {what}: {now - start:.0f} s so far")


_output = _Output()
say = _output.say
waiting = _output.waiting


class Console:
    """Lines with their time and speaker, printed and kept; a context manager that prints heartbeats."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._started = time.monotonic()
        self._waiting = ExitStack()

    def __enter__(self) -> Self:
        """Start the heartbeats."""
        self._waiting.enter_context(waiting("at work"))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the heartbeats."""
        self.quiet()

    def quiet(self) -> None:
        """Stop the heartbeats."""
        self._waiting.close()

    def say(self, speaker: str, line: str) -> None:
        """Print a line.

        :param speaker: such as ``mwaa``.
        :param line: the text.
        """
        self.lines.append(f"{time.monotonic() - self._started:6.1f} s  {speaker:9} {line}")
        say(self.lines[-1])
