"""What a run does depends on its situation alone: who runs, how long the standing line lives, and which step fails.

So one run of refresh() tells how all others in the same situation come out. The tests compare every publish with and
without this, and one recalled outcome in a thousand is checked by a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.lab.simulation.units import STEP
from infra.lab.simulation.world import World

if TYPE_CHECKING:
    from infra.lab.simulation.refreshers import Schedule
    from infra.lab.simulation.world import Outcome

# Recalled outcomes whose moment is a multiple of this are checked (s); 997 is a prime, so no schedule evades it.
_CHECK_EVERY = 997 * STEP


class Memory:
    """Remember how runs came out.

    :param exact: run every time instead, and leave no tick out.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self.exact = exact
        self.calls = 0
        self._world = World()
        self._known: dict[tuple[str, int, str | None], Outcome] = {}
        self.outcome = self.call if exact else self._recall

    def call(self, schedule: Schedule, now: int, expires_at: int | None, fault: str | None) -> Outcome:
        """Run, and give the outcome.

        :param schedule: whose run.
        :param now: the moment (s).
        :param expires_at: when the standing line dies (s), None: there is none.
        :param fault: the step that fails, None: none does.
        """
        self.calls += 1
        return schedule.run(self._world, now, expires_at, fault)

    def _recall(self, schedule: Schedule, now: int, expires_at: int, fault: str | None) -> Outcome:
        """Give the outcome of a run, from memory where it is known.

        :raises AssertionError: when a check shows that an outcome depends on more than the situation.
        """
        situation = (schedule.name, expires_at - now, fault)
        if not (outcome := self._known.get(situation)):
            outcome = self._known[situation] = self.call(schedule, now, expires_at, fault)
        elif not now % _CHECK_EVERY and self.call(schedule, now, expires_at, fault) != outcome:
            raise AssertionError(f"the outcome of {situation} is not always the same")
        return outcome
