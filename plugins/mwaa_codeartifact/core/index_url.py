"""The index-url file: the contract with pip, with people and between refreshers.

Body: a comment line with the facts, then ``--index-url https://aws:TOKEN@HOST/pypi/REPOSITORY/simple/``. The same facts
stand in the S3 object's metadata, so that nobody has to read the secret to learn how fresh it is.
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


@dataclass(frozen=True)
class Token:
    """Hold a CodeArtifact authorization token; its value never shows in a repr.

    :param value: the secret.
    :param expires_at: when it dies, UTC.
    """

    value: str = field(repr=False)
    expires_at: datetime

    @property
    def fingerprint(self) -> str:
        """Name the token without telling it: first 12 hex digits of its SHA-256."""
        return hashlib.sha256(self.value.encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class LineFacts:
    """State the facts of a published line that are no secret.

    :param token_expires_at: when the token in the line dies, UTC.
    :param refreshed_at: when it was published, UTC.
    :param refreshed_by: the refresher, ``dag``, ``lambda`` or ``startup``.
    :param token_fingerprint: see :attr:`Token.fingerprint`.
    :param repository: the repository that the line serves, see ``Target.repository_id``.
    """

    token_expires_at: datetime
    refreshed_at: datetime
    refreshed_by: str
    token_fingerprint: str
    repository: str

    def to_metadata(self) -> dict[str, str]:
        """Render the facts as S3 object metadata."""
        return {
            "token-expires-at": format_time(self.token_expires_at),
            "refreshed-at": format_time(self.refreshed_at),
            "refreshed-by": self.refreshed_by,
            "token-fingerprint": self.token_fingerprint,
            "repository": self.repository,
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """Read the facts back; None where they are missing or nonsense: such a line counts as stale."""
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
        """Read the facts from the comment line; for destinations that have no object metadata."""
        comment = body.partition("\n")[0]
        return cls.from_metadata(dict(re.findall(r"([a-z-]+)=([^\s,]+)", comment)))


@dataclass(frozen=True)
class IndexUrlFile:
    """Hold what an index-url file says; the secret is in the rendered bytes only.

    :param endpoint: the repository's endpoint as CodeArtifact gives it.
    :param token: the token in the line.
    :param facts: what the comment line says.
    """

    endpoint: str
    token: Token
    facts: LineFacts

    def render(self) -> bytes:
        """Render the file; keep the bytes in no variable, which a traceback with locals would show."""
        comment = ", ".join(f"{name}={value}" for name, value in self.facts.to_metadata().items())
        url = urlsplit(simple_url(self.endpoint))
        index_url = url._replace(netloc=f"aws:{quote(self.token.value, safe='')}@{url.netloc}").geturl()
        return f"# CodeArtifact index-url: {comment}\n--index-url {index_url}\n".encode()


def simple_url(endpoint: str) -> str:
    """Give the URL of the repository's simple index (PEP 503), without credentials."""
    return endpoint.rstrip("/") + "/simple/"


def format_time(moment: datetime) -> str:
    """Render a moment as ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
