"""CloudWatch alarms that are evaluated on the metrics that arrive, and speak to their topics where these let them.

Source: CloudWatch guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data".
"""

from __future__ import annotations

import json
import operator
import statistics
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import CloudWatchBackend, MetricDatum, cloudwatch_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from infra.local.moto import iam
from infra.local.moto.schedule import repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moto.cloudwatch.models import Alarm

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Minimum": min,
    "Maximum": max,
    "Sum": sum,
    "SampleCount": len,
    "Average": statistics.fmean,
}
# The evaluation range is longer than the evaluation periods: the guide's tables show five data points for three.
_MORE_PERIODS = 2
_EVALUATION_SECONDS = 60.0

_put_metric_alarm = CloudWatchBackend.put_metric_alarm


def install() -> None:
    """Let a new alarm begin without data, and a changed one keep its state. API, PutMetricAlarm."""
    CloudWatchBackend.put_metric_alarm = _put


def _put(backend: CloudWatchBackend, name: str, *args: Any, **more: Any) -> Alarm:
    before = backend.alarms.get(name)
    alarm = _put_metric_alarm(backend, name, *args, **more)
    alarm.state_value = before.state_value if before else "INSUFFICIENT_DATA"
    return alarm


class Alarms:
    """Evaluate a region's alarms once a minute, as CloudWatch does, and whenever it is asked for; say what changes."""

    def __init__(self, region: str, say: Callable[[str], None]) -> None:
        self._region, self._say, self._lock = region, say, threading.Lock()
        self.stop = repeat(lambda: self.evaluate(datetime.now(UTC)), _EVALUATION_SECONDS)

    def evaluate(self, now: datetime) -> None:
        """Judge every alarm, and let those whose state changes act.

        :param now: end of the youngest period, timezone-aware.
        """
        backend = cloudwatch_backends[DEFAULT_ACCOUNT_ID][self._region]
        with self._lock:
            for alarm in list(backend.alarms.values()):
                if alarm.metric_name and alarm.comparison_operator in _COMPARISONS:
                    self._judge(alarm, _data_points(alarm, backend.metric_data, now))

    def _judge(self, alarm: Alarm, points: Sequence[float | None]) -> None:
        breaches = _COMPARISONS[alarm.comparison_operator]
        breaching = [None if point is None else breaches(point, float(alarm.threshold)) for point in points]
        required, old = int(alarm.evaluation_periods), alarm.state_value
        to_alarm = int(alarm.datapoints_to_alarm or required)
        state = state_of(breaching, required, to_alarm, alarm.treat_missing_data or "missing")
        if state in (None, old):
            return
        known = [point for point in points if point is not None]
        alarm.update_state(f"Threshold Crossed: datapoints {known}, threshold {alarm.threshold}", "{}", state)
        self._say(f"alarm {alarm.name}: {old} -> {state}")
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(state, alarm.insufficient_data_actions)
        for topic in (actions or []) if alarm.actions_enabled else []:
            self._publish(topic, alarm, old)

    def _publish(self, topic: str, alarm: Alarm, old: str) -> None:
        """Tell a topic, if its policy lets CloudWatch. SNS guide, "Example cases for Amazon SNS access control"."""
        if not iam.may_publish(topic, "cloudwatch.amazonaws.com", alarm.alarm_arn):
            self._say(f"alarm {alarm.name}: {topic} does not let CloudWatch publish")
            return
        message = {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "NewStateValue": alarm.state_value,
            "NewStateReason": alarm.state_reason,
            "OldStateValue": old,
        }
        subject = f'{alarm.state_value}: "{alarm.name}" in {self._region}'
        sns_backends[DEFAULT_ACCOUNT_ID][self._region].publish(json.dumps(message), topic, subject=subject)


def state_of(breaching: Sequence[bool | None], periods: int, to_alarm: int, missing: str) -> str | None:
    """Return the state that data points give an alarm; None to keep the one it has.

    :param breaching: of the evaluation range, the oldest first; None where there is no data.
    :param periods: N of "M out of N", of which to_alarm is M.
    :param missing: TreatMissingData.
    """
    real = [point for point in breaching if point is not None]
    lacking = periods - len(real)
    if lacking <= 0:  # enough real data, from farther back too: how missing data is treated does not matter
        return "ALARM" if sum(real[-periods:]) >= to_alarm else "OK"
    if sum(real) + (lacking if missing == "breaching" else 0) >= to_alarm:
        return "ALARM"
    if missing in ("breaching", "notBreaching"):
        return "OK"
    if not real:
        return "INSUFFICIENT_DATA" if missing == "missing" else None
    # Guide, "Avoiding premature transitions to alarm state": all there is breaches, and has done so for long enough.
    if all(real) and len(breaching) - breaching.index(True) >= to_alarm:
        return "ALARM" if missing == "missing" else None
    return "OK"


def _data_points(alarm: Alarm, data: Sequence[Any], now: datetime) -> list[float | None]:
    """Return the statistic of each period of the evaluation range, the oldest first."""
    period = timedelta(seconds=int(alarm.period))
    dimensions = {(d.name, d.value) for d in alarm.dimensions}
    values: dict[int, list[float]] = {}
    for datum in [datum for datum in list(data) if isinstance(datum, MetricDatum)]:
        # Other dimensions are another metric.
        same = (datum.namespace, datum.name) == (alarm.namespace, alarm.metric_name)
        if same and {(d.name, d.value) for d in datum.dimensions} == dimensions:
            at = datum.timestamp if datum.timestamp.tzinfo else datum.timestamp.replace(tzinfo=UTC)
            values.setdefault((now - at) // period, []).append(datum.value)
    statistic = _STATISTICS[alarm.statistic]
    ages = range(int(alarm.evaluation_periods) + _MORE_PERIODS - 1, -1, -1)
    return [statistic(values[age]) if age in values else None for age in ages]
