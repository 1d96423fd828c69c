"""What CodeArtifact holds: domains with their tokens, and repositories with their packages."""

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

# Where the server in front says who a request comes from: an `arn`, and what it `may`. Without it all is allowed.
CALLER = "codeartifact.caller"
MAX_TOKEN_SECONDS = 43_200


class Origin(enum.StrEnum):
    """Name where a package first came from, which closes the other way (user guide, "Package origin controls")."""

    INTERNAL = "internal"
    EXTERNAL = "external"


@dataclass
class StoredDomain:
    """Keep the repositories of one domain and the tokens that open all of them."""

    name: str
    owner: str
    region: str
    repositories: dict[str, StoredRepository] = field(default_factory=dict)
    tokens: dict[str, datetime] = field(default_factory=dict, repr=False)  # when each expires
    minters: dict[str, Any] = field(default_factory=dict, repr=False)  # whose permissions each carries, or None
    package_groups: PackageGroups = field(default_factory=PackageGroups, repr=False)

    @property
    def arn(self) -> str:
        """Return the domain's own ARN."""
        return self.arn_of("domain")

    def arn_of(self, kind: str, path: str = "") -> str:
        """Return the ARN of a repository or package group, by its path below the domain, which begins with a slash."""
        return f"arn:aws:codeartifact:{self.region}:{self.owner}:{kind}/{self.name}{path}"

    @property
    def host(self) -> str:
        """Return the parts that tell domains apart in the host name of a real repository endpoint."""
        return f"{self.name}-{self.owner}.{self.region}"


@dataclass
class StoredRepository:
    """Keep the packages of one repository, by their normalized names, and the files that were published in its folder.

    :param external_connections: at most one name such as ``public:pypi``; without it no upstream is asked
    :param pulls: when the upstream was first asked for a package, and how often since
    :param lock: held while the origin of a package is decided
    """

    name: str
    arn: str
    domain: StoredDomain = field(repr=False)
    folder: Path
    external_connections: tuple[str, ...] = ()
    packages: dict[str, Origin] = field(default_factory=dict)
    published: dict[str, list[DistributionPackage]] = field(default_factory=dict, repr=False)
    pulls: dict[str, tuple[float, int]] = field(default_factory=dict, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def connect(self, external_connections: tuple[str, ...]) -> None:
        """Connect it to a public index, or raise ValidationError for several (API: AssociateExternalConnection)."""
        if len(external_connections) > 1:
            raise ValidationError("A repository can have one external connection, not more.")
        self.external_connections = external_connections

    def publish(self, project: str, filename: str, content: bytes) -> None:
        """Keep a file, or raise ConflictError if its project came from upstream first, or another file has its name.

        The same file again is no error (CodeArtifact user guide: "Overwriting package assets").
        """
        kept = self.folder / filename
        with self.lock:
            if kept.exists() and kept.read_bytes() == content:
                return
            if self.packages.get(project) is Origin.EXTERNAL:
                raise ConflictError(f"{project} was first ingested from upstream: it cannot be published.")
            if kept.exists():
                raise ConflictError(f"{filename} is there already, and is another file.")
            kept.write_bytes(content)
            hashes = {"sha256": hashlib.sha256(content).hexdigest()}
            described = {"filename": filename, "url": filename, "hashes": hashes, "size": len(content)}
            file = DistributionPackage.from_json_data(described, project)
            self.published.setdefault(project, []).append(file)
            self.packages[project] = Origin.INTERNAL


@dataclass
class CodeArtifact:
    """Keep domains, repositories and tokens in memory, and published files in folders below one.

    Every method may be called from any thread: each change is one operation on a dictionary or list. CloudFormation
    checks names, by the schemas of the resources.

    A domain is known by its Region, its owner and its name: one with the same name in another Region or account is
    another domain. Methods mean those of one account in one Region; ``of`` returns the view of another.

    :param account: the owner of the domains
    :param token_life_limit: longest life of the tokens minted from now on (default: as long as was asked)
    :param hides_from_bad_tokens: whether a bad token gets 404 where CodeArtifact is mostly seen to answer 401; reports
        differ (astral-sh/uv #11899 against actions/setup-python #733)
    :param first_pull_seconds: how long a repository takes over an upstream's name that it has never seen; the answer
        is 500 for the first ``first_pull_failures`` times (astral-sh/uv #8957)
    :param minted: every token minted so far, for a search for leaks
    """

    now: Callable[[], datetime]
    packages_dir: Path
    account: str = "123456789012"
    region: str = "eu-west-1"
    token_life_limit: timedelta | None = None
    hides_from_bad_tokens: bool = False
    first_pull_seconds: float = 0.0
    first_pull_failures: int = 0
    minted: list[str] = field(default_factory=list, repr=False)
    domains: dict[tuple[str, str, str], StoredDomain] = field(default_factory=dict)  # by Region, owner and name

    def of(self, account: str, region: str) -> CodeArtifact:
        """Return the view of an account's domains in a Region, with the settings that apply now."""
        return replace(self, account=account, region=region)

    def create_domain(self, name: str) -> None:
        """Create a domain, or raise ConflictError if there is one of that name."""
        domain = StoredDomain(name, self.account, self.region)
        if self.domains.setdefault((self.region, self.account, name), domain) is not domain:
            raise ConflictError(f"Domain {name} exists already.")

    def create_repository(self, domain: str, name: str, external_connections: tuple[str, ...] = ()) -> StoredRepository:
        """Create an empty repository, connected to one public index at most, or raise ConflictError if it exists."""
        parent = self.domain(domain)
        folder = self.packages_dir / parent.host / name
        repository = StoredRepository(name, parent.arn_of("repository", f"/{name}"), parent, folder)
        repository.connect(external_connections)
        if parent.repositories.setdefault(name, repository) is not repository:
            raise ConflictError(f"Repository {name} exists already in domain {domain}.")
        shutil.rmtree(repository.folder, ignore_errors=True)  # an earlier run's files belong to no repository
        repository.folder.mkdir(parents=True)
        return repository

    def delete_repository(self, domain: str, name: str) -> None:
        """Delete a repository and its packages, or raise ResourceNotFoundError."""
        repository = self.repository(domain, name)
        del repository.domain.repositories[name]
        shutil.rmtree(repository.folder)

    def delete_domain(self, name: str) -> None:
        """Delete a domain, or raise ConflictError if it holds repositories, ResourceNotFoundError if there is none."""
        if self.domain(name).repositories:
            raise ConflictError(f"Domain {name} holds repositories: delete them first.")
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
        """Mint a token that opens every repository of a domain, and return it with the time it expires.

        API, GetAuthorizationToken: 0 is for "as long as the caller's credentials", which here is the longest.
        """
        least, most = 900, MAX_TOKEN_SECONDS
        if duration_seconds and not least <= duration_seconds <= most:
            raise ValidationError(f"duration must be 0 or {least} to {most} seconds, but is {duration_seconds}.")
        tokens = self.domain(domain).tokens
        life = timedelta(seconds=duration_seconds or MAX_TOKEN_SECONDS)
        token = "eyJ" + secrets.token_urlsafe(750)  # 1,000 characters once encoded, about as many as a real one has
        expires_at = tokens[token] = self.now() + min(life, self.token_life_limit or life)
        self.minted.append(token)
        return token, expires_at

    def check(self, domain: str, token: str) -> bool:
        """Return whether a token opens a domain now; False for a domain that does not exist."""
        found = self.domains.get((self.region, self.account, domain))
        expires_at = found.tokens.get(token) if found else None
        return expires_at is not None and self.now() < expires_at
