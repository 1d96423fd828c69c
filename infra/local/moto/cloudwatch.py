"""CloudWatch and EventBridge: metrics from logs, alarms on these metrics, rules that fire at their rates.

Sources: CloudWatch guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data"; CloudWatch
Logs guide, "Filter pattern syntax for metric filters, …": terms are case-sensitive; a term with characters other than
letters, digits and underscores is in double quotation marks; all terms must occur; of terms with ``?`` one must occur,
and they are ignored next to other terms; ``-`` excludes. Regular expressions are not supported here.
"""

from __future__ import annotations

import json
import re
import statistics
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.backends import get_backend
from moto.cloudwatch.models import CloudWatchBackend, MetricDatum
from moto.core import DEFAULT_ACCOUNT_ID
from moto.logs.models import LogGroup

from infra.local.moto import iam, lambda_runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moto.cloudwatch.models import Alarm
    from moto.events.models import Rule

_TERM = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<phrase>(?:[^"\\]|\\.)+)"|(?P<word>\w+))(?=\s|$)')
# Each followed by "Threshold".
_COMPARISONS: Any = {"GreaterThan": gt, "GreaterThanOrEqualTo": ge, "LessThan": lt, "LessThanOrEqualTo": le}
_STATISTICS: Any = {"Minimum": min, "Maximum": max, "Sum": sum, "SampleCount": len, "Average": statistics.fmean}
# Periods besides EvaluationPeriods whose data is read. The guide does not say how many; its tables show 5 points for 3.
MORE_PERIODS = 2
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")

_put_metric_alarm, _put_log_events = CloudWatchBackend.put_metric_alarm, LogGroup.put_log_events


def install() -> None:
    """Make moto create metrics from log events, and give new alarms CloudWatch's first state."""
    CloudWatchBackend.put_metric_alarm = _put_alarm
    LogGroup.put_log_events = _put_and_count


def _put_alarm(backend: CloudWatchBackend, name: str, *args: Any, **more: Any) -> Any:
    """Create an alarm in the state INSUFFICIENT_DATA, or update it and keep its state. API, PutMetricAlarm."""
    before = backend.alarms.get(name)
    alarm = _put_metric_alarm(backend, name, *args, **more)
    alarm.state_value = before.state_value if before else "INSUFFICIENT_DATA"
    return alarm


def _put_and_count(group: LogGroup, log_stream_name: str, log_events: list[dict[str, Any]]) -> Any:
    token = _put_log_events(group, log_stream_name, log_events)
    messages = [str(event["message"]) for event in log_events]
    logs, metrics = (get_backend(name)[group.account_id][group.region] for name in ("logs", "cloudwatch"))
    for found in logs.describe_metric_filters(log_group_name=group.name):
        matches = sum(map(filter_pattern(found["filterPattern"]), messages))
        for metric in found["metricTransformations"]:
            # The default value is reported when none of the events matches. Guide: "Publishing metrics …".
            default = [] if metric.get("defaultValue") is None else [float(metric["defaultValue"])]
            if values := [float(metric["metricValue"])] * matches or default:
                datum = {"MetricName": metric["metricName"], "Values": values}
                metrics.put_metric_data(metric["metricNamespace"], [datum])
    for message in messages:
        with suppress(ValueError, KeyError, TypeError):  # not in the embedded metric format
            logged = json.loads(message)
            at = datetime.fromtimestamp(logged["_aws"]["Timestamp"] / 1000, UTC)
            for directive in logged["_aws"]["CloudWatchMetrics"]:
                named = [{"Name": name, "Value": logged[name]} for name in directive["Dimensions"][0]]
                for metric in directive["Metrics"]:
                    datum = {"MetricName": metric["Name"], "Unit": metric["Unit"], "Value": logged[metric["Name"]]}
                    metrics.put_metric_data(directive["Namespace"], [{**datum, "Timestamp": at, "Dimensions": named}])
    return token


@cache
def filter_pattern(pattern: str) -> Callable[[str], bool]:
    """Return a function that checks a message against a pattern; raise ValueError if invalid or unsupported here."""
    if left := _TERM.sub("", pattern).strip():
        raise ValueError(f"Invalid filter pattern at {left!r}: quote other characters than letters, digits and _")
    terms = [(t["sign"], t["word"] or re.sub(r"\\(.)", r"\1", t["phrase"])) for t in _TERM.finditer(pattern)]
    required, optional, excluded = ([text for sign, text in terms if sign == each] for each in ("", "?", "-"))

    def matches(message: str) -> bool:
        if optional and not required and not excluded:
            return any(term in message for term in optional)
        return all(term in message for term in required) and not any(term in message for term in excluded)

    return matches


def repeat(work: Callable[[], object], seconds: float) -> Callable[[], None]:
    """Run work every so many seconds in a new thread; return the function that stops it."""

    def run() -> None:
        while not stopped.wait(seconds):
            work()

    def stop() -> None:
        stopped.set()
        thread.join()

    stopped, thread = threading.Event(), threading.Thread(target=run, daemon=True)
    thread.start()
    return stop


class Alarms:
    """The alarms of a Region, evaluated once a minute, as CloudWatch does, and on demand; state changes are printed."""

    def __init__(self, region: str, say: Callable[[str], None]) -> None:
        self._region, self._say, self._lock = region, say, threading.Lock()
        self.stop = repeat(lambda: self.evaluate(datetime.now(UTC)), 60)

    def evaluate(self, now: datetime) -> None:
        """Evaluate every alarm at a timezone-aware time, the end of the latest period, and run actions on a change."""
        backend = get_backend("cloudwatch")[DEFAULT_ACCOUNT_ID][self._region]
        with self._lock:
            for alarm in list(backend.alarms.values()):
                breaches = _COMPARISONS.get(str(alarm.comparison_operator).removesuffix("Threshold"))
                if alarm.metric_name and breaches:
                    self._evaluate(alarm, breaches, _data_points(alarm, backend.metric_data, now))

    def _evaluate(self, alarm: Alarm, breaches: Callable[[float, float], bool], points: Sequence[float | None]) -> None:
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
        facts = {"AlarmName": alarm.name, "AlarmDescription": alarm.description, "OldStateValue": old}
        message = json.dumps({**facts, "NewStateValue": state, "NewStateReason": alarm.state_reason})
        sns = get_backend("sns")[DEFAULT_ACCOUNT_ID][self._region]
        for topic in (actions or []) if alarm.actions_enabled else []:
            if iam.may_publish(topic, "cloudwatch.amazonaws.com", alarm.alarm_arn):
                sns.publish(message, topic, subject=f'{state}: "{alarm.name}" in {self._region}')
            else:
                self._say(f"alarm {alarm.name}: {topic} does not allow CloudWatch to publish")


def state_of(breaching: Sequence[bool | None], periods: int, to_alarm: int, missing: str) -> str | None:
    """Return the state of an alarm with these data points, or None to keep it.

    :param breaching: for each data point, the oldest first, whether it breaches; None if it is missing.
    :param periods: N of "M out of N"; to_alarm is M.
    """
    real = [point for point in breaching if point is not None]
    lacking = periods - len(real)
    if lacking <= 0:  # enough real data, with older points: missing data does not matter
        return "ALARM" if sum(real[-periods:]) >= to_alarm else "OK"
    if sum(real) + (lacking if missing == "breaching" else 0) >= to_alarm:
        return "ALARM"
    if missing in ("breaching", "notBreaching"):
        return "OK"
    if not real:
        return "INSUFFICIENT_DATA" if missing == "missing" else None
    # Guide, "Avoiding premature transitions to alarm state": all known points breach, for long enough.
    if all(real) and len(breaching) - breaching.index(True) >= to_alarm:
        return "ALARM" if missing == "missing" else None
    return "OK"


def _data_points(alarm: Alarm, data: Sequence[Any], now: datetime) -> list[float | None]:
    """Return the statistic of each period of the evaluation range, the oldest first."""
    period = timedelta(seconds=int(alarm.period))
    metric = alarm.namespace, {(d.name, d.value) for d in alarm.dimensions}
    values: dict[int, list[float]] = {}
    for datum in [each for each in list(data) if each.name == alarm.metric_name and isinstance(each, MetricDatum)]:
        if (datum.namespace, {(d.name, d.value) for d in datum.dimensions}) == metric:
            at = datum.timestamp if datum.timestamp.tzinfo else datum.timestamp.replace(tzinfo=UTC)
            values.setdefault((now - at) // period, []).append(datum.value)
    ages = range(int(alarm.evaluation_periods) + MORE_PERIODS - 1, -1, -1)
    return [_STATISTICS[alarm.statistic](values[age]) if age in values else None for age in ages]


class Schedule:
    """The rules of a Region with a rate: each enabled one fires first after one interval, and is printed."""

    def __init__(self, region: str, say: Callable[[str], None]) -> None:
        self._region, self._say = region, say
        self._due: dict[str, float] = {}
        self.stop = repeat(self._fire_due_rules, 1)

    def _fire_due_rules(self) -> None:
        for rule in list(get_backend("events")[DEFAULT_ACCOUNT_ID][self._region].list_rules()[0]):
            if (rate := _RATE.fullmatch(rule.scheduled_expression or "")) and rule.state == "ENABLED":
                seconds = timedelta(**{f"{rate[2]}s": int(rate[1])}).total_seconds()
                if time.monotonic() >= self._due.setdefault(rule.arn, time.monotonic() + seconds):
                    self._due[rule.arn] += seconds
                    self.fire(rule)

    def fire(self, rule: Rule) -> None:
        """Invoke the functions of a rule that allow it (see may_invoke); print the others."""
        kind = {"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
        where = {"account": DEFAULT_ACCOUNT_ID, "region": self._region, "resources": [rule.arn]}
        event = {"id": str(uuid.uuid4()), "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **kind, **where}
        for target in rule.targets:
            try:
                function = get_backend("lambda")[DEFAULT_ACCOUNT_ID][self._region].get_function(target["Arn"])
            except UnknownFunctionException:
                self._say(f"{rule.name}: failed invocation, there is no {target['Arn']}")
                continue
            if iam.may_invoke(function, "events.amazonaws.com", rule.arn):
                lambda_runtime.invoke_async(function, event, lambda outcome: self._say(f"{rule.name} {outcome}"))
            else:
                self._say(f"{rule.name}: failed invocation, no AWS::Lambda::Permission of {target['Arn']} allows it")
