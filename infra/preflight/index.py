"""The package index that a check reads: its project pages, and the sizes of files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

from infra.cli.index_client import CONNECTIONS, IndexClient, IndexClientError
from infra.preflight.problems import CannotCheckError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pypi_simple import DistributionPackage


class Index:
    """One index, each project page read once; a context manager that closes its connections.

    :param url: of its simple API (PEP 503), with or without user name and password.
    :param credentials: user name and password (default: those in the URL).
    :param ca_bundle: path of the CA certificates (default: those of requests).
    :raises CannotCheckError: if the URL is not http or https.
    """

    def __init__(self, url: str, credentials: tuple[str, str] | None = None, ca_bundle: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CannotCheckError("The index is not an http or https URL: correct or unset PREFLIGHT_INDEX_URL.")
        if parts.username and not credentials:
            credentials = unquote(parts.username), unquote(parts.password or "")
        host = parts.netloc.rpartition("@")[2]
        self.url = parts._replace(netloc=host, path=parts.path.rstrip("/") + "/").geturl()
        self.credentials, self.ca_bundle = credentials, ca_bundle
        self._pages: dict[str, list[DistributionPackage] | None] = {}
        self._client = IndexClient(self.url, credentials, ca_bundle)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def files(self, name: str) -> list[DistributionPackage] | None:
        """Return the files of a project, or None if the index does not have it.

        :param name: normalized.
        :raises CannotCheckError: if the index gives no usable answer.
        """
        if name not in self._pages:
            try:
                self._pages[name] = self._client.files(name)
            except IndexClientError as error:
                raise _unusable(error, self.url) from error
        return self._pages[name]

    def read_ahead(self, names: Iterable[str]) -> None:
        """Read the pages of many projects at once, so that :meth:`files` finds them in memory.

        :param names: normalized.
        :raises CannotCheckError: as for :meth:`files`.
        """
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(self.files, names))

    def sizes(self, urls: Sequence[str]) -> list[int | None]:
        """Return the sizes of many files (bytes), None for each that the index does not state.

        :param urls: the files'.
        """
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            return list(pool.map(self._size, urls))

    def _size(self, url: str) -> int | None:
        # A URL that is signed for a GET does not answer a HEAD.
        for method in ("HEAD", "GET"):
            with suppress(IndexClientError), self._client.open(url, method) as answer:
                length = answer.headers.get("Content-Length", "")
                if length.isdecimal():
                    return int(length)
        return None


def _unusable(error: IndexClientError, url: str) -> CannotCheckError:
    if error.status in {401, 403}:
        reason, fix = f"refuses the credentials ({error.status})", "check AWS_PROFILE, or PREFLIGHT_INDEX_URL"
    else:
        reason = f"gives no usable answer ({error.reason})"
        fix = "check the network to it and AWS_CA_BUNDLE, or set PREFLIGHT_INDEX_URL to another"
    return CannotCheckError(f"The index {url} {reason}: {fix}.")
