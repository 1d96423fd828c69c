"""The index-url file, which pip, people and all refreshers read.

Body: a comment line with the facts, then ``--index-url https://aws:TOKEN@HOST/pypi/REPOSITORY/simple/``. The same facts
are in the S3 object's metadata, so the expiry can be read without the secret.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta


@dataclass(frozen=True)
class Token:
    """A CodeArtifact authorization token; its repr does not contain its value.

    :param value: the secret.
    :param expires_at: its expiry, UTC.
    """

    value: str = field(repr=False)
    expires_at: datetime

    @property
    def fingerprint(self) -> str:
        """Return the first 12 hex digits of its SHA-256, which identify the token without showing it."""
        return hashlib.sha256(self.value.encode()).hexdigest()[:12]

    def remaining(self, now: datetime) -> timedelta:
        """Return the remaining lifetime; negative after the expiry.

        :param now: UTC.
        """
        return self.expires_at - now


@dataclass(frozen=True, kw_only=True)
class LineFacts:
    """The facts of a published line, without the secret.

    :param token_expires_at: expiry of the token in the line, UTC.
    :param refreshed_at: when the line was published, UTC.
    :param refreshed_by: the refresher, ``dag``, ``lambda`` or ``startup``.
    :param token_fingerprint: see :attr:`Token.fingerprint`.
    :param repository: id of the repository that the line serves, see :attr:`Repository.id`.
    """

    token_expires_at: datetime
    refreshed_at: datetime
    refreshed_by: str
    token_fingerprint: str
    repository: str

    def remaining(self, now: datetime) -> timedelta:
        """Return the remaining lifetime of the line's token; negative after its expiry.

        :param now: UTC.
        """
        return self.token_expires_at - now

    def serves(self, repository_id: str) -> bool:
        """Return whether the line serves a repository; a line of another repository counts as stale.

        :param repository_id: the repository's id.
        """
        return self.repository == repository_id

    def to_metadata(self) -> dict[str, str]:
        """Return the facts as S3 object metadata."""
        return {
            "token-expires-at": format_time(self.token_expires_at),
            "refreshed-at": format_time(self.refreshed_at),
            "refreshed-by": self.refreshed_by,
            "token-fingerprint": self.token_fingerprint,
            "repository": self.repository,
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """Parse S3 object metadata; return None if it is incomplete or invalid: such a line counts as stale."""
        try:
            return cls(
                token_expires_at=_parse_time(metadata["token-expires-at"]),
                refreshed_at=_parse_time(metadata["refreshed-at"]),
                refreshed_by=metadata["refreshed-by"],
                token_fingerprint=metadata["token-fingerprint"],
                repository=metadata["repository"],
            )
        except (KeyError, ValueError):
            return None

    @classmethod
    def from_body(cls, body: str) -> Self | None:
        """Parse the comment line, for destinations without object metadata; return None as above."""
        comment = body.partition("\n")[0]
        return cls.from_metadata(dict(re.findall(r"([a-z-]+)=([^\s,]+)", comment)))


@dataclass(frozen=True)
class IndexUrlFile:
    """The content of an index-url file; only the rendered bytes contain the secret.

    :param endpoint: the repository's endpoint, as CodeArtifact returns it.
    :param token: the token in the line.
    :param facts: the facts in the comment line.
    """

    endpoint: str
    token: Token
    facts: LineFacts

    def render(self) -> bytes:
        """Return the file's bytes. Store them in no variable: a traceback with locals would show it."""
        comment = ", ".join(f"{name}={value}" for name, value in self.facts.to_metadata().items())
        url = urlsplit(simple_url(self.endpoint))
        index_url = url._replace(netloc=f"aws:{quote(self.token.value, safe='')}@{url.netloc}").geturl()
        return f"# CodeArtifact index-url: {comment}\n--index-url {index_url}\n".encode()


def simple_url(endpoint: str) -> str:
    """Return the URL of the repository's simple index (PEP 503), without credentials."""
    return endpoint.rstrip("/") + "/simple/"


def format_time(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
