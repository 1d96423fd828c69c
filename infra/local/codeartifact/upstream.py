"""The public index behind the repositories: its project pages, kept for a while, and its files, streamed."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import requests
from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedRepoVersionError
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3 import Retry

from infra.local.codeartifact.errors import CodeArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypi_simple import DistributionPackage

    from infra.cli.pip_settings import PipSettings

log = logging.getLogger(__name__)
PAGE_SECONDS = 300  # so long a project page is used again


class UpstreamError(CodeArtifactError):
    """The public index did not give a usable answer."""

    status = HTTPStatus.BAD_GATEWAY


class Upstream(PyPISimple):
    """Read the public index that pip is set up with; a context manager that closes its connections."""

    def __init__(self, settings: PipSettings) -> None:
        super().__init__(settings.index_url, auth=self._authenticate if settings.credentials else None)
        self.s.verify = settings.ca_bundle or True
        retries = Retry(2, backoff_factor=0.25, status_forcelist=[500, 502, 503])
        for scheme in ("http://", "https://"):
            self.s.mount(scheme, HTTPAdapter(pool_maxsize=16, max_retries=retries))
        self._settings = settings
        self._pages: dict[str, tuple[float, list[DistributionPackage]]] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def files(self, project: str) -> list[DistributionPackage] | None:
        """Return the files of a project, by its normalized name; None if the index does not know it."""
        kept_until, files = self._pages.get(project, (0.0, []))
        if time.monotonic() < kept_until:
            return files
        with self._expecting(project), suppress(NoSuchProjectError):
            files = self.get_project_page(project, timeout=self._settings.timeout).packages
            self._pages[project] = (time.monotonic() + PAGE_SECONDS, files)
            return files
        return None

    def open(self, file: DistributionPackage) -> requests.Response:
        """Open a file for streaming; the caller closes it."""
        headers = {"Accept-Encoding": "identity"}  # the bytes must be those that were hashed
        with self._expecting(file.filename):
            response = self.s.get(file.url, stream=True, timeout=self._settings.timeout, headers=headers)
            if not response.ok:
                response.close()
            response.raise_for_status()
        return response

    def _authenticate(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Send the index's credentials to the index only, not to the host that its file links name."""
        if urlsplit(request.url or "").netloc != urlsplit(self.endpoint).netloc:
            return request
        return HTTPBasicAuth(*(self._settings.credentials or ()))(request)

    @contextmanager
    def _expecting(self, what: str) -> Iterator[None]:
        """Raise one error, which names the index, for all that can go wrong with it."""
        try:
            yield
        except (requests.RequestException, ValueError, UnsupportedRepoVersionError) as error:
            where = self._settings.index_url
            log.warning("index-url %s gave no usable answer for %s: %s", where, what, error)
            raise UpstreamError(
                f"The package index that pip on this machine is set up with (index-url {where}) gave no usable "
                f"answer for {what} ({type(error).__name__}): check the network and `pip config list`."
            ) from error
