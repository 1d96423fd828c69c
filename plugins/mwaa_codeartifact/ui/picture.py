"""The timeline as a picture: spans to rectangles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.target import TOKEN_LIFETIME
from mwaa_codeartifact.status.timeline import TIMELINE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mwaa_codeartifact.status.timeline import Span

# The picture reaches from the timeline's begin to where a token minted now would die.
WIDTH = 1000
NOW = WIDTH * (TIMELINE / (TIMELINE + TOKEN_LIFETIME))


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Place one span in the picture.

    :param span: what is drawn.
    :param look: its class in the style sheet: the refresher, ``gap`` or ``no-record``.
    :param x: where it begins, of WIDTH.
    :param width: how long it is, of WIDTH.
    :param is_future: whether it is what a line has left (default: False).
    """

    span: Span
    look: str
    x: float
    width: float
    is_future: bool = False


def bars(spans: Iterable[Span], now: datetime) -> list[Bar]:
    """Give the rectangles of a timeline; a line that lives on is one until now, and one for what it has left.

    :param spans: the timeline.
    :param now: UTC.
    """
    found = []
    for span in spans:
        begin, end = _x(span.begins_at, now), _x(span.ends_at, now)
        parts = ((begin, min(end, NOW), False), (max(begin, NOW), end, True))
        found += [
            Bar(span=span, look=look(span), x=x, width=round(to - x, 1), is_future=is_future)
            for x, to, is_future in parts
            if x < to
        ]
    return found


def look(span: Span) -> str:
    """Name the look of a span."""
    known = {"dag", "lambda", "startup"}
    if span.kind == "line":
        return span.refreshed_by if span.refreshed_by in known else "other"
    return span.kind.replace(" ", "-")


def _x(moment: datetime, now: datetime) -> float:
    return round(NOW + min(max(moment - now, -TIMELINE), TOKEN_LIFETIME) / timedelta(hours=1) * _HOUR, 1)


_HOUR = WIDTH / ((TIMELINE + TOKEN_LIFETIME) / timedelta(hours=1))
