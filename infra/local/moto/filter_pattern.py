"""Filter patterns of CloudWatch Logs for unstructured events, and the metric filters that are made of them.

Source: CloudWatch Logs user guide, "Filter pattern syntax for metric filters, …": terms are case-sensitive; a term with
other characters than letters, digits and underscores stands in double quotation marks; all terms must occur; of terms
with ``?`` any one, and these do not count beside terms without; ``-`` excludes; ``%…%`` is a regular expression.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs import models

if TYPE_CHECKING:
    from collections.abc import Callable

_TERM = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<phrase>(?:[^"\\]|\\.)+)"|%(?P<regex>[^%\s]+)%|(?P<word>\w+))(?=\s|$)')
# The operators that a regular expression may use; parentheses are not among them. Source: the same page.
_REGEX = re.compile(r"[A-Za-z0-9_#=@/;,:\-^$?\[\]{}|\\*+.\s]+")

_put_log_events = models.LogGroup.put_log_events


def install() -> None:
    """Let metric filters count the events of every group, and let FilterLogEvents read the same patterns."""
    models.LogGroup.put_log_events = _put_and_count
    models.EventMessageFilter = FilterPattern


class FilterPattern:
    """Find the log events that a pattern describes.

    :param pattern: empty matches everything.
    :raises ValueError: if CloudWatch Logs would refuse the pattern, or this stand-in cannot read it.
    """

    def __init__(self, pattern: str | None) -> None:
        self._required: list[Callable[[str], object]] = []
        self._optional: list[Callable[[str], object]] = []
        self._excluded: list[Callable[[str], object]] = []
        kinds = {"": self._required, "?": self._optional, "-": self._excluded}
        at, pattern = 0, (pattern or "").strip()
        while at < len(pattern):
            term = _TERM.match(pattern, at)
            if not term:
                raise ValueError(f"Invalid filter pattern at {pattern[at:]!r}: quote what is no letter, digit or _")
            kinds[term["sign"]].append(_occurs(term))
            at = term.end()

    def matches(self, message: str) -> bool:
        """Return whether an event's message fits."""
        if any(occurs(message) for occurs in self._excluded):
            return False
        if self._optional and not self._required and not self._excluded:
            return any(occurs(message) for occurs in self._optional)
        return all(occurs(message) for occurs in self._required)


def _occurs(term: re.Match[str]) -> Callable[[str], object]:
    if term["regex"]:
        if not _REGEX.fullmatch(term["regex"]):
            raise ValueError(
                f"Invalid regular expression %{term['regex']}%: it holds a character that is not supported"
            )
        return re.compile(term["regex"]).search
    text = re.sub(r"\\(.)", r"\1", term["phrase"]) if term["phrase"] else term["word"]
    return lambda message: text in message


_pattern = lru_cache(maxsize=None)(FilterPattern)


def _put_and_count(group: models.LogGroup, log_stream_name: str, log_events: list[dict[str, Any]]) -> str:
    token: str = _put_log_events(group, log_stream_name, log_events)
    logs = models.logs_backends[group.account_id][group.region]
    for metric_filter in logs.describe_metric_filters(log_group_name=group.name):
        pattern = _pattern(metric_filter["filterPattern"])
        matches = sum(pattern.matches(str(event["message"])) for event in log_events)
        for metric in metric_filter["metricTransformations"]:
            # A default value is reported when events arrive of which none fits. Guide: "Publishing metrics …".
            values = [float(metric["metricValue"])] * matches
            if not matches and metric.get("defaultValue") is not None:
                values = [float(metric["defaultValue"])]
            if values:
                datum = {"MetricName": metric["metricName"], "Values": values}
                cloudwatch_backends[group.account_id][group.region].put_metric_data(metric["metricNamespace"], [datum])
    return token
