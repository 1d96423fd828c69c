"""The examples of the CloudWatch Logs user guide, "Filter pattern syntax", and some more."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs import models

from infra.local.moto import cloudwatch
from infra.local.moto.cloudwatch import filter_pattern

BAD_REQUEST, UNAUTHORIZED = "[ERROR 400] BAD REQUEST", "[ERROR 401] UNAUTHORIZED REQUEST"
MISSING, INVALID = "[ERROR 419] MISSING ARGUMENTS", "[ERROR 420] INVALID ARGUMENTS"
INTERNAL, AUTHORIZED = "[ERROR 500] INTERNAL SERVER ERROR", "[SUCCESS 200] AUTHORIZED REQUEST"
EVENTS = [BAD_REQUEST, UNAUTHORIZED, MISSING, INVALID, INTERNAL, AUTHORIZED]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("ERROR", [BAD_REQUEST, UNAUTHORIZED, MISSING, INVALID, INTERNAL]),
        ("ERROR ARGUMENTS", [MISSING, INVALID]),
        ("?ERROR ?ARGUMENTS", [BAD_REQUEST, UNAUTHORIZED, MISSING, INVALID, INTERNAL]),
        ("?BAD ?INVALID", [BAD_REQUEST, INVALID]),
        ('"INTERNAL SERVER ERROR"', [INTERNAL]),
        ("ERROR -ARGUMENTS", [BAD_REQUEST, UNAUTHORIZED, INTERNAL]),
        ("error", []),
        ("", EVENTS),
        ("?AUTHORIZED ERROR", [BAD_REQUEST, UNAUTHORIZED, MISSING, INVALID, INTERNAL]),
        ('?"ERROR 4" ?"SUCCESS 2" -MISSING', [BAD_REQUEST, UNAUTHORIZED, INVALID, INTERNAL, AUTHORIZED]),
    ],
)
def test_a_pattern_matches_as_in_the_guides_examples(pattern: str, found: list[str]) -> None:
    assert [event for event in EVENTS if filter_pattern(pattern)(event)] == found


@pytest.mark.parametrize("pattern", ["ERROR:", '"open', "%a%", '{ $.level = "ERROR" }', "[ip, user]", "a.b"])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="Invalid"):
        filter_pattern(pattern)


def test_events_of_any_group_are_counted_by_its_metric_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    for replaced, method in ((CloudWatchBackend, "put_metric_alarm"), (models.LogGroup, "put_log_events")):
        monkeypatch.setattr(replaced, method, getattr(replaced, method))  # restored afterwards
    cloudwatch.install()
    name = f"group-{uuid.uuid4().hex[:8]}"
    logs: Any = models.logs_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]
    logs.create_log_group(name, {})
    logs.create_log_stream(name, "stream")
    metric = {"metricName": name, "metricNamespace": "Test", "metricValue": "2"}
    logs.put_metric_filter(name, '?"401 Error" ?Broken -harmless', name, [metric])
    logs.put_metric_filter(f"{name}-2", '?"401 Error" ?Broken', name, [metric])
    now = int(time.time() * 1000)
    messages = ["Broken", "a 401 Error", "Broken but harmless", "fine"]
    logs.put_log_events(name, "stream", [{"timestamp": now, "message": message} for message in messages])
    metric_data: list[Any] = cloudwatch_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].metric_data
    data = [datum for datum in metric_data if datum.name == name]
    # Next to an excluded term the optional terms are ignored: three of the four events are not harmless.
    assert sum(datum.value for datum in data) == 2 * 3 + 2 * 3
