"""Triggers: what deferred sensors wait for, in the triggerer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class CodeArtifactIndexUrlFreshTrigger(BaseTrigger):
    """Fire when pip can use the line for long enough, or when S3 cannot be asked.

    :param poke_interval: time between two looks, in seconds.
    :param what_to_ask: arguments of ``hooks.is_fresh``.
    """

    def __init__(self, *, poke_interval: float, **what_to_ask: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow 3.0 has no type here
        self.poke_interval = poke_interval
        self.what_to_ask = what_to_ask

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what the triggerer makes the trigger of."""
        name = f"{type(self).__module__}.{type(self).__name__}"
        return name, {"poke_interval": self.poke_interval, **self.what_to_ask}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to tell; boto3 blocks, so each look is a thread's."""
        event = await asyncio.to_thread(self._look)
        while not event:
            await asyncio.sleep(self.poke_interval)
            event = await asyncio.to_thread(self._look)
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow 3.0 has no type here

    def _look(self) -> dict[str, str] | None:
        # Imported here, in the thread: the Amazon provider costs seconds, in which the triggerer would stand still.
        from mwaa_codeartifact.core.errors import CodeArtifactError
        from mwaa_codeartifact.hooks import is_fresh

        try:
            return {"status": "fresh", "message": ""} if is_fresh(**self.what_to_ask) else None
        except CodeArtifactError as error:
            return {"status": "error", "message": str(error)}
