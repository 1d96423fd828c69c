"""Alarms: the tables of the CloudWatch guide on missing data, and the actions on a state change."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs.models import LogGroup
from moto.sns.models import sns_backends

from infra.local.moto import cloudwatch, iam
from infra.local.moto.cloudwatch import Alarms, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "eu-west-1"
CLOUDWATCH: Any = cloudwatch_backends[DEFAULT_ACCOUNT_ID][REGION]
SNS: Any = sns_backends[DEFAULT_ACCOUNT_ID][REGION]
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def points(drawn: str) -> list[bool | None]:
    """Parse the guide's notation of data points: 0 is within the threshold, X breaches it, - is missing."""
    return [{"0": False, "X": True, "-": None}[point] for point in drawn]


# Guide, "How alarm state is evaluated when data is missing": both tables, with an evaluation range of five.
@pytest.mark.parametrize(
    ("to_alarm", "drawn", "states"),
    [
        (3, "0-X-X", ("OK", "OK", "OK", "OK")),
        (3, "----0", ("OK", "OK", "OK", "OK")),
        (3, "-----", ("INSUFFICIENT_DATA", None, "ALARM", "OK")),
        (3, "0XX-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (3, "--X--", ("ALARM", None, "ALARM", "OK")),
        (2, "0-X-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "00X0X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0-X--", ("OK", "OK", "ALARM", "OK")),
        (2, "----0", ("OK", "OK", "ALARM", "OK")),
        (2, "---X-", ("ALARM", None, "ALARM", "OK")),
    ],
)
def test_missing_data_counts_as_in_the_guides_tables(to_alarm: int, drawn: str, states: tuple[str | None, ...]) -> None:
    assert tuple(state_of(points(drawn), 3, to_alarm, treatment) for treatment in TREATMENTS) == states


@pytest.fixture
def name() -> str:
    return f"alarm-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def evaluating(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Iterator[Alarms]:
    for replaced, name in ((CloudWatchBackend, "put_metric_alarm"), (LogGroup, "put_log_events")):
        monkeypatch.setattr(replaced, name, getattr(replaced, name))  # restored afterwards
    cloudwatch.install()
    evaluating = Alarms(REGION, said.append)
    yield evaluating
    evaluating.stop()


@pytest.fixture
def alarm(name: str, evaluating: Alarms) -> Iterator[Callable[..., Any]]:
    """Create alarms that publish to a topic of their own."""
    del evaluating
    topic = SNS.create_topic(name).arn

    def put(**properties: Any) -> Any:
        defaults = {
            "namespace": "Test",
            "metric_name": name,
            "comparison_operator": "LessThanThreshold",
            "evaluation_periods": 1,
            "period": 3600,
            "threshold": 6.0,
            "statistic": "Minimum",
            "description": "",
            "dimensions": [{"Name": "EnvironmentName", "Value": name}],
            "alarm_actions": [topic],
            "ok_actions": [topic],
        }
        return CLOUDWATCH.put_metric_alarm(name, **(defaults | properties))

    yield put
    CLOUDWATCH.delete_alarms([name])


NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def report(name: str, value: float, at: datetime, dimension: str = "") -> None:
    dimensions = [{"Name": "EnvironmentName", "Value": dimension or name}]
    datum = {"MetricName": name, "Value": value, "Timestamp": at, "Dimensions": dimensions}
    CLOUDWATCH.put_metric_data("Test", [datum])


def messages(name: str) -> list[tuple[str, str]]:
    topic = next(topic for topic in SNS.topics.values() if topic.name == name)
    read = [json.loads(message) for _, message, *_ in topic.sent_notifications]
    return [(message["OldStateValue"], message["NewStateValue"]) for message in read]


def test_a_new_alarm_has_no_data_and_a_changed_one_keeps_its_state(alarm: Callable[..., Any], name: str) -> None:
    assert alarm().state_value == "INSUFFICIENT_DATA"
    CLOUDWATCH.set_alarm_state(name, "by hand", None, "ALARM")
    assert alarm(threshold=7.0).state_value == "ALARM"


def test_an_alarm_publishes_once_when_it_begins_and_once_when_it_ends(
    alarm: Callable[..., Any], name: str, evaluating: Alarms
) -> None:
    put = alarm()
    report(name, 5, NOW - timedelta(minutes=30))
    for minute in range(3):
        evaluating.evaluate(NOW + timedelta(minutes=minute))
    assert put.state_value == "ALARM"
    report(name, 11, NOW + timedelta(minutes=40))
    evaluating.evaluate(NOW + timedelta(minutes=45))
    assert put.state_value == "OK"
    assert messages(name) == [("INSUFFICIENT_DATA", "ALARM"), ("ALARM", "OK")]
    assert [entry[0] for entry in put.history] == ["StateUpdate", "StateUpdate"]


def test_values_of_other_dimensions_are_another_metric(
    alarm: Callable[..., Any], name: str, evaluating: Alarms
) -> None:
    put = alarm()
    report(name, 1, NOW - timedelta(minutes=5), dimension="another")
    evaluating.evaluate(NOW)
    assert put.state_value == "INSUFFICIENT_DATA"


def test_missing_data_can_be_a_breach(alarm: Callable[..., Any], name: str, evaluating: Alarms) -> None:
    put = alarm(treat_missing_data="breaching")
    report(name, 11, NOW - timedelta(hours=10))
    evaluating.evaluate(NOW)
    assert put.state_value == "ALARM"


def test_a_topic_that_does_not_allow_cloudwatch_to_publish_gets_no_message(
    alarm: Callable[..., Any], name: str, evaluating: Alarms, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = alarm()
    asked: list[tuple[str, ...]] = []

    def may_publish(*question: str) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(iam, "may_publish", may_publish, raising=False)
    report(name, 5, NOW - timedelta(minutes=1))
    evaluating.evaluate(NOW)
    assert put.state_value == "ALARM"
    assert messages(name) == []
    assert asked == [(put.alarm_actions[0], "cloudwatch.amazonaws.com", put.alarm_arn)]
    assert "does not allow CloudWatch to publish" in said[-1]
