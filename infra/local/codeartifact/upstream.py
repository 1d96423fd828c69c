"""The public index behind the repositories: its project pages (cached) and its files (streamed)."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from infra.cli.index_client import IndexClient, IndexClientError
from infra.local.codeartifact.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests
    from pypi_simple import DistributionPackage

    from infra.cli.pip_settings import PipSettings

log = logging.getLogger(__name__)
PAGE_SECONDS = 300  # how long a project page is cached


class UpstreamError(ApiError):
    """The public index did not return a usable response."""

    status = HTTPStatus.BAD_GATEWAY


class Upstream(ExitStack):
    """A reader of the public index that pip is configured with; a context manager that closes its connections."""

    def __init__(self, settings: PipSettings) -> None:
        super().__init__()
        self._client = IndexClient(settings.index_url, settings.credentials, settings.ca_bundle, settings.timeout)
        self.callback(self._client.close)
        self._pages: dict[str, tuple[float, list[DistributionPackage]]] = {}

    def files(self, project: str) -> list[DistributionPackage] | None:
        """Return the files of a project by its normalized name, or None if the index does not have it."""
        kept_until, kept = self._pages.get(project, (0.0, []))
        if time.monotonic() < kept_until:
            return kept
        with self._as_upstream_error(project):
            files = self._client.files(project)
        if files is not None:
            self._pages[project] = (time.monotonic() + PAGE_SECONDS, files)
        return files

    def open(self, file: DistributionPackage) -> requests.Response:
        """Open a file for streaming; the caller must close it."""
        with self._as_upstream_error(file.filename):
            return self._client.open(file.url)

    @contextmanager
    def _as_upstream_error(self, what: str) -> Iterator[None]:
        try:
            yield
        except IndexClientError as error:
            where = self._client.url
            log.warning("index-url %s returned no usable response for %s: %s", where, what, error.__cause__)
            raise UpstreamError(
                f"The package index that pip on this machine is configured with (index-url {where}) returned no usable "
                f"response for {what} ({error.reason}): check the network and `pip config list`."
            ) from error
