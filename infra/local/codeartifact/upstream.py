"""The public index behind the repositories: its project pages, kept for a while, and its files, streamed."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import requests
from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedRepoVersionError
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3 import Retry

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

    from infra.cli.pip_settings import PipSettings

log = logging.getLogger(__name__)

PAGE_SECONDS = 300


class UpstreamError(Exception):
    """The public index did not give a usable answer."""


class _SameHostAuth(AuthBase):
    """Send the index's credentials to the index only, not to the host that its file links name."""

    def __init__(self, index_url: str, credentials: tuple[str, str]) -> None:
        self._netloc = urlsplit(index_url).netloc
        self._basic = HTTPBasicAuth(*credentials)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if urlsplit(request.url or "").netloc == self._netloc:
            return self._basic(request)
        return request


class Upstream:
    """Read the public index that pip is set up with; a context manager that closes its connections.

    :param settings: where it is
    :param page_seconds: how long a project page is used again (s, default 300)
    """

    def __init__(self, settings: PipSettings, page_seconds: float = PAGE_SECONDS) -> None:
        """Connect to nothing yet."""
        session = requests.Session()
        session.verify = settings.ca_bundle or True
        if settings.credentials:
            session.auth = _SameHostAuth(settings.index_url, settings.credentials)
        adapter = HTTPAdapter(
            pool_maxsize=16, max_retries=Retry(2, backoff_factor=0.25, status_forcelist=[500, 502, 503])
        )
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        self._client = PyPISimple(settings.index_url, session=session)
        self._settings = settings
        self._page_seconds = page_seconds
        self._pages: dict[str, tuple[float, list[DistributionPackage]]] = {}

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.s.close()

    def files(self, project: str) -> list[DistributionPackage] | None:
        """List the files of a project; None if the index does not know it.

        :param project: normalized name
        :raises UpstreamError: if the index does not give a usable answer
        """
        kept_until, files = self._pages.get(project, (0.0, []))
        if time.monotonic() < kept_until:
            return files
        try:
            page = self._client.get_project_page(project, timeout=self._settings.timeout)
        except NoSuchProjectError:
            return None
        except (requests.RequestException, ValueError, UnsupportedRepoVersionError) as error:
            raise self._failure(project, error) from error
        self._pages[project] = (time.monotonic() + self._page_seconds, page.packages)
        return page.packages

    def open(self, file: DistributionPackage) -> requests.Response:
        """Open a file for streaming; the caller closes it.

        :raises UpstreamError: if the index does not give the file
        """
        try:
            response = self._client.s.get(
                file.url,
                stream=True,
                timeout=self._settings.timeout,
                headers={"Accept-Encoding": "identity"},  # the bytes must be those that were hashed
            )
            if not response.ok:
                response.close()
            response.raise_for_status()
        except requests.RequestException as error:
            raise self._failure(file.filename, error) from error
        return response

    def _failure(self, what: str, error: Exception) -> UpstreamError:
        where = self._settings.index_url
        log.warning("index-url %s gave no usable answer for %s: %s", where, what, error)
        return UpstreamError(
            f"The package index that pip on this machine is set up with (index-url {where}) gave no usable "
            f"answer for {what} ({type(error).__name__}): check the network and `pip config list`."
        )
