"""The state behind the control plane and the index: what exists, and which tokens are good."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from infra.local.codeartifact.errors import ConflictError, ResourceNotFoundError, ValidationError
from infra.local.codeartifact.resources import Domain, Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

MIN_TOKEN_SECONDS = 900
MAX_TOKEN_SECONDS = 43_200
TOKEN_BYTES = 750  # 1,000 characters once encoded, about as many as a real token has


def _validate(setting: str, value: str, pattern: str) -> None:
    if not re.fullmatch(pattern, value):
        raise ValidationError(f"{setting} must match {pattern}, but is {value!r}.")


class CodeArtifact:
    """Keep domains, repositories and tokens in memory, and published files in a folder.

    Every method may be called from any thread.

    :param now: the clock, timezone-aware
    :param packages_dir: the folder below which every repository gets one of its own
    :ivar token_life_limit: longest life of the tokens minted from now on, to watch them expire (default None:
        as long as was asked)
    :ivar hides_from_bad_tokens: whether a bad token gets 404 where CodeArtifact is mostly seen to answer 401; reports
        differ (astral-sh/uv #11899 against actions/setup-python #733) (default: False)
    :ivar first_pull_seconds: how long a repository takes over an upstream's name that it has never seen (default: 0)
    :ivar first_pull_failures: how often it answers 500 for such a name at first (astral-sh/uv #8957; default: 0)
    :ivar minted: every token minted so far, for a search for leaks
    """

    def __init__(self, now: Callable[[], datetime], packages_dir: Path) -> None:
        """Start empty."""
        self.token_life_limit: timedelta | None = None
        self.hides_from_bad_tokens = False
        self.first_pull_seconds = 0.0
        self.first_pull_failures = 0
        self.minted: list[str] = []
        self._now = now
        self._packages_dir = packages_dir
        self._domains: dict[str, Domain] = {}
        self._lock = threading.RLock()

    def create_domain(self, name: str, owner: str, region: str) -> Domain:
        """Create a domain.

        :param name: 2 to 50 characters (API: DomainName)
        :param owner: account id, 12 digits
        :param region: AWS region that the ARN names
        :raises ValidationError: if a name is malformed
        :raises ConflictError: if a domain of that name exists
        """
        _validate("domain", name, r"[a-z][a-z0-9\-]{0,48}[a-z0-9]")
        _validate("domain-owner", owner, r"[0-9]{12}")
        with self._lock:
            if name in self._domains:
                raise ConflictError(f"Domain {name} exists already.")
            domain = self._domains[name] = Domain(name, owner, region, self._now())
            return domain

    def create_repository(self, domain: str, name: str, *, external_connections: tuple[str, ...] = ()) -> Repository:
        """Create an empty repository.

        :param domain: name of the domain
        :param name: 2 to 100 characters (API: RepositoryName)
        :param external_connections: ``("public:pypi",)`` to pull through from the public index
        :raises ValidationError: if the name is malformed or there are two external connections
        :raises ResourceNotFoundError: if the domain does not exist
        :raises ConflictError: if a repository of that name exists
        """
        _validate("repository", name, r"[A-Za-z0-9][A-Za-z0-9._\-]{1,99}")
        if len(external_connections) > 1:
            raise ValidationError("A repository can have one external connection, not more.")
        with self._lock:
            parent = self.domain(domain)
            if name in parent.repositories:
                raise ConflictError(f"Repository {name} exists already in domain {domain}.")
            folder = self._packages_dir / parent.host / name
            shutil.rmtree(folder, ignore_errors=True)  # an earlier run's files belong to no repository
            folder.mkdir(parents=True)
            repository = Repository(
                name,
                domain,
                parent.owner,
                parent.region,
                self._now(),
                folder,
                external_connections,
            )
            parent.repositories[name] = repository
            return repository

    def delete_repository(self, domain: str, name: str) -> None:
        """Delete a repository and its packages.

        :raises ResourceNotFoundError: if it does not exist
        """
        with self._lock:
            repository = self.repository(domain, name)
            del self._domains[domain].repositories[name]
            shutil.rmtree(repository.folder)

    def delete_domain(self, name: str) -> None:
        """Delete a domain that holds no repository.

        :raises ResourceNotFoundError: if it does not exist
        :raises ConflictError: if it holds repositories
        """
        with self._lock:
            if self.domain(name).repositories:
                raise ConflictError(f"Domain {name} holds repositories: delete them first.")
            del self._domains[name]

    def domains(self) -> list[Domain]:
        """List the domains."""
        with self._lock:
            return list(self._domains.values())

    def domain(self, name: str, owner: str | None = None) -> Domain:
        """Look a domain up.

        :param owner: the account id that must own it (default: any)
        :raises ResourceNotFoundError: if it does not exist, or not with that owner
        """
        with self._lock:
            domain = self._domains.get(name)
        if domain is None or owner not in (None, domain.owner):
            raise ResourceNotFoundError(f"Domain not found. Domain {name} does not exist.")
        return domain

    def repository(self, domain: str, name: str, owner: str | None = None) -> Repository:
        """Look a repository up.

        :param owner: the account id that must own the domain (default: any)
        :raises ResourceNotFoundError: if the domain or the repository does not exist
        """
        with self._lock:
            repository = self.domain(domain, owner).repositories.get(name)
        if repository is None:
            raise ResourceNotFoundError(f"Repository not found. Repository {name} does not exist in domain {domain}.")
        return repository

    def mint(
        self, domain: str, owner: str | None = None, duration_seconds: int = MAX_TOKEN_SECONDS
    ) -> tuple[str, datetime]:
        """Mint a token that opens every repository of a domain.

        :param owner: the account id that must own the domain (default: any)
        :param duration_seconds: 900 to 43,200, or 0 for "as long as the caller's credentials", which here is the
            longest (API: GetAuthorizationToken, durationSeconds)
        :returns: the token and the time it expires
        :raises ValidationError: if the duration is out of range
        :raises ResourceNotFoundError: if the domain does not exist
        """
        if duration_seconds and not MIN_TOKEN_SECONDS <= duration_seconds <= MAX_TOKEN_SECONDS:
            raise ValidationError(
                f"duration must be 0 or {MIN_TOKEN_SECONDS} to {MAX_TOKEN_SECONDS} seconds, but is {duration_seconds}."
            )
        life = timedelta(seconds=duration_seconds or MAX_TOKEN_SECONDS)
        with self._lock:
            tokens = self.domain(domain, owner).tokens
            token = "eyJ" + secrets.token_urlsafe(TOKEN_BYTES)
            expires_at = self._now() + min(life, self.token_life_limit or life)
            tokens[token] = expires_at
            self.minted.append(token)
        return token, expires_at

    def check(self, domain: str, token: str) -> bool:
        """Say whether a token opens a domain now; False for a domain that does not exist."""
        with self._lock:
            found = self._domains.get(domain)
            expires_at = found.tokens.get(token) if found else None
        return expires_at is not None and self._now() < expires_at
