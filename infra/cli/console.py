"""What the command line programs say, and the sign of life while they wait."""

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
    """Print lines and know when the last one was printed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._waiting = False

    def say(self, line: str, to: TextIO | None = None) -> None:
        """Print a line at once, also into a pipe.

        :param line: the text.
        :param to: where to (default: standard output).
        """
        with self._lock:
            print(line, file=to or sys.stdout, flush=True)
            self._last = time.monotonic()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say that it goes on whenever nothing was said for 8 seconds; the outermost of nested ones speaks.

        :param what: what is waited for.
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
    """Say lines with their time and their speaker, and keep them; a context manager that gives signs of life."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._started = time.monotonic()
        self._waiting = ExitStack()

    def __enter__(self) -> Self:
        """Begin to give signs of life."""
        self._waiting.enter_context(waiting("at work"))
        return self

    def __exit__(self, *_: object) -> None:
        """Give no more of them."""
        self.quiet()

    def quiet(self) -> None:
        """Let silences be from now on."""
        self._waiting.close()

    def say(self, speaker: str, line: str) -> None:
        """Print a line.

        :param speaker: such as ``mwaa``.
        :param line: the text.
        """
        self.lines.append(f"{time.monotonic() - self._started:6.1f} s  {speaker:9} {line}")
        say(self.lines[-1])
