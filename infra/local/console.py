"""What `make local` and `make demo` tell: every line with its time and its speaker, and never a long silence."""

from __future__ import annotations

import threading
import time
from typing import Self

# Nobody should wonder for more than 10 seconds whether anything still happens.
_SILENCE_SECONDS = 8


class Console:
    """Print lines while the context is entered; keep them, for those who check what was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._started = self._spoke = time.monotonic()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Begin to break silences."""
        self._heartbeat.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Fall silent."""
        self.quiet()

    def quiet(self) -> None:
        """Let silences be from now on."""
        self._closed.set()

    def say(self, speaker: str, line: str) -> None:
        """Print a line.

        :param speaker: who says it, such as ``mwaa``.
        :param line: what.
        """
        with self._lock:
            self._spoke = time.monotonic()
            text = f"{self._spoke - self._started:6.1f} s  {speaker:9} {line}"
            self.lines.append(text)
            print(text, flush=True)  # noqa: T201  (a command line program's output)

    def _beat(self) -> None:
        while not self._closed.wait(1):
            if time.monotonic() - self._spoke > _SILENCE_SECONDS:
                self.say("…", "")
