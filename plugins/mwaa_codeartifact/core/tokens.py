"""Verified tokens: minted once a domain and verified once a repository."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from mwaa_codeartifact.core.codeartifact import mint, repository_endpoint, verify
from mwaa_codeartifact.core.errors import MintError
from mwaa_codeartifact.core.index_url import format_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from mwaa_codeartifact.core.connections import Connections
    from mwaa_codeartifact.core.index_url import Token
    from mwaa_codeartifact.core.target import Domain, Repository

    Clock = Callable[[], datetime]
    Conceal = Callable[[str], object]
    # Called with the name of a step; the step runs in the context that it returns.
    Timed = Callable[[str], AbstractContextManager[None]]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

# Any other failure to get an endpoint (no answer, throttling, expired credentials) concerns the whole domain.
_ABOUT_ONE_REPOSITORY = frozenset({None, "ResourceNotFoundException", "AccessDeniedException", "ValidationException"})


@dataclass(frozen=True)
class VerifiedToken:
    """A token that the repository accepts.

    :param endpoint: the repository's endpoint.
    :param token: the token.
    """

    endpoint: str
    token: Token


class TokenProvider:
    """Provides verified tokens for one run, safe for use by several threads.

    It mints once a domain, and gets the endpoint and verifies once a repository. It remembers failures as well, so that
    many targets of a broken domain cost one call.

    :param connections: the connections.
    :param now: the clock, UTC (default: the system's).
    :param conceal: called with each token as soon as it exists, to mask it in logs (default: nothing).
    """

    def __init__(
        self,
        connections: Connections,
        *,
        now: Clock = lambda: datetime.now(UTC),
        conceal: Conceal = lambda _: None,
    ) -> None:
        self._connections, self._now, self._conceal = connections, now, conceal
        self._endpoints: _Once[Repository, str] = _Once()
        self._tokens: _Once[Domain, Token] = _Once()
        self._verified: _Once[Repository, VerifiedToken] = _Once()

    def get(self, repository: Repository, *, timed: Timed = lambda _: nullcontext()) -> VerifiedToken:
        """Return a verified token for a repository.

        :param repository: the repository.
        :param timed: measures the steps ``mint`` and ``verify`` (default: nothing does).
        :raises MintError: if CodeArtifact returns no endpoint or no valid token.
        :raises VerifyError: if the repository does not accept the token.
        """
        with timed("mint"):
            try:
                endpoint, token = self._minted(repository)
            except MintError as error:
                if error.subject == repository.id:
                    raise
                raise error.about(repository.id) from error
        with timed("verify"):
            return self._verified.get(repository, lambda: self._verify(endpoint, token))

    def _minted(self, repository: Repository) -> tuple[str, Token]:
        self._tokens.raise_failure(repository.domain)
        try:
            endpoint = self._endpoints.get(repository, lambda: self._endpoint(repository))
        except MintError as error:
            if error.code not in _ABOUT_ONE_REPOSITORY:
                self._tokens.fail(repository.domain, error)
            raise
        return endpoint, self._tokens.get(repository.domain, lambda: self._mint(repository))

    def _endpoint(self, repository: Repository) -> str:
        return repository_endpoint(self._connections.codeartifact(repository.domain), repository)

    def _mint(self, repository: Repository) -> Token:
        token = mint(self._connections.codeartifact(repository.domain), repository)
        self._conceal(token.value)
        if token.remaining(self._now()) <= timedelta(0):
            reason = f"it expired at {format_time(token.expires_at)}, before it could be used: check the clock here"
            raise MintError("mint a token", repository.id, reason)
        return token

    def _verify(self, endpoint: str, token: Token) -> VerifiedToken:
        verify(self._connections.http_get, endpoint, token)
        return VerifiedToken(endpoint, token)


class _Once(Generic[_Key, _Value]):
    """A cache that calls a function once a key and remembers its result or its exception."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._futures: dict[_Key, Future[_Value]] = {}

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """Return the result of a key; the first caller makes it, and concurrent ones wait for it."""
        with self._lock:
            known = self._futures.get(key)
            future = known or self._futures.setdefault(key, Future())
        if not known:
            try:
                future.set_result(make())
            except BaseException as error:  # noqa: BLE001  (it is raised below, here and for every later caller)
                future.set_exception(error)
        return future.result()

    def raise_failure(self, key: _Key) -> None:
        """Raise the exception of a key that has failed; return at once for any other key."""
        with self._lock:
            future = self._futures.get(key)
        if future and future.done():
            future.result()

    def fail(self, key: _Key, error: Exception) -> None:
        """Remember an exception for a key, unless the key is known."""
        with self._lock:
            if key not in self._futures:
                self._futures[key] = Future()
                self._futures[key].set_exception(error)
