"""How the command line programs end: with what exit status, and what is said of an error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from infra.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130  # as shells have it: 128 and the signal's number


class DeployerError(Exception):
    """Tell in one sentence, or a few lines, what stopped a command and how to mend it."""

    exit_status = 1


def run(command: Callable[[], int | None], *, failed: int | None = None, interrupted: str = "") -> int:
    """Run a command, and give the program's exit status.

    :param command: gives one, or None for 0.
    :param failed: the status for every error (default: the error's own).
    :param interrupted: what to say on Ctrl-C (default: nothing).
    """
    try:
        return command() or 0
    except DeployerError as error:
        say(str(error), sys.stderr)
        return failed or error.exit_status
    except KeyboardInterrupt:
        if interrupted:
            say(interrupted, sys.stderr)
        return INTERRUPTED
