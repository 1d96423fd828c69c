"""The environment's CloudWatch log groups, as far as one machine fills them, with their metric filters at work."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moto.cloudwatch.models import cloudwatch_backends
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
        self._logs, self._cloudwatch = logs_backends[account][region], cloudwatch_backends[account][region]
        self._prefix = f"airflow-{name}-"
        for component in LOG_COMPONENTS:
            self._logs.ensure_log_group(self._prefix + component)

    def put(self, component: str, stream: str, lines: Iterable[str]) -> None:
        """Keep lines in a new stream of a component's group, and count those that its metric filters match.

        :param component: such as Worker.
        :param stream: the stream's name.
        """
        now, group = datetime.now(UTC), self._prefix + component
        self._logs.create_log_stream(group, stream)
        events = [{"timestamp": int(now.timestamp() * 1000), "message": line} for line in lines if line]
        self._logs.put_log_events(group, stream, events)
        for metric_filter in self._logs.describe_metric_filters(log_group_name=group):
            terms = re.findall(r'\?"([^"]+)"', metric_filter["filterPattern"])
            matches = sum(any(term in str(event["message"]) for term in terms) for event in events)
            for metric in metric_filter["metricTransformations"]:
                if matches:
                    datum = {"MetricName": metric["metricName"], "Value": float(metric["metricValue"]) * matches}
                    self._cloudwatch.put_metric_data(metric["metricNamespace"], [datum])
