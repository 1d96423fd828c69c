"""The environment's CloudWatch log groups, as far as one machine fills them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moto.logs.models import logs_backends

from infra.mwaa_facts import LOG_COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Iterable


class Logs:
    """Make the log groups of an environment that are not there yet.

    :param arn: the environment's ARN.
    """

    def __init__(self, arn: str) -> None:
        region, account, name = arn.split(":")[3], arn.split(":")[4], arn.rpartition("/")[2]
        self._logs = logs_backends[account][region]
        self._prefix = f"airflow-{name}-"
        for component in LOG_COMPONENTS:
            self._logs.ensure_log_group(self._prefix + component)

    def put(self, component: str, stream: str, lines: Iterable[str]) -> None:
        """Keep lines in a new stream of a component's group.

        :param component: such as Worker.
        :param stream: the stream's name.
        """
        now, group = datetime.now(UTC), self._prefix + component
        self._logs.create_log_stream(group, stream)
        events = [{"timestamp": int(now.timestamp() * 1000), "message": line} for line in lines if line]
        self._logs.put_log_events(group, stream, events)
