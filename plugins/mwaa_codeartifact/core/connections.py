"""The connections that a refresh uses, made once and handed in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import urllib3
from botocore.config import Config
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies

from mwaa_codeartifact.core.destinations.file import FileDestination
from mwaa_codeartifact.core.destinations.s3 import S3Destination
from mwaa_codeartifact.core.log_filter import keep_token_out

if TYPE_CHECKING:
    from types_boto3_codeartifact import CodeArtifactClient
    from types_boto3_s3 import S3Client

    from mwaa_codeartifact.core.codeartifact import HttpGet
    from mwaa_codeartifact.core.destinations import Destination
    from mwaa_codeartifact.core.index_url import Token

keep_token_out()

# At worst each call takes 3 tries of 3 + 5 s and the waits between: a refresh ends before the Lambda's time is up, and
# the operator's.
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
    respect_retry_after_header=False,  # the next run comes soon enough; this one has to end
)


def http_get(
    url: str,
    token: Token,
    *,
    ca_bundle: bool | str | None = None,
    tries: int = _TRIES,
    patience: float | None = None,
) -> int:
    """GET a URL as pip would, but without following redirects, which would carry the token elsewhere.

    Return the status.

    :param url: what to get.
    :param token: sent as the password of the user ``aws`` (CodeArtifact user guide, "Use CodeArtifact with pip").
    :param ca_bundle: path of the CA certificates, or False to check none (default: the system's).
    :param tries: how often at most it is asked while it is busy or silent (default: 3).
    :param patience: how long to wait for the connection and for each part of the answer (s, default: 3 and 5).
    :raises OSError: when there is no answer.
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
        # Its frames hold the request's headers, so only its name goes on.
        raise OSError(type(getattr(error, "reason", None) or error).__name__) from None
    return answer.status


@dataclass(frozen=True)
class Clients:
    """Bundle what a refresh talks through.

    :param codeartifact: client in the domain's region.
    :param s3: client in the bucket's region; unused for file:// destinations.
    :param http_get: see :func:`http_get`, the default.
    """

    codeartifact: CodeArtifactClient
    s3: S3Client
    http_get: HttpGet = http_get

    def destination(self, uri: str) -> Destination:
        """Open a destination; see :func:`open_destination`.

        :param uri: as there.
        """
        return open_destination(uri, self.s3)


def open_destination(uri: str, s3: S3Client) -> Destination:
    """Open an s3:// or file:// destination.

    :param uri: as in ``Target.destination``, which has validated it.
    :param s3: client in the bucket's region; unused for file://.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return FileDestination(Path(unquote(parts.path)))
    return S3Destination(s3, parts.netloc, parts.path.lstrip("/"))
