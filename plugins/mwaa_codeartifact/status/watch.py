"""Read the status of a destination with two or three calls, however many people open the page."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.destinations import S3Location, open_destination
from mwaa_codeartifact.core.errors import CodeArtifactError
from mwaa_codeartifact.status.history import S3History, Version
from mwaa_codeartifact.status.timeline import TIMELINE, timeline
from mwaa_codeartifact.status.verdict import Judgement, Status, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from mwaa_codeartifact.core.destinations import StoredFile
    from mwaa_codeartifact.core.index_url import LineFacts
    from mwaa_codeartifact.core.target import Target
    from mwaa_codeartifact.status.dag_state import DagState
    from mwaa_codeartifact.status.timeline import Span


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """The state of the destination at one moment, or the problem that hides it."""

    at: datetime
    stored: StoredFile | None = None
    problem: str = ""
    timeline: tuple[Span, ...] = ()
    timeline_problem: str = ""


class Watch:
    """A cached view of a target's destination; one thread at a time reads the destination.

    :param target: the target.
    :param s3: client in the bucket's region; not used for file:// destinations.
    :param now: the clock, UTC (default: the system's).
    :param seconds: for how long a reading is used (default: 5).
    :param monotonic: the clock that measures the age of a reading, in seconds (default: the system's).
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
        location = S3Location.parse(target.destination)
        self._history = S3History(s3, *location) if location else None
        self._lock = threading.Lock()
        self._known: tuple[float, _Reading] | None = None

    def status(self, dag: DagState | None = None) -> Status:
        """Return the status; ``unknown`` if the destination could not be read.

        :param dag: the state of the refresh DAG (default: not known).
        """
        reading = self._reading()
        if reading.problem:
            judgement = Judgement.unknown("destination not reached", reading.problem)
        else:
            judgement = judge(self._target, reading.stored, dag, self._now())
        return Status(
            judgement=judgement,
            asked_at=reading.at,
            target=self._target,
            facts=reading.stored.facts if reading.stored else None,
            timeline=reading.timeline,
            timeline_problem=reading.timeline_problem,
        )

    def _reading(self) -> _Reading:
        with self._lock:
            if not self._known or self._monotonic() - self._known[0] >= self._seconds:
                reading = self._read()
                self._known = self._monotonic(), reading
            return self._known[1]

    def _read(self) -> _Reading:
        now = self._now()
        try:
            stored = self._destination.head()
        except CodeArtifactError as error:
            return _Reading(at=now, problem=str(error))
        versions, problem = self._versions(stored.facts if stored else None, since=now - TIMELINE)
        spans = timeline(versions, repository=self._target.repository, now=now)
        return _Reading(at=now, stored=stored, timeline=spans, timeline_problem=problem)

    def _versions(self, facts: LineFacts | None, since: datetime) -> tuple[list[Version], str]:
        """Return the known versions, and why they are incomplete: the verdict does not depend on that."""
        only = [Version(stored_at=facts.refreshed_at, facts=facts)] if facts else []
        if not self._history:
            return only, "A file keeps no versions: only the current line is shown."
        try:
            return self._history.versions(since), ""
        except CodeArtifactError as error:
            return only, str(error)
