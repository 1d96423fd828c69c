"""What CodeArtifact holds: domains with their tokens, and repositories with their packages."""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from infra.local.codeartifact.package_groups import PackageGroups

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

# Where the server in front says who a request comes from; without it everyone may do everything.
CALLER = "codeartifact.caller"


class Caller(Protocol):
    """Say what the sender of a request may do."""

    @property
    def arn(self) -> str:
        """Name the sender."""

    def may(self, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
        """Evaluate the sender's policies."""


class Origin(enum.StrEnum):
    """Tell where the first version of a package came from; the other way is closed from then on.

    Source: CodeArtifact user guide, "Package origin controls".
    """

    INTERNAL = "internal"
    EXTERNAL = "external"


@dataclass
class Repository:
    """Hold the packages of one repository.

    :param folder: where the files that were published here are kept
    :param external_connections: at most one name such as ``public:pypi``; without it no upstream is asked
    :param packages: normalized name to origin, for every package that holds a version
    :param pulls: normalized name to the time when the upstream was first asked for it, and how often since
    :param lock: held while the origin of a package is decided
    """

    name: str
    domain_name: str
    domain_owner: str
    region: str
    created: datetime
    folder: Path
    external_connections: tuple[str, ...] = ()
    packages: dict[str, Origin] = field(default_factory=dict)
    pulls: dict[str, tuple[float, int]] = field(default_factory=dict, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def arn(self) -> str:
        """Name the repository in IAM policies."""
        return f"arn:aws:codeartifact:{self.region}:{self.domain_owner}:repository/{self.domain_name}/{self.name}"

    def package_arn(self, package: str) -> str:
        """Name one of its packages in IAM policies; pypi packages have no namespace."""
        return f"{self.arn.replace(':repository/', ':package/', 1)}/pypi//{package}"


@dataclass
class Domain:
    """Hold the repositories of one domain and the tokens that open all of them.

    :param tokens: token to the time it expires
    :param minters: token to who minted it, and whose permissions it therefore carries
    :param package_groups: by which way the packages of all repositories may come in
    """

    name: str
    owner: str
    region: str
    created: datetime
    repositories: dict[str, Repository] = field(default_factory=dict)
    tokens: dict[str, datetime] = field(default_factory=dict, repr=False)
    minters: dict[str, Caller] = field(default_factory=dict, repr=False)
    package_groups: PackageGroups = field(default_factory=PackageGroups, repr=False)

    @property
    def arn(self) -> str:
        """Name the domain in IAM policies."""
        return f"arn:aws:codeartifact:{self.region}:{self.owner}:domain/{self.name}"

    def package_group_arn(self, pattern: str) -> str:
        """Name one of its package groups in IAM policies."""
        return f"{self.arn.replace(':domain/', ':package-group/', 1)}{pattern}"

    @property
    def host(self) -> str:
        """Label the domain as the host name of a real repository endpoint does."""
        return f"{self.name}-{self.owner}"
