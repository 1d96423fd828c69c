"""The alarms of the refresher and mwaa templates in the stand-in's CloudWatch, in virtual time."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs.models import LogGroup, logs_backends
from moto.sns.models import sns_backends

from infra.local.moto import cloudwatch
from infra.refresher.metrics import NAMESPACE
from tests.infra.cloudformation.support import Stack

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

REGION = "eu-west-1"
ENVIRONMENT = "test"
REFRESHER, MWAA = (Stack(name, REGION, EnvironmentName=ENVIRONMENT) for name in ("refresher", "mwaa"))
FUNCTION: dict[str, Any] = REFRESHER.resources["Refresher"]["Properties"]
# How the page names a state that an alarm reports.
LABELS = {
    ("FallbackUsed", "ALARM"): "fallback",
    ("RefresherFailing", "ALARM"): "refresher errors",
    ("RemainingLifetimeLow", "ALARM"): "remaining lifetime < 6 h",
    ("RemainingLifetimeLow", "INSUFFICIENT_DATA"): "remaining lifetime unknown",
    ("RequirementsInstallFailed", "ALARM"): "requirements install",
}


class AlarmClock:
    """Alarms that are evaluated when a test asks for it, and the messages that they send to their topic.

    :param patch: undoes what the stand-in replaces in moto.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        for replaced, name in ((CloudWatchBackend, "put_metric_alarm"), (LogGroup, "put_log_events")):
            patch.setattr(replaced, name, getattr(replaced, name))
        cloudwatch.install()
        self._metrics: Any = cloudwatch_backends[DEFAULT_ACCOUNT_ID][REGION]
        self._logs: Any = logs_backends[DEFAULT_ACCOUNT_ID][REGION]
        self._topic: Any = sns_backends[DEFAULT_ACCOUNT_ID][REGION].create_topic(f"alarms-{uuid.uuid4().hex}")
        self._group = f"refresher-{uuid.uuid4().hex}"
        self._logs.create_log_group(self._group, {})
        self._logs.create_log_stream(self._group, "stream")
        self._names = {}
        for stack in (REFRESHER, MWAA):
            for logical_id, properties in stack.of("AWS::CloudWatch::Alarm").items():
                self._names[properties["AlarmName"]] = logical_id
                self._metrics.put_metric_alarm(**self._arguments(properties))
        self._evaluation = cloudwatch.Alarms(REGION, lambda _: None)
        self._evaluation.stop()  # it goes by the real time

    def _arguments(self, properties: dict[str, Any]) -> dict[str, Any]:
        """Return a template's properties as moto's arguments, with this topic and the function's name."""
        given = {xform_name(name): value for name, value in properties.items()}
        given |= {name: [self._topic.arn] for name in given if name.endswith("_actions")}
        known = {"Ref": "Refresher"}
        dimensions = [
            {**each, "Value": FUNCTION["FunctionName"] if each["Value"] == known else each["Value"]}
            for each in given.get("dimensions", [])
        ]
        name, description = given.pop("alarm_name"), given.pop("alarm_description")
        return {**given, "name": name, "description": description, "dimensions": dimensions}

    def log(self, lines: Iterable[str]) -> None:
        """Write lines into the function's log group, which makes metrics of those in the embedded metric format."""
        events = [{"timestamp": int(datetime.now(UTC).timestamp() * 1000), "message": line} for line in lines]
        self._logs.put_log_events(self._group, "stream", events)

    def count_error(self, at: datetime) -> None:
        """Count a failed invocation, as Lambda does."""
        self._put("AWS/Lambda", "Errors", 1, at, {"Name": "FunctionName", "Value": FUNCTION["FunctionName"]})

    def report(self, metric: str, value: float, at: datetime) -> None:
        """Put a value of one of the refresher's own metrics."""
        self._put(NAMESPACE, metric, value, at, {"Name": "EnvironmentName", "Value": ENVIRONMENT})

    def _put(self, namespace: str, metric: str, value: float, at: datetime, dimension: dict[str, str]) -> None:
        datum = {"MetricName": metric, "Value": value, "Timestamp": at, "Dimensions": [dimension]}
        self._metrics.put_metric_data(namespace, [datum])

    def messages(self, now: datetime) -> list[tuple[str, str]]:
        """Evaluate all alarms; return the logical id and the state of those that send a message to their topic now."""
        before = len(self._topic.sent_notifications)
        self._evaluation.evaluate(now)
        messages = [json.loads(message) for _, message, *_ in self._topic.sent_notifications[before:]]
        return [(self._names[message["AlarmName"]], message["NewStateValue"]) for message in messages]

    def ring(self, now: datetime) -> list[str]:
        """Evaluate all alarms; return the labels of those that report trouble to their topic now."""
        return sorted(LABELS[message] for message in self.messages(now) if message[1] != "OK")

    def close(self) -> None:
        self._metrics.delete_alarms(list(self._names))
        self._metrics.metric_data.clear()


def schedule() -> timedelta:
    """Return how often the template's schedule invokes the function."""
    (minutes,) = re.findall(
        r"^rate\((\d+) minutes\)$", REFRESHER.resources["Schedule"]["Properties"]["ScheduleExpression"]
    )
    return timedelta(minutes=int(minutes))


def tries() -> int:
    """Return how often Lambda tries a scheduled invocation that fails."""
    return 1 + int(REFRESHER.resources["RefresherRetries"]["Properties"]["MaximumRetryAttempts"])
