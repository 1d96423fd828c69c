"""CodeArtifact, the bucket and the clock in memory: what the real refresh() is run against."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from infra.lab.simulation.units import TOKEN_LIFE
from mwaa_codeartifact.core.destinations import ConflictError, StoredFile
from mwaa_codeartifact.core.errors import CodeArtifactError, DestinationError
from mwaa_codeartifact.core.index_url import LineFacts
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import Domain, Repository, Target

if TYPE_CHECKING:
    from mwaa_codeartifact.core.destinations import Destination
    from mwaa_codeartifact.core.index_url import IndexUrlFile, Token
    from mwaa_codeartifact.core.refresh import Refresher

# What can go wrong in a run, in the order in which a run meets it; the service's own retries have been spent by then.
FAULTS = ("head", "endpoint", "mint", "verify", "rejected", "put")
# What a failing call costs: 3 tries of 3 + 5 s (core/connections.py).
TIMEOUT = 24

_START = datetime(2030, 1, 1, tzinfo=UTC)
_TARGET = Target(
    repository=Repository(domain=Domain(region="eu-west-1", owner="123456789012", name="data"), name="python"),
    destination="s3://bucket/dags/codeartifact.txt",
)


class Outcome(NamedTuple):
    """Tell what a run did.

    :param failed: whether it raised.
    :param remaining: lifetime left of the line that stands afterwards, as of the run's start (s).
    :param spent: how long it took (s).
    :param mints: how many tokens it got.
    """

    failed: bool
    remaining: int
    spent: int
    mints: int


class World:
    """Stand for the connections, the destination and the clock; one fault at most is at work."""

    def __init__(self) -> None:
        self.uri = _TARGET.destination
        self._now = self._mints = self._writes = 0
        self._fault: str | None = None
        self._standing: StoredFile | None = None

    def refresh(
        self, refresher: Refresher, min_remaining: timedelta, *, now: int, expires_at: int | None, fault: str | None
    ) -> Outcome:
        """Run the real protocol once.

        :param refresher: who refreshes.
        :param min_remaining: as for refresh().
        :param now: the moment (s since the start).
        :param expires_at: when the standing line dies (s since the start); None: there is none.
        :param fault: the step that fails, of FAULTS, or None.
        """
        self._now, self._fault, self._mints = now, fault, 0
        self._stand(expires_at)
        failed = False
        try:
            refresh(_TARGET, refresher=refresher, min_remaining=min_remaining, connections=self, now=self._clock)
        except CodeArtifactError:
            failed = True
        return Outcome(failed, (self._expires_at or 0) - now, self._now - now, self._mints)

    # The Connections that refresh() uses; this object is its own destination and its own CodeArtifact client.

    def codeartifact(self, _domain: Domain, /) -> World:
        """Give the CodeArtifact client."""
        return self

    def destination(self, _target: Target, /) -> Destination:
        """Open the index-url file."""
        return self

    def http_get(self, _url: str, _token: Token, /) -> int:
        """Answer pip's question."""
        if self._fault == "verify":
            self._now += TIMEOUT
            raise TimeoutError
        return 401 if self._fault == "rejected" else 200

    def get_repository_endpoint(self, **_: str) -> dict[str, str]:
        """Answer as CodeArtifact."""
        self._fail_aws("endpoint", "GetRepositoryEndpoint")
        return {"repositoryEndpoint": "https://data-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/python/"}

    def get_authorization_token(self, **asked: Any) -> dict[str, Any]:
        """Mint, as CodeArtifact."""
        self._fail_aws("mint", "GetAuthorizationToken")
        self._mints += 1
        expiration = self._clock() + timedelta(seconds=asked["durationSeconds"])
        return {"authorizationToken": f"token-{self._now}-{self._mints}", "expiration": expiration}

    def head(self) -> StoredFile | None:
        """Tell what stands at the destination."""
        self._fail_s3("head")
        return self._standing

    def put(self, file: IndexUrlFile, *, replacing: StoredFile | None) -> str:
        """Write what stands at the destination."""
        self._fail_s3("put")
        if replacing != self._standing:
            raise ConflictError
        file.render()
        return self._write(file.facts)

    def _fail_aws(self, step: str, operation: str) -> None:
        if self._fault == step:
            self._now += TIMEOUT
            raise ClientError({"Error": {"Code": "ServiceUnavailableException", "Message": "down"}}, operation)

    def _fail_s3(self, step: str) -> None:
        if self._fault == step:
            self._now += TIMEOUT
            raise DestinationError(step, self.uri, "down")

    def _clock(self) -> datetime:
        return _START + timedelta(seconds=self._now)

    @property
    def _expires_at(self) -> int | None:
        facts = self._standing.facts if self._standing else None
        return int((facts.token_expires_at - _START).total_seconds()) if facts else None

    def _stand(self, expires_at: int | None) -> None:
        """Let a line stand there that dies then, unless it already does."""
        if expires_at == self._expires_at:
            return
        if expires_at is None:
            self._standing = None
            return
        dies = _START + timedelta(seconds=expires_at)
        facts = LineFacts(
            token_expires_at=dies,
            refreshed_at=dies - timedelta(seconds=TOKEN_LIFE),
            refreshed_by="dag",
            token_fingerprint=f"{expires_at:012x}",
            repository=_TARGET.repository.id,
        )
        self._write(facts)

    def _write(self, facts: LineFacts) -> str:
        self._writes += 1
        version_id = str(self._writes)
        self._standing = StoredFile(etag=version_id, facts=facts, recoverable=True, version_id=version_id)
        return version_id
