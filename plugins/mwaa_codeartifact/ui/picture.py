"""The timeline as a picture: spans to rectangles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.policy import TOKEN_LIFETIME
from mwaa_codeartifact.status.timeline import TIMELINE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mwaa_codeartifact.status.timeline import Span

# The picture begins with the timeline and ends when a token minted now would expire.
WIDTH = 1000
NOW = WIDTH * (TIMELINE / (TIMELINE + TOKEN_LIFETIME))


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rectangle of the picture.

    :param span: the span that it shows.
    :param look: its class in the style sheet: the refresher, ``gap`` or ``no-record``.
    :param x: left edge, 0 to WIDTH.
    :param width: width, in the same unit.
    :param is_future: whether it shows the remaining lifetime of a line (default: False).
    """

    span: Span
    look: str
    x: float
    width: float
    is_future: bool = False


def bars(spans: Iterable[Span], now: datetime) -> list[Bar]:
    """Return the rectangles of a timeline; the current line has one until now, and one for its remaining lifetime.

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
    """Return the class of a span in the style sheet."""
    known = {"dag", "lambda", "startup"}
    if span.kind == "line":
        return span.refreshed_by if span.refreshed_by in known else "other"
    return span.kind.replace(" ", "-")


def _x(moment: datetime, now: datetime) -> float:
    return round(NOW + min(max(moment - now, -TIMELINE), TOKEN_LIFETIME) / timedelta(hours=1) * _HOUR, 1)


_HOUR = WIDTH / ((TIMELINE + TOKEN_LIFETIME) / timedelta(hours=1))
