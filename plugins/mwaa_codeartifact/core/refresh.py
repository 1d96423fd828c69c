"""The one place where a decision is made: refresh = HEAD → mint → verify → publish.

Invariant: for one repository the expiry at the destination never decreases; what stands there is replaced only by a
line that has been verified and lives longer, and only if it is still what was seen.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from mwaa_codeartifact.core.codeartifact import mint, repository_endpoint, verify
from mwaa_codeartifact.core.destinations import ConflictError, facts_for
from mwaa_codeartifact.core.errors import DestinationError, MintError
from mwaa_codeartifact.core.index_url import IndexUrlFile, LineFacts, format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mwaa_codeartifact.core.connections import Clients
    from mwaa_codeartifact.core.destinations import Destination, Standing
    from mwaa_codeartifact.core.index_url import Token
    from mwaa_codeartifact.core.target import Target

Refresher = Literal["dag", "lambda", "startup"]
State = Literal["fresh", "published", "superseded"]

_PUBLISH_ATTEMPTS = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RefreshResult:
    """Tell what a refresh found or did; holds no secret.

    :param state: ``fresh`` (nothing to do), ``published``, or ``superseded`` (what stands there outlives our token).
    :param destination: URI of the index-url file.
    :param facts: of the line that stands there now.
    :param version_id: its S3 object version, None where the destination has none.
    :param durations_seconds: time spent, by step.
    """

    state: State
    destination: str
    facts: LineFacts
    version_id: str | None
    durations_seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Render as JSON types, for an XCom or an API answer."""
        facts = {name.replace("-", "_"): value for name, value in self.facts.to_metadata().items()}
        return asdict(self) | {"facts": facts}


def refresh(
    target: Target,
    *,
    refresher: Refresher,
    min_remaining: timedelta,
    clients: Clients,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    conceal: Callable[[str], object] = lambda _: None,
) -> RefreshResult:
    """Make sure that a line with enough life left stands at the destination.

    :param target: what to refresh.
    :param refresher: who asks.
    :param min_remaining: a line with at least this much life left is left alone.
    :param clients: the connections to use.
    :param now: the clock, UTC.
    :param conceal: told every secret as soon as it exists, to mask it in logs (default: nobody is told).
    :raises CodeArtifactError: when it failed; what stood at the destination still stands there.
    """
    return _Refresh(target, refresher, clients, now, conceal).run(min_remaining)


@dataclass
class _Refresh:
    """One run of the protocol and the time that its steps take."""

    target: Target
    refresher: Refresher
    clients: Clients
    now: Callable[[], datetime]
    conceal: Callable[[str], object] = field(repr=False)
    durations_seconds: dict[str, float] = field(default_factory=dict)

    def run(self, min_remaining: timedelta) -> RefreshResult:
        destination = self.clients.destination(self.target.destination)
        with self._timed("head"):
            standing = destination.head()
        facts = facts_for(self.target, standing)
        # A line in its last second is dead, even to who asks for no remaining lifetime at all.
        if standing and facts and facts.token_expires_at - self.now() >= max(min_remaining, timedelta(seconds=1)):
            return self._result("fresh", facts, standing.version_id)
        self._check_replaceable(standing)
        with self._timed("mint"):
            endpoint = repository_endpoint(self.clients.codeartifact, self.target)
            token = mint(self.clients.codeartifact, self.target)
        self.conceal(token.value)
        self._check_lifetime(token, min_remaining)
        with self._timed("verify"):
            verify(self.clients.http_get, endpoint, token)
        with self._timed("publish"):
            outcome = self._publish(destination, standing, endpoint, token)
        return self._result(*outcome)

    def _publish(
        self, destination: Destination, standing: Standing | None, endpoint: str, token: Token
    ) -> tuple[State, LineFacts, str | None]:
        ours = LineFacts(
            token_expires_at=token.expires_at,
            refreshed_at=self.now(),
            refreshed_by=self.refresher,
            token_fingerprint=token.fingerprint,
            repository=self.target.repository_id,
        )
        file = IndexUrlFile(endpoint, token, ours)
        for attempts_left in reversed(range(_PUBLISH_ATTEMPTS + 1)):
            facts = facts_for(self.target, standing)
            if standing and facts and facts.token_fingerprint == token.fingerprint:
                # An earlier try took effect although its answer was lost.
                return "published", facts, standing.version_id
            if standing and facts and facts.token_expires_at >= token.expires_at:
                return "superseded", facts, standing.version_id
            if not attempts_left:
                break
            self._check_replaceable(standing)
            try:
                version_id = destination.put(file, replacing=standing)
            except ConflictError:
                standing = destination.head()
                continue
            return "published", ours, version_id
        reason = f"others wrote there during each of {_PUBLISH_ATTEMPTS} attempts: see who, and run again"
        raise DestinationError("publish the index-url", destination.uri, reason)

    def _check_replaceable(self, standing: Standing | None) -> None:
        """Refuse to lose a file that no refresher wrote."""
        if not standing or standing.facts:
            return
        uri = self.target.destination
        if not standing.recoverable:
            reason = (
                "it was written by hand and no version would keep it: turn on bucket versioning and upload it again"
            )
            raise DestinationError("replace the index-url file", uri, reason)
        log.warning("%s was not written by a refresher: it counts as stale, its content is kept aside", uri)

    def _check_lifetime(self, token: Token, min_remaining: timedelta) -> None:
        remaining = token.expires_at - self.now()
        if remaining <= timedelta(0):
            reason = f"it expired at {format_time(token.expires_at)}, before it could be used: check the clock here"
            raise MintError("mint a token", self.target.repository_id, reason)
        if remaining < min_remaining - timedelta(minutes=1):
            log.warning("The token lives only %s although 12 hours were asked for", remaining)

    def _result(self, state: State, facts: LineFacts, version_id: str | None) -> RefreshResult:
        log.info(
            "index-url %s %s: by %s, token %s lives until %s; seconds taken: %s",
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
