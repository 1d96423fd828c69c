"""The end of every command line program: its exit status, and the sentence on stderr if it fails."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from infra.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130  # the shells' convention: 128 plus the signal's number


class CommandError(Exception):
    """An expected failure of a command; its text says in one or a few lines what failed, why, and what to do."""

    exit_status = 1


def run(command: Callable[[], int | None], *, failed: int | None = None, interrupted: str = "") -> int:
    """Run a command and return the program's exit status.

    :param command: returns an exit status, or None for 0.
    :param failed: the status for every CommandError (default: the error's own).
    :param interrupted: the line to print on Ctrl-C (default: none).
    """
    try:
        return command() or 0
    except CommandError as error:
        say(str(error), sys.stderr)
        return failed or error.exit_status
    except KeyboardInterrupt:
        if interrupted:
            say(interrupted, sys.stderr)
        return INTERRUPTED
