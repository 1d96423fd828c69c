"""The problems that a check finds."""

from __future__ import annotations

from dataclasses import dataclass

from infra.cli.program import CommandError


class CannotCheckError(CommandError):
    """There can be no verdict."""


@dataclass(frozen=True, order=True)
class Problem:
    """One problem in a requirements file.

    :param path: the file, as the user named it.
    :param line: the line, from 1.
    :param sentence: what is wrong and how to fix it.
    """

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        """Return the problem in the form of compilers, which editors and CI turn into a link."""
        return f"{self.path}:{self.line}: {self.sentence}"
