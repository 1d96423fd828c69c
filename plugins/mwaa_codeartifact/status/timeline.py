"""Which line stood when: each published line from its refresh to its end, the gaps between, and what nobody knows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from mwaa_codeartifact.core.index_url import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mwaa_codeartifact.status.history import Version

# So far back the timeline reaches.
TIMELINE = timedelta(days=2)

Kind = Literal["line", "gap", "no record"]


@dataclass(frozen=True, kw_only=True)
class Span:
    """Describe what stood at the destination for a while.

    :param kind: ``line`` (pip could use it), ``gap`` (it could not) or ``no record`` (no version of then is kept).
    :param begins_at: UTC.
    :param ends_at: UTC; of the line that stands now, when its token dies.
    :param reason: why it is what it is, in a few words.
    :param refreshed_by: the line's refresher (default: none).
    :param token_fingerprint: of the line's token (default: none).
    """

    kind: Kind
    begins_at: datetime
    ends_at: datetime
    reason: str
    refreshed_by: str | None = None
    token_fingerprint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Render as JSON types."""
        return asdict(self) | {"begins_at": format_time(self.begins_at), "ends_at": format_time(self.ends_at)}


def timeline(versions: list[Version], *, repository: str, now: datetime) -> tuple[Span, ...]:
    """Draw the past up from the versions that are kept of it.

    :param versions: what was published or deleted, the oldest first.
    :param repository: whose lines count: ``Target.repository_id``.
    :param now: UTC.
    """
    begins_at = now - TIMELINE
    starts = _starts(versions)
    unknown = Span(
        kind="no record", begins_at=begins_at, ends_at=min([*starts, now]), reason="no version from then is kept"
    )
    spans = [unknown]
    for version, start, end in zip(versions, starts, [*starts, now][1:], strict=True):
        spans.extend(_spans(version, start, end, repository, is_last=version is versions[-1]))
    clipped = (replace(span, begins_at=max(span.begins_at, begins_at)) for span in spans)
    return tuple(span for span in clipped if span.begins_at < span.ends_at)


def _starts(versions: list[Version]) -> list[datetime]:
    """Tell since when each stood: since its refresh, or, for one that somebody put back later, since it was stored."""
    starts: list[datetime] = []
    for version in versions:
        start = version.facts.refreshed_at if version.facts else version.stored_at
        starts.append(version.stored_at if starts and start < starts[-1] else start)
    return starts


def _spans(version: Version, start: datetime, end: datetime, repository: str, *, is_last: bool) -> Iterator[Span]:
    facts = version.facts
    if facts and facts.repository == repository:
        dies_at = facts.token_expires_at
        yield Span(
            kind="line",
            begins_at=start,
            ends_at=dies_at if is_last else min(dies_at, end),
            reason="stands now" if is_last and dies_at > end else "expired" if dies_at <= end else "replaced",
            refreshed_by=facts.refreshed_by,
            token_fingerprint=facts.token_fingerprint,
        )
        yield Span(kind="gap", begins_at=max(start, dies_at), ends_at=end, reason="its token had expired")
    elif facts:
        yield Span(kind="gap", begins_at=start, ends_at=end, reason="it served another repository")
    else:
        reason = "the file was deleted" if version.is_deletion else "the file was not written by a refresher"
        yield Span(kind="gap", begins_at=start, ends_at=end, reason=reason)
