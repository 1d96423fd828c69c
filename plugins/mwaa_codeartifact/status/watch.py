"""Ask a destination how its index-url is: two or three calls, however many people look."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mwaa_codeartifact.core.connections import open_destination
from mwaa_codeartifact.core.errors import CodeArtifactError
from mwaa_codeartifact.status.history import S3History, Version
from mwaa_codeartifact.status.timeline import TIMELINE, timeline
from mwaa_codeartifact.status.verdict import Judgement, Status, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from mwaa_codeartifact.core.destinations import Standing
    from mwaa_codeartifact.core.index_url import LineFacts
    from mwaa_codeartifact.core.target import Target
    from mwaa_codeartifact.status.dag_state import DagState
    from mwaa_codeartifact.status.timeline import Span


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the destination answered."""

    at: datetime
    standing: Standing | None = None
    problem: str = ""
    timeline: tuple[Span, ...] = ()
    timeline_problem: str = ""


class Watch:
    """Look at a target's destination at most once in so many seconds and by one thread at a time.

    :param target: whose.
    :param s3: client in the bucket's region; unused for file:// destinations.
    :param now: the clock, UTC.
    :param seconds: for so long an answer holds (default: 5).
    :param monotonic: the clock that tells how old an answer is, in seconds.
    """

    def __init__(
        self,
        target: Target,
        s3: S3Client,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: float = 5,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target, self._now, self._seconds, self._monotonic = target, now, seconds, monotonic
        self._destination = open_destination(target.destination, s3)
        place = urlsplit(target.destination)
        self._history = S3History(s3, place.netloc, place.path.lstrip("/")) if place.scheme == "s3" else None
        self._lock = threading.Lock()
        self._known: tuple[float, _Seen] | None = None

    def status(self, dag: DagState | None = None) -> Status:
        """Return the status; that the destination could not be asked is one, too.

        :param dag: what Airflow knows of the refresh DAG (default: not known).
        """
        seen, target = self._seen(), self._target
        if seen.problem:
            judgement = Judgement.unknown("destination not reached", seen.problem)
        else:
            judgement = judge(target, seen.standing, dag, self._now())
        return Status(
            judgement=judgement,
            asked_at=seen.at,
            destination=target.destination,
            repository=target.repository_id,
            facts=seen.standing.facts if seen.standing else None,
            timeline=seen.timeline,
            timeline_problem=seen.timeline_problem,
        )

    def _seen(self) -> _Seen:
        with self._lock:
            if not self._known or self._monotonic() - self._known[0] >= self._seconds:
                seen = self._ask()
                self._known = self._monotonic(), seen
            return self._known[1]

    def _ask(self) -> _Seen:
        now = self._now()
        try:
            standing = self._destination.head()
        except CodeArtifactError as error:
            return _Seen(at=now, problem=str(error))
        versions, problem = self._versions(standing.facts if standing else None, since=now - TIMELINE)
        spans = timeline(versions, repository=self._target.repository_id, now=now)
        return _Seen(at=now, standing=standing, timeline=spans, timeline_problem=problem)

    def _versions(self, facts: LineFacts | None, since: datetime) -> tuple[list[Version], str]:
        """Return what is known of the past, and why it is no more: a verdict does not hang on that."""
        only = [Version(stored_at=facts.refreshed_at, facts=facts)] if facts else []
        if not self._history:
            return only, "A file keeps no versions: only the line that stands there now is shown."
        try:
            return self._history.versions(since), ""
        except CodeArtifactError as error:
            return only, str(error)
