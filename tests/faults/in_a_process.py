"""A refresher in a process of its own; imports no more than a refresher does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import boto3

from mwaa_codeartifact.core.connections import CLIENT_CONFIG, Clients
from mwaa_codeartifact.core.refresh import refresh

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

    from mwaa_codeartifact.core.target import Target


def take_part(target: Target, url: str, rounds: Iterable[datetime], barrier: Barrier, states: Queue[str]) -> None:
    """Refresh once a round, at the same moment as the others."""
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=target.region)
    clients = Clients(
        session.client("codeartifact", endpoint_url=url, config=CLIENT_CONFIG),
        session.client("s3", endpoint_url=url, config=CLIENT_CONFIG),
    )
    for moment in rounds:
        barrier.wait(60)
        states.put(_state(target, clients, moment))
        barrier.wait(60)


def _state(target: Target, clients: Clients, moment: datetime) -> str:
    try:
        return refresh(
            target, refresher="dag", min_remaining=timedelta(hours=8), clients=clients, now=lambda: moment
        ).state
    except Exception as error:  # noqa: BLE001  (the test compares it with what it expects)
        return repr(error)
