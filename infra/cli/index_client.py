"""The client of package indexes: project pages and files over HTTP, and one error for every unusable answer."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import requests
from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedRepoVersionError
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3 import Retry

from infra.cli.program import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypi_simple import DistributionPackage

CONNECTIONS = 16


class IndexClientError(CommandError):
    """An index that gave no usable answer.

    :param url: the index.
    :param subject: the project or file that was requested.
    :param error: what the HTTP client raised.
    """

    def __init__(self, url: str, subject: str, error: Exception) -> None:
        self.status: int | None = getattr(getattr(error, "response", None), "status_code", None)
        self.reason = str(self.status or type(error).__name__)
        super().__init__(
            f"The package index {url} gave no usable answer for {subject} ({self.reason}): check the network to it."
        )


class IndexClient:
    """A client of one index, with retries; a context manager that closes its connections.

    :param url: the simple API (PEP 503) without credentials, with a slash at the end.
    :param credentials: user name and password; sent to the index's host only (default: none).
    :param ca_bundle: path of the CA certificates (default: those of requests).
    :param timeout: seconds.
    """

    def __init__(
        self, url: str, credentials: tuple[str, str] | None = None, ca_bundle: str | None = None, timeout: float = 30
    ) -> None:
        self.url, self._credentials, self._timeout = url, credentials, timeout
        self._session = requests.Session()
        self._session.verify = ca_bundle or True
        self._session.auth = self._authenticate if credentials else None
        retries = Retry(2, backoff_factor=0.25, status_forcelist=[429, 500, 502, 503], raise_on_status=False)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=retries))
        self._index = PyPISimple(url, session=self._session)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def files(self, project: str) -> list[DistributionPackage] | None:
        """Return the files of a project, or None if the index does not have it.

        :param project: the normalized name.
        :raises IndexClientError: if the index gives no usable answer.
        """
        with self._one_error(project), suppress(NoSuchProjectError):
            return self._index.get_project_page(project, timeout=self._timeout).packages
        return None

    def open(self, url: str, method: str = "GET") -> requests.Response:
        """Request a file and return the response for streaming; the caller closes it.

        :param url: the file's, on any host.
        :param method: GET or HEAD.
        :raises IndexClientError: if there is no usable answer.
        """
        headers = {"Accept-Encoding": "identity"}  # the bytes and their number must be those that were hashed
        with self._one_error(urlsplit(url).path.rpartition("/")[2]):
            response = self._session.request(
                method, url, stream=True, allow_redirects=True, timeout=self._timeout, headers=headers
            )
            if not response.ok:
                response.close()
            response.raise_for_status()
        return response

    def _authenticate(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the credentials, unless a file link leads to another host."""
        if urlsplit(request.url or "").netloc != urlsplit(self.url).netloc:
            return request
        return HTTPBasicAuth(*(self._credentials or ()))(request)

    @contextmanager
    def _one_error(self, subject: str) -> Iterator[None]:
        try:
            yield
        except (requests.RequestException, ValueError, UnsupportedRepoVersionError) as error:
            raise IndexClientError(self.url, subject, error) from error
