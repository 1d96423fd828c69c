"""The state of CodeArtifact: domains with their tokens, repositories with their packages."""

from __future__ import annotations

import enum
import hashlib
import secrets
import shutil
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pypi_simple import DistributionPackage

from infra.local.codeartifact.errors import ConflictError, ResourceNotFoundError, ValidationError
from infra.local.codeartifact.package_groups import PackageGroups

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

# The WSGI environ's key of the caller (`arn`, `may()`), set by the server in front. Without it everything is allowed.
CALLER = "codeartifact.caller"
MAX_TOKEN_SECONDS = 43_200
_DURATIONS = range(900, MAX_TOKEN_SECONDS + 1)


class Origin(enum.StrEnum):
    """The first source of a package, which closes the other one (user guide, "Package origin controls")."""

    INTERNAL = "internal"
    EXTERNAL = "external"


@dataclass
class StoredDomain:
    """A domain: its repositories, and the tokens that are valid for all of them."""

    name: str
    owner: str
    region: str
    repositories: dict[str, StoredRepository] = field(default_factory=dict)
    tokens: dict[str, datetime] = field(default_factory=dict, repr=False)  # when each expires
    minters: dict[str, Any] = field(default_factory=dict, repr=False)  # the caller whose permissions each has
    package_groups: PackageGroups = field(default_factory=PackageGroups, repr=False)

    @property
    def arn(self) -> str:
        """Return the domain's own ARN."""
        return self.arn_of("domain")

    def arn_of(self, kind: str, path: str = "") -> str:
        """Return the ARN of a repository or package group; path is below the domain and begins with a slash."""
        return f"arn:aws:codeartifact:{self.region}:{self.owner}:{kind}/{self.name}{path}"

    @property
    def host(self) -> str:
        """Return the domain's label in index URLs: the parts of a real endpoint's host name that identify a domain."""
        return f"{self.name}-{self.owner}.{self.region}"


