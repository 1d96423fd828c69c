"""Ask a destination how its index-url is: two or three calls, however many people look."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mwaa_codeartifact.core.clients import open_destination
from mwaa_codeartifact.core.errors import CodeArtifactError
from mwaa_codeartifact.core.history import S3History, Version
from mwaa_codeartifact.core.status import Status, judge
from mwaa_codeartifact.core.timeline import TIMELINE, timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from mwaa_codeartifact.core.config import Target
    from mwaa_codeartifact.core.index_url import LineFacts


class Watch:
    """Give a target's status, asked for at most once in so many seconds and by one thread at a time.

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
        self._known: tuple[float, Status] | None = None

    def status(self) -> Status:
        """Give the status; that it could not be asked for is one, too."""
        with self._lock:
            if not self._known or self._monotonic() - self._known[0] >= self._seconds:
                status = self._ask()
                self._known = self._monotonic(), status
            return self._known[1]

    def _ask(self) -> Status:
        now, target = self._now(), self._target
        try:
            standing = self._destination.head()
        except CodeArtifactError as error:
            return Status(
                verdict="unknown",
                sentence=str(error),
                asked_at=now,
                destination=target.destination,
                repository=target.repository_id,
            )
        verdict, sentence = judge(target, standing, now)
        facts = standing.facts if standing else None
        versions, problem = self._versions(facts, since=now - TIMELINE)
        return Status(
            verdict=verdict,
            sentence=sentence,
            asked_at=now,
            destination=target.destination,
            repository=target.repository_id,
            facts=facts,
            timeline=timeline(versions, repository=target.repository_id, now=now),
            timeline_problem=problem,
        )

    def _versions(self, facts: LineFacts | None, since: datetime) -> tuple[list[Version], str]:
        """Give what is known of the past, and why it is no more: a verdict does not hang on that."""
        only = [Version(stored_at=facts.refreshed_at, facts=facts)] if facts else []
        if not self._history:
            return only, "A file keeps no versions: only the line that stands there now is shown."
        try:
            return self._history.versions(since), ""
        except CodeArtifactError as error:
            return only, str(error)
