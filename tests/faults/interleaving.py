"""Refreshers that are stepped from call to call over a bucket in memory, in virtual time.

The bucket knows S3's conditional writes, and no more: a write names what it replaces, and is refused otherwise.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mwaa_codeartifact.core.destinations import ConflictError, StoredFile
from mwaa_codeartifact.core.errors import CodeArtifactError, DestinationError
from mwaa_codeartifact.core.index_url import LineFacts
from mwaa_codeartifact.core.policy import DAG_MIN_REMAINING, LAMBDA_MIN_REMAINING
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import Domain, Repository, Target
from tests.plugins.mwaa_codeartifact.core.support import DOMAIN, OWNER, REGION, REPOSITORY, START

if TYPE_CHECKING:
    from datetime import datetime

    from mwaa_codeartifact.core.index_url import IndexUrlFile, Token
    from mwaa_codeartifact.core.refresh import Refresher, RefreshResult

TARGET = Target(
    repository=Repository(domain=Domain(region=REGION, owner=OWNER, name=DOMAIN), name=REPOSITORY),
    destination="s3://bucket/codeartifact.txt",
)
MIN_REMAINING: dict[Refresher, timedelta] = {
    "dag": DAG_MIN_REMAINING,
    "lambda": LAMBDA_MIN_REMAINING,
    "startup": timedelta(0),
}


@dataclass
class Bucket:
    """The object and its versions since it was last deleted or written by hand."""

    now: datetime = START
    standing: StoredFile | None = None
    versions: list[LineFacts] = field(default_factory=list)

    def put(self, etag: str, facts: LineFacts | None, *, replacing: StoredFile | None) -> str:
        if (self.standing and self.standing.etag) != (replacing and replacing.etag):
            raise ConflictError
        # What a HEAD tells has been through the metadata.
        kept = LineFacts.from_metadata(facts.to_metadata()) if facts else None
        self.versions = [*self.versions, kept] if kept else []
        self.standing = StoredFile(etag, kept, recoverable=True, version_id=str(len(self.versions)))
        return str(len(self.versions))

    def delete(self) -> None:
        self.standing, self.versions = None, []


class _KilledError(BaseException):
    """The process is gone."""


@dataclass
class Run:
    """One refresher, standing before its next call; `step` lets it make that call.

    :param fails: the call that fails: head, mint, verify, put, or none ("").
    :param loses: how many answers to its writes are lost: 1 (the client tries again) or 2 (and gives up).
    """

    bucket: Bucket
    number: int
    refresher: Refresher = "lambda"
    skew: timedelta = timedelta(0)
    life: timedelta = timedelta(hours=12)
    fails: str = ""
    loses: int = 0
    result: RefreshResult | None = None
    error: BaseException | None = None
    ended: bool = False

    def __post_init__(self) -> None:
        self.started = self.bucket.now
        self.uri = TARGET.destination
        self._killed = False
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()
        self._back.acquire()

    @property
    def min_remaining(self) -> timedelta:
        return MIN_REMAINING[self.refresher]

    def step(self) -> None:
        if not self.ended:
            self._turn.release()
            self._back.acquire()

    def finish(self) -> None:
        while not self.ended:
            self.step()

    def kill(self) -> None:
        self._killed = True
        self.step()

    def _run(self) -> None:
        try:
            self.result = refresh(
                TARGET,
                refresher=self.refresher,
                min_remaining=self.min_remaining,
                connections=self,
                now=lambda: self.bucket.now + self.skew,
            )
        except BaseException as error:  # noqa: BLE001  (the test looks at it)
            self.error = error
        self.ended = True
        self._back.release()

    def _pause(self, step: str = "") -> bool:
        """Wait for the next turn, and tell whether the call fails."""
        self._back.release()
        self._turn.acquire()
        if self._killed:
            raise _KilledError
        return bool(step) and step == self.fails

    # What a refresh calls: connections, CodeArtifact, the repository and the destination

    def codeartifact(self, _: Domain, /) -> Run:
        return self

    def destination(self, _: Target, /) -> Run:
        return self

    def head(self) -> StoredFile | None:
        if self._pause("head"):
            raise DestinationError("see", self.uri, "injected")
        return self.bucket.standing

    def get_repository_endpoint(self, **_: str) -> dict[str, str]:
        return {"repositoryEndpoint": "https://localhost/pypi/python/"}

    def get_authorization_token(self, **_: Any) -> dict[str, Any]:
        if self._pause("mint"):
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "GetAuthorizationToken")
        return {"authorizationToken": f"token-{self.number}", "expiration": self.bucket.now + self.life}

    def http_get(self, _: str, token: Token, /) -> int:
        if self._pause("verify"):
            raise OSError
        return 200 if token.expires_at > self.bucket.now else 401

    def put(self, file: IndexUrlFile, *, replacing: StoredFile | None) -> str:
        if self._pause("put"):
            raise DestinationError("publish", self.uri, "injected")
        etag = hashlib.md5(file.render(), usedforsecurity=False).hexdigest()
        version_id = self.bucket.put(etag, file.facts, replacing=replacing)
        if self.loses > 1:
            raise DestinationError("publish", self.uri, "no answer")
        if self.loses:
            # botocore did not hear that it took effect, and asks again.
            self.loses = 0
            self._pause()
            return self.bucket.put(etag, file.facts, replacing=replacing)
        return version_id

    @property
    def failed_as_it_may(self) -> bool:
        return self.error is None or isinstance(self.error, CodeArtifactError | _KilledError)
