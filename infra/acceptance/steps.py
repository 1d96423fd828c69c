"""What every proof is made of: steps that are announced and timed, and what is expected of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.cli.program import CommandError

if TYPE_CHECKING:
    from infra.acceptance.site import Site


class ProofError(CommandError):
    """Something that was to be shown did not show."""


def expect(holds: object, failure: str) -> None:
    """Raise an error unless something holds.

    :param holds: what is expected.
    :param failure: what the error says.
    :raises ProofError: if it does not hold.
    """
    if not holds:
        raise ProofError(failure)


@dataclass
class Step:
    """One step of a proof, for the report.

    :param title: what it shows.
    :param found: what was seen, line by line.
    :param seconds: how long it took.
    """

    title: str
    found: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Steps:
    """Announce and time steps; every proof adds its own.

    :param site: what they act on.
    :param speaker: what their lines begin with.
    """

    def __init__(self, site: Site, speaker: str) -> None:
        self.site, self._speaker = site, speaker
        self.taken: list[Step] = []
        self._began = time.monotonic()

    def title(self, title: str) -> None:
        """Begin a step.

        :param title: what it shows.
        """
        self._end_step()
        self.taken.append(Step(title))
        self.site.say(self._speaker, f"== {title}")

    def show(self, line: str) -> None:
        """Print what a step has found, and keep it for the report.

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
