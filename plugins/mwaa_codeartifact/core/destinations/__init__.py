"""Destinations of the index-url file: S3 objects and local files.

A write names the content that it replaces and fails with :class:`ConflictError` if the content is another one by then,
so a refresher never overwrites content that it has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from mwaa_codeartifact.core.index_url import IndexUrlFile, LineFacts
    from mwaa_codeartifact.core.target import Target


class ConflictError(Exception):
    """The content of the destination has changed since it was read."""


@dataclass(frozen=True)
class StoredFile:
    """The file at a destination, without its secret.

    :param etag: identifies the content; the condition of the next write.
    :param facts: of its line; None if no refresher wrote the file.
    :param recoverable: whether the destination keeps the file when it is replaced.
    :param version_id: S3 object version (default: None, the destination keeps no versions).
    """

    etag: str
    facts: LineFacts | None
    recoverable: bool
    version_id: str | None = None


class S3Location(NamedTuple):
    """The bucket and the key of an s3:// URI."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> Self | None:
        """Parse a destination's URI; return None for a file:// URI.

        :param uri: as in ``Target.destination``.
        """
        parts = urlsplit(uri)
        return cls(parts.netloc, parts.path.lstrip("/")) if parts.scheme == "s3" else None


class Destination(Protocol):
    """A place for an index-url file that supports conditional writes."""

    uri: str

    def head(self) -> StoredFile | None:
        """Return the file's ETag and facts without reading the secret, or None if there is no file.

        :raises DestinationError: if the destination could not be read.
        """

    def put(self, file: IndexUrlFile, *, replacing: StoredFile | None) -> str | None:
        """Write the file if the destination's content is still the expected one.

        :param file: the new file; its facts are stored as metadata where the destination has metadata.
        :param replacing: the expected content; None if there should be no file.
        :returns: the id of the new version, or None if the destination keeps no versions.
        :raises ConflictError: if the content is another one.
        :raises DestinationError: if the file could not be written.
        """


def open_destination(uri: str, s3: S3Client) -> Destination:
    """Return the destination of a URI.

    :param uri: an s3:// or file:// URI, as in ``Target.destination``.
    :param s3: client in the bucket's region; not used for file://.
    """
    # Imported here: both modules import this one, and S3Location must not cost an import of botocore.
    from mwaa_codeartifact.core.destinations.file import FileDestination
    from mwaa_codeartifact.core.destinations.s3 import S3Destination

    location = S3Location.parse(uri)
    return S3Destination(s3, *location) if location else FileDestination(Path(unquote(urlsplit(uri).path)))


def facts_for(target: Target, stored: StoredFile | None) -> LineFacts | None:
    """Return the facts of a line that serves the target's repository; None for any other file.

    :param target: the target.
    :param stored: the file at its destination, or None.
    """
    if stored and stored.facts and stored.facts.serves(target.repository.id):
        return stored.facts
    return None
