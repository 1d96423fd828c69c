"""The environment's CloudWatch log groups, as far as one machine fills them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moto.logs.models import logs_backends

if TYPE_CHECKING:
    from collections.abc import Iterable

# The one container here is all of them; what it does at its start stands in the workers' group.
_KINDS = ("DAGProcessing", "Scheduler", "Task", "WebServer", "Worker")


class Logs:
    """Make the log groups of an environment.

    :param arn: the environment's ARN.
    """

    def __init__(self, arn: str) -> None:
        region, account, name = arn.split(":")[3], arn.split(":")[4], arn.rpartition("/")[2]
        self._logs = logs_backends[account][region]
        self._group = f"airflow-{name}-Worker"
        for kind in _KINDS:
            self._logs.ensure_log_group(f"airflow-{name}-{kind}")

    def put(self, stream: str, lines: Iterable[str]) -> None:
        """Keep lines in a new stream of the workers' group.

        :param stream: beginning of the stream's name, such as ``requirements_install``.
        """
        now = datetime.now(UTC)
        name = f"{stream}_{now:%Y%m%dT%H%M%S%f}"
        self._logs.create_log_stream(self._group, name)
        events = [{"timestamp": int(now.timestamp() * 1000), "message": line} for line in lines if line]
        self._logs.put_log_events(self._group, name, events)
