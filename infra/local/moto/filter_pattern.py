"""Filter patterns of CloudWatch Logs for unstructured events, and the metric filters that are made of them.

Source: CloudWatch Logs user guide, "Filter pattern syntax for metric filters, …": terms are case-sensitive; a term with
other characters than letters, digits and underscores stands in double quotation marks; all terms must occur; of terms
with ``?`` any one, and these do not count beside terms without; ``-`` excludes. Regular expressions are not read here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs import models

_TERM = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<phrase>(?:[^"\\]|\\.)+)"|(?P<word>\w+))(?=\s|$)')

_put_log_events = models.LogGroup.put_log_events


def install() -> None:
    """Let metric filters count the events of every group."""
    models.LogGroup.put_log_events = _put_and_count


class FilterPattern:
    """Find the log events that a pattern describes.

    :param pattern: empty matches everything.
    :raises ValueError: if CloudWatch Logs would refuse the pattern, or this stand-in cannot read it.
    """

    def __init__(self, pattern: str) -> None:
        if left := _TERM.sub("", pattern).strip():
            raise ValueError(f"Invalid filter pattern at {left!r}: quote what is no letter, digit or _")
        terms = [(t["sign"], t["word"] or re.sub(r"\\(.)", r"\1", t["phrase"])) for t in _TERM.finditer(pattern)]
        self._required, self._optional, self._excluded = ([t for sign, t in terms if sign == s] for s in ("", "?", "-"))

    def matches(self, message: str) -> bool:
        """Return whether an event's message fits."""
        if self._optional and not self._required and not self._excluded:
            return any(term in message for term in self._optional)
        excluded = any(term in message for term in self._excluded)
        return not excluded and all(term in message for term in self._required)


_pattern = lru_cache(maxsize=None)(FilterPattern)


def _put_and_count(group: models.LogGroup, log_stream_name: str, log_events: list[dict[str, Any]]) -> str:
    token: str = _put_log_events(group, log_stream_name, log_events)
    logs = models.logs_backends[group.account_id][group.region]
    for metric_filter in logs.describe_metric_filters(log_group_name=group.name):
        pattern = _pattern(metric_filter["filterPattern"])
        matches = sum(pattern.matches(str(event["message"])) for event in log_events)
        for metric in metric_filter["metricTransformations"]:
            # A default value is reported when events arrive of which none fits. Guide: "Publishing metrics …".
            default = [] if metric.get("defaultValue") is None else [float(metric["defaultValue"])]
            if values := [float(metric["metricValue"])] * matches or default:
                datum = {"MetricName": metric["metricName"], "Values": values}
                cloudwatch_backends[group.account_id][group.region].put_metric_data(metric["metricNamespace"], [datum])
    return token
