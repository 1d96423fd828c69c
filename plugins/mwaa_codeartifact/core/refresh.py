"""The one place where a decision is made: refresh = HEAD → mint → verify → publish.

Invariant: for one repository the expiry at the destination never decreases. A refresh replaces a line only by one that
has been verified and expires later, and only if the line is still the one that the refresh has read.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from mwaa_codeartifact.core.destinations import ConflictError, facts_for
from mwaa_codeartifact.core.errors import DestinationError
from mwaa_codeartifact.core.freshness import is_fresh
from mwaa_codeartifact.core.index_url import IndexUrlFile, LineFacts, format_time
from mwaa_codeartifact.core.policy import LIFETIME_TOLERANCE, TOKEN_LIFETIME, in_hours
from mwaa_codeartifact.core.tokens import TokenProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from mwaa_codeartifact.core.connections import Connections
    from mwaa_codeartifact.core.destinations import Destination, StoredFile
    from mwaa_codeartifact.core.target import Target
    from mwaa_codeartifact.core.tokens import VerifiedToken

Refresher = Literal["dag", "lambda", "startup"]
State = Literal["fresh", "published", "superseded"]

_PUBLISH_ATTEMPTS = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RefreshResult:
    """The result of a refresh; contains no secret.

    :param state: ``fresh`` (nothing to do), ``published``, or ``superseded`` (another line expires no earlier).
    :param destination: URI of the index-url file.
    :param facts: of the line that is there now.
    :param version_id: its S3 object version; None if the destination has none.
    :param durations_seconds: time spent, by step.
    """

    state: State
    destination: str
    facts: LineFacts
    version_id: str | None
    durations_seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON types, for an XCom or an API response."""
        facts = {name.replace("-", "_"): value for name, value in self.facts.to_metadata().items()}
        return asdict(self) | {"facts": facts}


def refresh(
    target: Target,
    *,
    refresher: Refresher,
    min_remaining: timedelta,
    connections: Connections,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    conceal: Callable[[str], object] = lambda _: None,
    tokens: TokenProvider | None = None,
) -> RefreshResult:
    """Refresh the line at the target's destination if too little of its lifetime remains.

    :param target: the target.
    :param refresher: the caller.
    :param min_remaining: a line with at least this remaining lifetime is not replaced.
    :param connections: the connections.
    :param now: the clock, UTC (default: the system's).
    :param conceal: called with each token as soon as it exists, to mask it in logs (default: nothing); unused with
        ``tokens``, which has its own.
    :param tokens: provider that several refreshes share (default: a new one).
    :raises CodeArtifactError: if the refresh failed; the destination is unchanged.
    """
    tokens = tokens or TokenProvider(connections, now=now, conceal=conceal)
    return _Refresh(target, refresher, connections, tokens, now).run(min_remaining)


@dataclass
class _Refresh:
    """One run of the protocol, and the duration of its steps."""

    target: Target
    refresher: Refresher
    connections: Connections
    tokens: TokenProvider
    now: Callable[[], datetime]
    durations_seconds: dict[str, float] = field(default_factory=dict)

    def run(self, min_remaining: timedelta) -> RefreshResult:
        destination = self.connections.destination(self.target)
        repository = self.target.repository
        with self._timed("head"):
            stored = destination.head()
        facts = facts_for(self.target, stored)
        if stored and facts and is_fresh(facts, repository.id, min_remaining=min_remaining, now=self.now()):
            return self._result("fresh", facts, stored.version_id)
        self._check_replaceable(stored)
        verified = self.tokens.get(repository, timed=self._timed)
        remaining = verified.token.remaining(self.now())
        if remaining < min_remaining - LIFETIME_TOLERANCE:
            hours = in_hours(TOKEN_LIFETIME)
            log.warning("The token is valid for only %s although %s hours were requested", remaining, hours)
        with self._timed("publish"):
            outcome = self._publish(destination, stored, verified)
        return self._result(*outcome)

    def _publish(
        self, destination: Destination, stored: StoredFile | None, verified: VerifiedToken
    ) -> tuple[State, LineFacts, str | None]:
        token = verified.token
        ours = LineFacts(
            token_expires_at=token.expires_at,
            refreshed_at=self.now(),
            refreshed_by=self.refresher,
            token_fingerprint=token.fingerprint,
            repository=self.target.repository.id,
        )
        file = IndexUrlFile(verified.endpoint, token, ours)
        for attempts_left in reversed(range(_PUBLISH_ATTEMPTS + 1)):
            facts = facts_for(self.target, stored)
            if stored and facts and facts.token_fingerprint == token.fingerprint:
                # An earlier attempt succeeded although its response was lost.
                return "published", facts, stored.version_id
            if stored and facts and facts.token_expires_at >= token.expires_at:
                return "superseded", facts, stored.version_id
            if not attempts_left:
                break
            self._check_replaceable(stored)
            try:
                version_id = destination.put(file, replacing=stored)
            except ConflictError:
                stored = destination.head()
                continue
            return "published", ours, version_id
        reason = f"others wrote there during each of {_PUBLISH_ATTEMPTS} attempts: find out who, and run again"
        raise DestinationError("publish the index-url", destination.uri, reason)

    def _check_replaceable(self, stored: StoredFile | None) -> None:
        """Raise a DestinationError if a replacement would lose a file that no refresher wrote."""
        if not stored or stored.facts:
            return
        uri = self.target.destination
        if not stored.recoverable:
            reason = (
                "it was written by hand and no version would keep it: turn on bucket versioning and upload it again"
            )
            raise DestinationError("replace the index-url file", uri, reason)
        log.warning("%s was not written by a refresher: it counts as stale; a copy of it is kept", uri)

    def _result(self, state: State, facts: LineFacts, version_id: str | None) -> RefreshResult:
        log.info(
            "index-url %s %s: by %s, token %s is valid until %s; seconds taken: %s",
            self.target.destination,
            state,
            facts.refreshed_by,
            facts.token_fingerprint,
            format_time(facts.token_expires_at),
            self.durations_seconds,
        )
        return RefreshResult(
            state=state,
            destination=self.target.destination,
            facts=facts,
            version_id=version_id,
            durations_seconds=self.durations_seconds,
        )

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.durations_seconds[step] = round(time.monotonic() - started, 3)
