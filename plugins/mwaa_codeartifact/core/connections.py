"""The connections of a refresh: to CodeArtifact, to the destination, and to the repository."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import urllib3
from botocore.config import Config
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies

from mwaa_codeartifact.core.destinations import open_destination
from mwaa_codeartifact.core.log_filter import keep_token_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_codeartifact import CodeArtifactClient as BotoCodeArtifactClient
    from types_boto3_s3 import S3Client

    from mwaa_codeartifact.core.codeartifact import CodeArtifactClient, HttpGet
    from mwaa_codeartifact.core.destinations import Destination
    from mwaa_codeartifact.core.index_url import Token
    from mwaa_codeartifact.core.target import Domain, Target

# At worst each call takes 3 tries of 3 + 5 s and the waits between them: a refresh ends before the timeouts of the
# Lambda function and of the DAG's task.
_TRIES, _CONNECT_SECONDS, _READ_SECONDS = 3, 3, 5
CLIENT_CONFIG = Config(
    connect_timeout=_CONNECT_SECONDS,
    read_timeout=_READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": _TRIES},
)
_TIMEOUT = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
_RETRIES = urllib3.Retry(
    total=_TRIES - 1,
    redirect=0,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
    respect_retry_after_header=False,  # this run must end in time, and the next one comes soon
)


def http_get(
    url: str,
    token: Token,
    *,
    ca_bundle: bool | str | None = None,
    tries: int = _TRIES,
    patience: float | None = None,
) -> int:
    """GET a URL like pip and return the status; follow no redirect, which would send the token elsewhere.

    :param url: the URL.
    :param token: sent as the password of the user ``aws`` (CodeArtifact user guide, "Use CodeArtifact with pip").
    :param ca_bundle: path of the CA certificates, or False to verify none (default: the system's).
    :param tries: maximum number of requests while the server is busy or does not respond (default: 3).
    :param patience: timeout of the connection and of each part of the response (s, default: 3 and 5).
    :raises OSError: if there is no response.
    """
    tls: dict[str, Any] = {"cert_reqs": "CERT_NONE"} if ca_bundle is False else {}
    if isinstance(ca_bundle, str):
        tls = {"ca_certs": ca_bundle}
    proxy = get_environ_proxies(url).get(urlsplit(url).scheme)
    login = ProxyConfiguration().proxy_headers_for(proxy) if proxy else {}  # http://user:password@proxy
    pool = urllib3.ProxyManager(proxy, proxy_headers=login, **tls) if proxy else urllib3.PoolManager(**tls)
    try:
        with pool:
            answer = pool.request(
                "GET",
                url,
                headers=urllib3.make_headers(basic_auth=f"aws:{token.value}"),
                redirect=False,
                timeout=urllib3.Timeout(connect=patience, read=patience) if patience else _TIMEOUT,
                retries=_RETRIES.new(total=tries - 1),
            )
    except urllib3.exceptions.HTTPError as error:
        # Its frames contain the request's headers, so only its name is passed on.
        raise OSError(type(getattr(error, "reason", None) or error).__name__) from None
    return answer.status


class Connections(Protocol):
    """The connections that a refresh uses."""

    def codeartifact(self, domain: Domain, /) -> CodeArtifactClient:
        """Return a client in the domain's region."""

    def destination(self, target: Target, /) -> Destination:
        """Return the target's destination."""

    def http_get(self, url: str, token: Token, /) -> int:
        """GET a URL with the token and return the status; raise OSError if there is no response."""


class BotoConnections:
    """Connections through boto3 clients; each client is made once.

    :param make_client: makes a client from a service's name, ``region_name`` (None: the default region) and
        ``config``, like ``boto3.Session.client``.
    :param config: of the clients (default: bounded standard retries).
    :param http_get: see :func:`http_get` (default).
    """

    def __init__(
        self, make_client: Callable[..., Any], *, config: Config = CLIENT_CONFIG, http_get: HttpGet = http_get
    ) -> None:
        self._make_client, self._config, self._http_get = make_client, config, http_get
        self._clients: dict[tuple[str, str | None], Any] = {}
        self._lock = Lock()  # a boto3 session is not thread-safe, its clients are

    def codeartifact(self, domain: Domain) -> BotoCodeArtifactClient:
        """Return the client of the domain's region."""
        client: BotoCodeArtifactClient = self._client("codeartifact", domain.region)
        return client

    @property
    def s3(self) -> S3Client:
        """Return the S3 client of the default region, which is the bucket's."""
        client: S3Client = self._client("s3", None)
        return client

    def destination(self, target: Target, /) -> Destination:
        """Return the target's destination."""
        return open_destination(target.destination, self.s3)

    def http_get(self, url: str, token: Token, /) -> int:
        """GET a URL with the token and return the status; raise OSError if there is no response."""
        return self._http_get(url, token)

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close()

    def _client(self, service: str, region: str | None) -> Any:
        with self._lock:
            if (service, region) not in self._clients:
                keep_token_out()
                self._clients[service, region] = self._make_client(service, region_name=region, config=self._config)
            return self._clients[service, region]
