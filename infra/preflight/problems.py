"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass

from infra.cli.program import CommandError


class CannotCheckError(CommandError):
    """Tell in one sentence why there is no verdict, and what to do."""


@dataclass(frozen=True, order=True)
class Problem:
    """Hold one thing to mend.

    :param path: the file, as the user knows it.
    :param line: where in it, from 1.
    :param sentence: what is wrong and how to mend it.
    """

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        """Render it as compilers do, which editors and CI turn into a link."""
        return f"{self.path}:{self.line}: {self.sentence}"
