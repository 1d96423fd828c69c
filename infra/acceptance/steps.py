"""The steps of a proof: they are printed and timed, and check their expectations."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.cli.program import CommandError

if TYPE_CHECKING:
    from infra.acceptance.site import Site


class ProofError(CommandError):
    """An expectation of a proof does not hold."""


def expect(holds: object, failure: str) -> None:
    """Raise an error if an expectation does not hold.

    :param holds: true if it holds.
    :param failure: the error's text.
    :raises ProofError: if it does not hold.
    """
    if not holds:
        raise ProofError(failure)


@dataclass
class Step:
    """One step of a proof, for the report.

    :param title: its subject.
    :param found: its results, line by line.
    :param seconds: its duration.
    """

    title: str
    found: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Steps:
    """The base of all proofs: prints and times their steps.

    :param site: the site of the proof.
    :param speaker: first word of the printed lines.
    """

    def __init__(self, site: Site, speaker: str) -> None:
        self.site, self._speaker = site, speaker
        self.taken: list[Step] = []
        self._began = time.monotonic()

    def title(self, title: str) -> None:
        """Start a step.

        :param title: its subject.
        """
        self._end_step()
        self.taken.append(Step(title))
        self.site.say(self._speaker, f"== {title}")

    def show(self, line: str) -> None:
        """Print a result of the current step, and keep it for the report.

        :param line: the text.
        """
        if self.taken:
            self.taken[-1].found.append(line)
            self._end_step()
        self.site.say(self._speaker, line)

    def _end_step(self) -> None:
        now = time.monotonic()
        if self.taken:
            self.taken[-1].seconds += now - self._began
        self._began = now
