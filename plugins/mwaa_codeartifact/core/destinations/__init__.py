"""What a destination of the index-url file can do: tell what stands there, and replace just that.

No refresher ever overwrites what it has not seen: a write names what it replaces, and fails with
:class:`ConflictError` when something else stands there by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mwaa_codeartifact.core.index_url import IndexUrlFile, LineFacts
    from mwaa_codeartifact.core.target import Target


class ConflictError(Exception):
    """Something else stands at the destination than was seen there."""


@dataclass(frozen=True)
class Standing:
    """Describe what stands at the destination.

    :param etag: identifies the content; the condition of the next write.
    :param facts: None when no refresher wrote it.
    :param recoverable: whether the destination keeps it when it is replaced.
    :param version_id: S3 object version (default: None, the destination has no versions).
    """

    etag: str
    facts: LineFacts | None
    recoverable: bool
    version_id: str | None = None


def facts_for(target: Target, standing: Standing | None) -> LineFacts | None:
    """Give the facts of a line that serves a target; any other line counts as stale.

    :param target: what the line should serve.
    :param standing: what stands at its destination; None when nothing does.
    """
    if standing and standing.facts and standing.facts.repository == target.repository_id:
        return standing.facts
    return None


class Destination(Protocol):
    """Read the facts of an index-url file and replace it under a condition."""

    uri: str

    def head(self) -> Standing | None:
        """Tell what stands there without reading the secret; None when nothing does.

        :raises DestinationError: when that cannot be told.
        """

    def put(self, file: IndexUrlFile, *, replacing: Standing | None) -> str | None:
        """Write the file if what was seen still stands there.

        :param file: what to write; its facts are kept beside it where the destination can.
        :param replacing: what was seen; None when nothing stood there.
        :returns: the new version's id, where versions are kept.
        :raises ConflictError: when something else stands there by now.
        :raises DestinationError: when it cannot be written.
        """
