"""What is refreshed: the target, and the rules its settings obey."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from mwaa_codeartifact.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Token lifetime asked for: the longest that CodeArtifact grants (API: GetAuthorizationToken, durationSeconds).
TOKEN_LIFETIME = timedelta(hours=12)

# Patterns: CodeArtifact API reference, DomainName, AccountId and RepositoryName; S3 user guide, bucket naming rules.
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


@dataclass(frozen=True, kw_only=True)
class Target:
    """Name one index-url file and where its token comes from.

    :param domain: CodeArtifact domain.
    :param domain_owner: account id that owns the domain, 12 digits.
    :param repository: CodeArtifact repository.
    :param region: region of the domain.
    :param destination: the index-url file, an s3:// or file:// URI.
    :raises ConfigError: naming every setting that is missing or malformed.
    """

    domain: str
    domain_owner: str
    repository: str
    region: str
    destination: str

    def __post_init__(self) -> None:
        """Validate what was given."""
        self._validate(vars(self), str)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str | None], *, named: Callable[[str], str] = str) -> Self:
        """Build a target from text settings.

        :param settings: setting name to value; keys that a target does not have are ignored.
        :param named: how the reader knows a setting (``domain`` → ``CODEARTIFACT_DOMAIN``), for the error.
        :raises ConfigError: naming every setting that is missing or malformed.
        """
        values = {field.name: settings.get(field.name) or "" for field in fields(cls)}
        cls._validate(values, named)
        return cls(**values)

    @staticmethod
    def _validate(values: Mapping[str, str], named: Callable[[str], str]) -> None:
        problems = []
        for name, (pattern, meaning) in _RULES.items():
            if not values[name]:
                problems.append(f"{named(name)} is not set: give {meaning}")
            elif not re.fullmatch(pattern, values[name]):
                problems.append(f"{named(name)} is {values[name]!r}: give {meaning}")
        if problems:
            raise ConfigError(problems)

    @property
    def repository_id(self) -> str:
        """Name the repository in full: what a line serves, kept in its metadata."""
        return f"{self.region}/{self.domain_owner}/{self.domain}/{self.repository}"


def min_remaining_from_hours(hours: str | float, *, named: str = "min_remaining_hours") -> timedelta:
    """Read the remaining lifetime below which a line is refreshed.

    :param hours: a number from 0 (refresh only a dead line) to 12 (refresh always).
    :param named: how the reader knows the setting, for the error.
    :raises ConfigError: when it is not such a number.
    """
    try:
        remaining = timedelta(hours=float(hours))
    except (ValueError, OverflowError):
        remaining = timedelta(-1)
    if not timedelta(0) <= remaining <= TOKEN_LIFETIME:
        raise ConfigError([f"{named} is {hours!r}: give a number of hours from 0 to 12"])
    return remaining
