"""The trigger of deferred sensors, which runs in the triggerer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class CodeArtifactIndexUrlFreshTrigger(BaseTrigger):
    """Fire when pip can use the line for long enough, or when the destination cannot be read.

    :param poke_interval: time between two checks (s).
    :param check: arguments of ``hooks.is_line_fresh``.
    """

    def __init__(self, *, poke_interval: float, **check: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow 3.0 has no type here
        self.poke_interval = poke_interval
        self.check_arguments = check

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments from which the triggerer makes this trigger."""
        name = f"{type(self).__module__}.{type(self).__name__}"
        return name, {"poke_interval": self.poke_interval, **self.check_arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Check until there is an event; boto3 blocks, so each check runs in a thread."""
        event = await asyncio.to_thread(self._check)
        while not event:
            await asyncio.sleep(self.poke_interval)
            event = await asyncio.to_thread(self._check)
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow 3.0 has no type here

    def _check(self) -> dict[str, str] | None:
        # Imported in the thread: the Amazon provider takes seconds, in which the triggerer would do nothing else.
        from mwaa_codeartifact.core.errors import CodeArtifactError
        from mwaa_codeartifact.hooks import is_line_fresh

        try:
            return {"status": "fresh", "message": ""} if is_line_fresh(**self.check_arguments) else None
        except CodeArtifactError as error:
            return {"status": "error", "message": str(error)}