@dataclass
class StoredRepository:
    """A repository: its packages, by normalized name, and the folder with the published files.

    :param external_connections: at most one name such as ``public:pypi``; without it there is no upstream
    :param lock: held while the origin of a package is decided
    """

    name: str
    arn: str
    domain: StoredDomain = field(repr=False)
    folder: Path
    external_connections: tuple[str, ...] = ()
    packages: dict[str, Origin] = field(default_factory=dict)
    published: dict[str, list[DistributionPackage]] = field(default_factory=dict, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def connect(self, external_connections: tuple[str, ...]) -> None:
        """Set the public index, or raise ValidationError for several (API: AssociateExternalConnection)."""
        if len(external_connections) > 1:
            raise ValidationError("A repository can have one external connection, not more.")
        self.external_connections = external_connections

    def publish(self, project: str, filename: str, content: bytes) -> None:
        """Store a file, or raise ConflictError if its project came from upstream or a different file has its name.

        Publishing the same file again is allowed (CodeArtifact user guide: "Overwriting package assets").
        """
        kept = self.folder / filename
        with self.lock:
            if kept.exists() and kept.read_bytes() == content:
                return
            if self.packages.get(project) is Origin.EXTERNAL:
                raise ConflictError(f"{project} was first ingested from upstream: it cannot be published.")
            if kept.exists():
                raise ConflictError(f"{filename} exists already with different content.")
            kept.write_bytes(content)
            hashes = {"sha256": hashlib.sha256(content).hexdigest()}
            described = {"filename": filename, "url": filename, "hashes": hashes, "size": len(content)}
            file = DistributionPackage.from_json_data(described, project)
            self.published.setdefault(project, []).append(file)
            self.packages[project] = Origin.INTERNAL


@dataclass
class CodeArtifact:
    """CodeArtifact as one account sees it in one Region; ``of`` returns the view of another account or Region.

    Domains, repositories and tokens are in memory, published files in folders below ``packages_dir``. Methods are
    thread-safe: each change is one operation on a dictionary or list. CloudFormation checks names, by its schemas.

    :param account: the owner of the domains that methods name
    :param token_life_limit: maximum lifetime of the tokens minted from now on (default: no limit of its own)
    :param hides_from_bad_tokens: whether a bad token gets 404 instead of 401; reports of CodeArtifact differ
        (astral-sh/uv #11899 against actions/setup-python #733)
    :param minted: every token minted so far, to search for leaks
    :param domains: those of all accounts and Regions, by Region, owner and name
    """

    now: Callable[[], datetime]
    packages_dir: Path
    account: str = "123456789012"
    region: str = "eu-west-1"
    token_life_limit: timedelta | None = None
    hides_from_bad_tokens: bool = False
    minted: list[str] = field(default_factory=list, repr=False)
    domains: dict[tuple[str, str, str], StoredDomain] = field(default_factory=dict)

    def of(self, account: str, region: str) -> CodeArtifact:
        """Return the view of an account in a Region: the same domains and tokens, with a copy of the settings."""
        return replace(self, account=account, region=region)

    def create_domain(self, name: str) -> None:
        """Create a domain, or raise ConflictError if it exists."""
        domain = StoredDomain(name, self.account, self.region)
        if self.domains.setdefault((self.region, self.account, name), domain) is not domain:
            raise ConflictError(f"Domain {name} exists already.")

    def create_repository(self, domain: str, name: str, external_connections: tuple[str, ...] = ()) -> StoredRepository:
        """Create an empty repository with at most one external connection, or raise ConflictError if it exists."""
        parent = self.domain(domain)
        folder = self.packages_dir / parent.host / name
        repository = StoredRepository(name, parent.arn_of("repository", f"/{name}"), parent, folder)
        repository.connect(external_connections)
        if parent.repositories.setdefault(name, repository) is not repository:
            raise ConflictError(f"Repository {name} exists already in domain {domain}.")
        shutil.rmtree(repository.folder, ignore_errors=True)  # files of an earlier run
        repository.folder.mkdir(parents=True)
        return repository

    def delete_repository(self, domain: str, name: str) -> None:
        """Delete a repository and its packages, or raise ResourceNotFoundError."""
        repository = self.repository(domain, name)
        del repository.domain.repositories[name]
        shutil.rmtree(repository.folder)

    def delete_domain(self, name: str) -> None:
        """Delete a domain, or raise ConflictError if it has repositories, ResourceNotFoundError if there is none."""
        if self.domain(name).repositories:
            raise ConflictError(f"Domain {name} contains repositories: delete them first.")
        del self.domains[self.region, self.account, name]

    def domain(self, name: str) -> StoredDomain:
        """Return a domain, or raise ResourceNotFoundError."""
        if found := self.domains.get((self.region, self.account, name)):
            return found
        raise ResourceNotFoundError(f"Domain not found. Domain {name} does not exist.")

    def repository(self, domain: str, name: str) -> StoredRepository:
        """Return a repository, or raise ResourceNotFoundError."""
        if found := self.domain(domain).repositories.get(name):
            return found
        raise ResourceNotFoundError(f"Repository not found. Repository {name} does not exist in domain {domain}.")

    def mint(self, domain: str, duration_seconds: int = MAX_TOKEN_SECONDS) -> tuple[str, datetime]:
        """Mint a token for every repository of a domain; return it and its expiry.

        :param duration_seconds: 900 to 43,200; 0 means "as long as the caller's credentials", here the maximum (API,
            GetAuthorizationToken)
        """
        if duration_seconds and duration_seconds not in _DURATIONS:
            allowed = f"0 or {_DURATIONS[0]} to {_DURATIONS[-1]}"
            raise ValidationError(f"duration must be {allowed} seconds, but is {duration_seconds}.")
        tokens = self.domain(domain).tokens
        life = timedelta(seconds=duration_seconds or MAX_TOKEN_SECONDS)
        token = "eyJ" + secrets.token_urlsafe(750)  # 1,000 characters after encoding, about as long as a real one
        expires_at = tokens[token] = self.now() + min(life, self.token_life_limit or life)
        self.minted.append(token)
        return token, expires_at

    def check(self, domain: str, token: str) -> bool:
        """Return whether a token is valid for a domain now; False if the domain does not exist."""
        found = self.domains.get((self.region, self.account, domain))
        expires_at = found.tokens.get(token) if found else None
        return expires_at is not None and self.now() < expires_at
