"""A refresher in a process of its own; imports no more than a refresher does."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import boto3

from mwaa_codeartifact.core.connections import BotoConnections
from mwaa_codeartifact.core.refresh import refresh

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

    from mwaa_codeartifact.core.target import Target


def take_part(target: Target, url: str, rounds: Iterable[datetime], barrier: Barrier, states: Queue[str]) -> None:
    """Refresh once a round, at the same moment as the others."""
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="eu-west-1")
    connections = BotoConnections(partial(session.client, endpoint_url=url))
    for moment in rounds:
        barrier.wait(60)
        states.put(_state(target, connections, moment))
        barrier.wait(60)


def _state(target: Target, connections: BotoConnections, moment: datetime) -> str:
    try:
        return refresh(
            target, refresher="dag", min_remaining=timedelta(hours=8), connections=connections, now=lambda: moment
        ).state
    except Exception as error:  # noqa: BLE001  (the test compares it with what it expects)
        return repr(error)
