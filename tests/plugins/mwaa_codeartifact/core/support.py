"""CodeArtifact and S3 behind one HTTP endpoint, with a record of its requests and with faults."""

from __future__ import annotations

import base64
import io
import os
import socket
import traceback
import uuid
from collections import defaultdict, deque
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from infra.local.codeartifact.control_plane import control_plane
from infra.local.codeartifact.index import index
from infra.local.moto.conditional_writes import one_at_a_time
from mwaa_codeartifact.core.codeartifact import _WRONG_TOKEN
from mwaa_codeartifact.core.target import Domain, Repository
from tests.serving import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import boto3
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from types_boto3_s3 import S3Client

    from infra.local.codeartifact.store import CodeArtifact
    from infra.local.codeartifact.upstream import Upstream

    Forward = Callable[[], Response]
    Fault = Callable[[Forward], Response]

OWNER, DOMAIN, REPOSITORY = "123456789012", "data", "python"
REGION: Final = "eu-west-1"
REPOSITORY_ID = f"{REGION}/{OWNER}/{DOMAIN}/{REPOSITORY}"
TARGET_REPOSITORY = Repository(domain=Domain(region=REGION, owner=OWNER, name=DOMAIN), name=REPOSITORY)
KEY = "dags/codeartifact.txt"
START = datetime(2030, 1, 1, tzinfo=UTC)
STALE = START + timedelta(hours=2)
OTHER_LINE = b"another refresher's line\n"
BY_HAND = b"--index-url https://aws:by-hand@localhost/simple/\n"


@dataclass
class Clock:
    time: datetime = START

    def __call__(self) -> datetime:
        return self.time


def line_metadata(expires_at: datetime, **changes: str) -> dict[str, str]:
    """Return the metadata of another refresher's line; a change to "" removes that key."""
    facts = {
        "token-expires-at": f"{expires_at:%Y-%m-%dT%H:%M:%SZ}",
        "refreshed-at": "2029-12-31T22:00:00Z",
        "refreshed-by": "dag",
        "token-fingerprint": "0123456789ab",
        "repository": REPOSITORY_ID,
    }
    facts |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in facts.items() if value}


@dataclass(frozen=True)
class Bucket:
    """A bucket for direct access, which the endpoint does not record."""

    s3: S3Client
    name: str

    @property
    def uri(self) -> str:
        return f"s3://{self.name}/{KEY}"

    def write(self, body: bytes, metadata: Mapping[str, str] | None = None) -> str:
        """Put the index-url file and return its ETag."""
        return self.s3.put_object(Bucket=self.name, Key=KEY, Body=body, Metadata=metadata or {})["ETag"]

    def write_line(self, expires_at: datetime, body: bytes = OTHER_LINE, /, **changes: str) -> str:
        return self.write(body, line_metadata(expires_at, **changes))

    def read(self) -> bytes:
        return self.s3.get_object(Bucket=self.name, Key=KEY)["Body"].read()

    def metadata(self) -> dict[str, str]:
        return self.s3.head_object(Bucket=self.name, Key=KEY)["Metadata"]

    def versions(self) -> list[bytes]:
        """Return the contents of all versions, newest first."""
        ids = [version["VersionId"] for version in self.s3.list_object_versions(Bucket=self.name)["Versions"]]
        return [self.s3.get_object(Bucket=self.name, Key=KEY, VersionId=name)["Body"].read() for name in ids]


def make_bucket(s3: S3Client, *, versioned: bool = True) -> Bucket:
    """Create a bucket with a unique name; versioned, as the template makes it."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return Bucket(s3, name)


@contextmanager
def no_settings_of_this_machine() -> Iterator[None]:
    """Hide AWS settings and proxies from boto3 and from the code under test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@contextmanager
def s3_client(session: boto3.Session, app: WSGIApplication) -> Iterator[S3Client]:
    """Serve S3 without the recorded endpoint, and return a client of it."""
    with serve(app) as url:
        with no_settings_of_this_machine():
            client = session.client("s3", endpoint_url=url)
        with closing(client):
            yield client


@dataclass(frozen=True)
class Seen:
    step: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class RecordedAws:
    """A server for CodeArtifact and S3 that records its requests and responds with the faults of a test."""

    def __init__(self, state: CodeArtifact, upstream: Upstream, s3_app: WSGIApplication) -> None:
        self.state = state
        self.seen: list[Seen] = []
        self.url = ""
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._s3 = s3_app
        self._control_plane = control_plane(state, lambda: self.url)
        self._index = index(state, upstream)

    def at(self, step: str, *faults: Fault) -> None:
        """Respond to the next requests of a step with faults, one a request.

        :param step: head, endpoint, mint, verify, control (verify with a wrong token) or put.
        """
        self._faults[step].extend(faults)

    def drop_faults(self) -> None:
        """Remove the faults that no request has met yet."""
        self._faults.clear()

    @property
    def steps(self) -> list[str]:
        return [request.step for request in self.seen]

    def only(self, step: str) -> Seen:
        (request,) = (request for request in self.seen if request.step == step)
        return request

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)
        step, app = self._route(request)
        self.seen.append(Seen(step, request.path, request.args.to_dict(), dict(request.headers), body))

        def forward() -> Response:
            with one_at_a_time(writes=step == "put"):
                return Response.from_app(app, environ)

        faults = self._faults[step]
        try:
            response = faults.popleft()(forward) if faults else forward()
        except ConnectionAbortedError:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise
        return response(environ, start_response)

    def _route(self, request: Request) -> tuple[str, WSGIApplication]:
        if request.path.startswith("/v1/"):
            return "mint" if request.path == "/v1/authorization-token" else "endpoint", self._control_plane
        if "/pypi/" in request.path:
            login = request.authorization
            return "control" if login and login.password == _WRONG_TOKEN.value else "verify", self._index
        return request.method.lower(), self._s3


def answer(status: int, code: str = "", **headers: str) -> Fault:
    """Return a fault that responds with an error, in the form of S3 (XML) and of CodeArtifact (header)."""
    xml = f"<Error><Code>{code}</Code><Message>in words</Message></Error>" if code else ""
    named = {"x-amzn-errortype": code} if code else {}
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Response(xml, status, named | extra, mimetype="application/xml")


def after(act: Callable[[], object], then: Fault | None = None) -> Fault:
    """Return a fault that acts before the response (`then`; default: the usual one)."""

    def fault(forward: Forward) -> Response:
        act()
        return then(forward) if then else forward()

    return fault


def hang_up(_: Forward) -> Response:
    """Close the connection without a response."""
    raise ConnectionAbortedError


class QuietHandler(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


@contextmanager
def serve(app: WSGIApplication) -> Iterator[str]:
    with running(make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)) as url:
        yield url


def secrets_of(state: CodeArtifact) -> list[str]:
    """Return every form in which the tokens minted so far could leak."""
    assert state.minted, "nothing was minted, so nothing can be looked for"
    return [
        form
        for token in state.minted
        for form in (token, token[20:60], base64.b64encode(f"aws:{token}".encode()).decode()[20:60])
    ]


def assert_no_token(state: CodeArtifact, *things: Any) -> None:
    """Check that no token is in these texts, nor in the repr of other objects."""
    for thing in things:
        text = thing if isinstance(thing, str) else repr(thing)
        assert not any(secret in text for secret in secrets_of(state))


def rendered(error: BaseException) -> str:
    """Return an exception with its whole chain and every frame's local variables, like some log formatters.

    Without the first frame, which is the test's own.
    """
    frames = error.__traceback__ and error.__traceback__.tb_next
    return "".join(traceback.TracebackException(type(error), error, frames, capture_locals=True).format())
