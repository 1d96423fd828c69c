"""CodeArtifact, the bucket and the clock in memory: the real refresh() runs against them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from mwaa_codeartifact.core.destinations import StoredFile
from mwaa_codeartifact.core.errors import CodeArtifactError, DestinationError
from mwaa_codeartifact.core.index_url import LineFacts
from mwaa_codeartifact.core.policy import TOKEN_LIFETIME
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import Domain, Repository, Target

if TYPE_CHECKING:
    from mwaa_codeartifact.core.destinations import Destination
    from mwaa_codeartifact.core.index_url import IndexUrlFile, Token
    from mwaa_codeartifact.core.refresh import Refresher

# The steps that can fail, in the order of a run. The repository can fail in two ways: no answer, or 401.
FAULTS = ("head", "endpoint", "mint", "verify", "rejected", "put")
# A call without an answer takes 3 tries of 3 + 5 s (core/connections.py).
SECOND = timedelta(seconds=1)
_TIMEOUT = 24 * SECOND

_DOWN: Any = {"Error": {"Code": "ServiceUnavailableException", "Message": "down"}}
_START = datetime(2030, 1, 1, tzinfo=UTC)
_TARGET = Target(
    repository=Repository(domain=Domain(region="eu-west-1", owner="123456789012", name="data"), name="python"),
    destination="s3://bucket/dags/codeartifact.txt",
)


class Outcome(NamedTuple):
    """The outcome of a try.

    :param failed: whether it raised an error.
    :param remaining: remaining lifetime of the line afterwards, counted from the start of the try (s).
    :param seconds: its duration (s).
    """

    failed: bool
    remaining: int
    seconds: int


@cache  # the outcome depends on the arguments alone, and years of operation repeat most of them
def refresh_once(refresher: Refresher, min_remaining: timedelta, remaining: int, fault: str | None) -> Outcome:
    """Run the real protocol once.

    :param refresher: the refresher.
    :param min_remaining: as in refresh().
    :param remaining: remaining lifetime of the line that is there (s), negative after its expiry.
    :param fault: the step that fails, one of FAULTS, or None.
    """
    world, failed = _World(timedelta(seconds=remaining), fault), False
    try:
        refresh(_TARGET, refresher=refresher, min_remaining=min_remaining, connections=world, now=lambda: world.now)
    except CodeArtifactError:
        failed = True
    return Outcome(failed, world.facts.remaining(_START) // SECOND, (world.now - _START) // SECOND)


class _World:
    """The Connections of one refresh, and at the same time their Destination and CodeArtifact client."""

    uri = _TARGET.destination

    def __init__(self, remaining: timedelta, fault: str | None) -> None:
        self.now, self._fault = _START, fault
        self.facts = LineFacts(
            token_expires_at=_START + remaining,
            refreshed_at=_START + remaining - TOKEN_LIFETIME,
            refreshed_by="dag",
            token_fingerprint="0" * 12,
            repository=_TARGET.repository.id,
        )

    def codeartifact(self, _domain: Domain, /) -> _World:
        return self

    def destination(self, _target: Target, /) -> Destination:
        return self

    def http_get(self, _url: str, _token: Token, /) -> int:
        self._fail("verify", TimeoutError())
        return 401 if self._fault == "rejected" else 200

    def get_repository_endpoint(self, **_: str) -> dict[str, str]:
        self._fail("endpoint", ClientError(_DOWN, "GetRepositoryEndpoint"))
        return {"repositoryEndpoint": "https://data-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/python/"}

    def get_authorization_token(self, *, durationSeconds: int, **_: str) -> dict[str, Any]:  # noqa: N803  (boto3's name)
        self._fail("mint", ClientError(_DOWN, "GetAuthorizationToken"))
        return {"authorizationToken": "token", "expiration": self.now + timedelta(seconds=durationSeconds)}

    def head(self) -> StoredFile:
        self._fail("head", DestinationError("head", self.uri, "down"))
        return StoredFile(etag=self.facts.token_fingerprint, facts=self.facts, recoverable=True)

    def put(self, file: IndexUrlFile, *, replacing: StoredFile | None) -> None:  # noqa: ARG002  (no other writer)
        self._fail("put", DestinationError("put", self.uri, "down"))
        file.render()
        self.facts = file.facts

    def _fail(self, step: str, error: Exception) -> None:
        if self._fault == step:
            self.now += _TIMEOUT
            raise error
