"""The package index that is asked: its project pages, and the sizes of files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

import requests
from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedRepoVersionError
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from infra.preflight.problems import CannotCheckError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pypi_simple import DistributionPackage

_CONNECTIONS = 16
_TIMEOUT_SECONDS = 30


class Index:
    """Read an index; a context manager that closes its connections.

    :param url: of its simple API (PEP 503), with or without user name and password.
    :param credentials: user name and password (default: those in the URL).
    :param ca_bundle: path of the CA certificates (default: those of requests).
    :raises CannotCheckError: if it is no http(s) URL.
    """

    def __init__(self, url: str, credentials: tuple[str, str] | None = None, ca_bundle: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CannotCheckError("The index is no http or https URL: set PREFLIGHT_INDEX_URL to one, or to nothing.")
        if parts.username and not credentials:
            credentials = unquote(parts.username), unquote(parts.password or "")
        host = parts.netloc.rpartition("@")[2]
        self.url = parts._replace(netloc=host, path=parts.path.rstrip("/") + "/").geturl()
        self.credentials, self.ca_bundle = credentials, ca_bundle
        self._host = host
        self._pages: dict[str, list[DistributionPackage] | None] = {}
        self._own, self._foreign = self._session(credentials), self._session(None)
        self._client = PyPISimple(self.url, session=self._own)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._own.close()
        self._foreign.close()

    def _session(self, credentials: tuple[str, str] | None) -> requests.Session:
        session = requests.Session()
        session.verify = self.ca_bundle or True
        session.auth = credentials
        retries = Retry(2, backoff_factor=0.25, status_forcelist=[429, 500, 502, 503], raise_on_status=False)
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=retries))
        return session

    def files(self, name: str) -> list[DistributionPackage] | None:
        """List the files of a project; None if the index does not know it.

        :param name: normalized.
        :raises CannotCheckError: if the index gives no usable answer.
        """
        if name not in self._pages:
            try:
                self._pages[name] = self._client.get_project_page(name, timeout=_TIMEOUT_SECONDS).packages
            except NoSuchProjectError:
                self._pages[name] = None
            except (requests.RequestException, ValueError, UnsupportedRepoVersionError) as error:
                status = getattr(getattr(error, "response", None), "status_code", None)
                raise _unusable(self.url, status, error) from error
        return self._pages[name]

    def read_ahead(self, names: Iterable[str]) -> None:
        """Read the pages of many projects at once, for :meth:`files` to find them there.

        :param names: normalized.
        :raises CannotCheckError: as for :meth:`files`.
        """
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(self.files, names))

    def sizes(self, urls: Sequence[str]) -> list[int | None]:
        """Ask for the sizes of many files at once (bytes); None where the index does not tell.

        :param urls: the files'.
        """
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            return list(pool.map(self._size, urls))

    def _size(self, url: str) -> int | None:
        session = self._own if urlsplit(url).netloc == self._host else self._foreign
        with suppress(requests.RequestException):
            # A HEAD is not answered where the file is handed out by a URL that is signed for a GET.
            for method in ("HEAD", "GET"):
                with session.request(
                    method,
                    url,
                    stream=True,
                    allow_redirects=True,
                    timeout=_TIMEOUT_SECONDS,
                    headers={"Accept-Encoding": "identity"},
                ) as answer:
                    length = answer.headers.get("Content-Length", "")
                    if answer.ok and length.isdecimal():
                        return int(length)
        return None


def _unusable(url: str, status: int | None, error: Exception) -> CannotCheckError:
    if status in {401, 403}:
        reason, fix = f"refuses the credentials ({status})", "check who is signed in, or PREFLIGHT_INDEX_URL"
    else:
        reason = f"gives no usable answer ({status or type(error).__name__})"
        fix = "check the network to it and AWS_CA_BUNDLE, or set PREFLIGHT_INDEX_URL to another"
    return CannotCheckError(f"The index {url} {reason}: {fix}.")
