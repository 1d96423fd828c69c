"""The timeline: each published line from its refresh to its end, the gaps between, and times without a record."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from mwaa_codeartifact.core.index_url import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mwaa_codeartifact.core.target import Repository
    from mwaa_codeartifact.status.history import Version

# The length of the timeline.
TIMELINE = timedelta(days=2)

Kind = Literal["line", "gap", "no record"]


@dataclass(frozen=True, kw_only=True)
class Span:
    """A time during which the destination did not change.

    :param kind: ``line`` (pip could use it), ``gap`` (it could not) or ``no record`` (no version from then is kept).
    :param begins_at: UTC.
    :param ends_at: UTC; for the current line, when its token expires.
    :param reason: why it ended or why it is a gap, in a few words.
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
        """Return the span as JSON types."""
        return asdict(self) | {"begins_at": format_time(self.begins_at), "ends_at": format_time(self.ends_at)}


def timeline(versions: list[Version], *, repository: Repository, now: datetime) -> tuple[Span, ...]:
    """Return the timeline of the kept versions.

    :param versions: all versions and deletions, the oldest first.
    :param repository: the target's repository; a line of another one is a gap.
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
    """Return when each version became current: when refreshed, or, if an old version was restored, when stored."""
    starts: list[datetime] = []
    for version in versions:
        start = version.facts.refreshed_at if version.facts else version.stored_at
        starts.append(version.stored_at if starts and start < starts[-1] else start)
    return starts


def _spans(
    version: Version, start: datetime, end: datetime, repository: Repository, *, is_last: bool
) -> Iterator[Span]:
    facts = version.facts
    if facts and facts.serves(repository.id):
        expires_at = facts.token_expires_at
        yield Span(
            kind="line",
            begins_at=start,
            ends_at=expires_at if is_last else min(expires_at, end),
            reason="current" if is_last and expires_at > end else "expired" if expires_at <= end else "replaced",
            refreshed_by=facts.refreshed_by,
            token_fingerprint=facts.token_fingerprint,
        )
        yield Span(kind="gap", begins_at=max(start, expires_at), ends_at=end, reason="its token had expired")
    elif facts:
        yield Span(kind="gap", begins_at=start, ends_at=end, reason="it served another repository")
    else:
        reason = "the file was deleted" if version.is_deletion else "the file was not written by a refresher"
        yield Span(kind="gap", begins_at=start, ends_at=end, reason=reason)
