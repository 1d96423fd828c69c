"""The target of a refresh, the domain and repository that it needs, and the rules for its five settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from mwaa_codeartifact.core.errors import ConfigError
from mwaa_codeartifact.core.policy import TOKEN_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The pattern of each setting, and its meaning for the error.
# Sources: CodeArtifact API reference, DomainName, AccountId and RepositoryName; S3 user guide, bucket naming rules.
_RULES = {
    "domain": (r"[a-z][a-z0-9-]{0,48}[a-z0-9]", "2 to 50 lower-case letters, digits or hyphens"),
    "domain_owner": (r"[0-9]{12}", "the 12 digits of an AWS account id"),
    "repository": (
        r"[A-Za-z0-9][A-Za-z0-9._-]{1,99}",
        "2 to 100 letters, digits, dots, hyphens or underscores",
    ),
    "region": (r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "an AWS region such as eu-west-1"),
    "destination": (
        r"(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/|file:///)[^?#\r\n]*[^\s?#/]",
        "s3://BUCKET/dags/codeartifact.txt, or file:///ABSOLUTE/PATH outside AWS",
    ),
}
SETTINGS = tuple(_RULES)


@dataclass(frozen=True, order=True, kw_only=True)
class Domain:
    """A CodeArtifact domain: one token is valid for all of its repositories.

    :param region: AWS region.
    :param owner: account id of the owner, 12 digits.
    :param name: the domain's name.
    :raises ConfigError: if any of them is missing or malformed.
    """

    region: str
    owner: str
    name: str

    def __post_init__(self) -> None:
        """Check the values."""
        _check({"region": self.region, "domain_owner": self.owner, "domain": self.name})


@dataclass(frozen=True, order=True, kw_only=True)
class Repository:
    """A CodeArtifact repository: one line serves one repository.

    :param domain: the domain.
    :param name: the repository's name.
    :raises ConfigError: if the name is missing or malformed.
    """

    domain: Domain
    name: str

    def __post_init__(self) -> None:
        """Check the name."""
        _check({"repository": self.name})

    @property
    def id(self) -> str:
        """Return the full name, such as ``eu-west-1/123456789012/data/python``, as in the metadata of a line."""
        return f"{self.domain.region}/{self.domain.owner}/{self.domain.name}/{self.name}"

    @classmethod
    def parse(cls, repository_id: str) -> Self:
        """Parse an :attr:`id`.

        :param repository_id: REGION/OWNER/DOMAIN/REPOSITORY.
        :raises ConfigError: if it is malformed.
        """
        match repository_id.split("/"):
            case [region, owner, domain, name]:
                return cls(domain=Domain(region=region, owner=owner, name=domain), name=name)
        raise ConfigError([f"repository id is {repository_id!r}: give REGION/OWNER/DOMAIN/REPOSITORY"])


@dataclass(frozen=True, kw_only=True)
class Target:
    """One index-url file and the repository that it serves.

    :param repository: the repository.
    :param destination: the index-url file, an s3:// or file:// URI.
    :raises ConfigError: if the destination is missing or malformed.
    """

    repository: Repository
    destination: str

    def __post_init__(self) -> None:
        """Check the destination."""
        _check({"destination": self.destination})

    @classmethod
    def from_settings(cls, settings: Mapping[str, str | None], *, named: Callable[[str], str] = str) -> Self:
        """Build a target from the five settings.

        :param settings: setting name to value; other keys are ignored.
        :param named: returns a setting's name as its user knows it (``domain`` → ``CODEARTIFACT_DOMAIN``), for the
            error (default: the name itself).
        :raises ConfigError: naming every setting that is missing or malformed.
        """
        values = {name: settings.get(name) or "" for name in SETTINGS}
        _check(values, named)
        domain = Domain(region=values["region"], owner=values["domain_owner"], name=values["domain"])
        repository = Repository(domain=domain, name=values["repository"])
        return cls(repository=repository, destination=values["destination"])


def read_target(lookup: Callable[[str], str | None], *, named: Callable[[str], str]) -> Target:
    """Read the five settings and build their target.

    :param lookup: returns the value of a setting, or None.
    :param named: see :meth:`Target.from_settings`.
    :raises ConfigError: naming every setting that is missing or malformed.
    """
    return Target.from_settings({name: lookup(name) for name in SETTINGS}, named=named)


def min_remaining_from_hours(hours: str | float, *, named: str = "min_remaining_hours") -> timedelta:
    """Parse the remaining lifetime below which a line is refreshed.

    :param hours: a number from 0 (refresh only an expired line) to 12 (always refresh).
    :param named: the setting's name as its user knows it, for the error.
    :raises ConfigError: if it is not such a number.
    """
    try:
        remaining = timedelta(hours=float(hours))
    except (ValueError, OverflowError):
        remaining = timedelta(-1)
    if not timedelta(0) <= remaining <= TOKEN_LIFETIME:
        longest = TOKEN_LIFETIME / timedelta(hours=1)
        raise ConfigError([f"{named} is {hours!r}: give a number of hours from 0 to {longest:g}"])
    return remaining


def _check(values: Mapping[str, str], named: Callable[[str], str] = str) -> None:
    """Raise a ConfigError that names every value that is missing or malformed."""
    problems = []
    for name in (name for name in SETTINGS if name in values):
        pattern, meaning = _RULES[name]
        if not values[name]:
            problems.append(f"{named(name)} is not set: give {meaning}")
        elif not re.fullmatch(pattern, values[name]):
            problems.append(f"{named(name)} is {values[name]!r}: give {meaning}")
    if problems:
        raise ConfigError(problems)
