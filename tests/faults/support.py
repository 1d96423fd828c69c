"""The scene of a fault, the ways to inject one, and what a row of the table of faults says."""

from __future__ import annotations

import functools
import json
import os
import socket
import struct
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import urllib3
from botocore.config import Config
from werkzeug.wrappers import Response

from mwaa_codeartifact.core.connections import CLIENT_CONFIG, BotoConnections
from mwaa_codeartifact.core.policy import LAMBDA_MIN_REMAINING
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import Target
from tests.plugins.mwaa_codeartifact.core.support import (
    BY_HAND,
    DOMAIN,
    KEY,
    OTHER_LINE,
    OWNER,
    REGION,
    REPOSITORY,
    STALE,
    START,
    Bucket,
    after,
    line_metadata,
    make_bucket,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    import pytest
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mwaa_codeartifact.core.refresh import RefreshResult
    from tests.plugins.mwaa_codeartifact.core.support import Fault, Forward, RecordedAws

HOUR = timedelta(hours=1)
IN_12_HOURS = START + 12 * HOUR
NEWER_LINE = b"the newer line of another refresher\n"


class Holds(Enum):
    """The content of the index-url file afterwards."""

    OLD = "the old line"
    NEW = "the new line"
    OTHER = "the other refresher's line"
    BY_HAND = "the hand-written line"
    NOTHING = "nothing"


class Alarm(Enum):
    """The alarms that ring while the fault lasts, in their order."""

    NONE = "none"
    FALLBACK = "fallback"
    SHORT = "remaining lifetime < 6 h, then fallback"
    ERRORS_ONLY = "refresher errors"
    ERRORS_AT_ONCE = "refresher errors, remaining lifetime < 6 h"
    ERRORS = "refresher errors, then remaining lifetime < 6 h"
    UNKNOWN = "refresher errors, then remaining lifetime unknown"


@dataclass(frozen=True)
class Row:
    """One fault and its effects.

    :param name: the fault.
    :param inject: causes it in a scene.
    :param holds: the content of the file afterwards.
    :param sees: the part of the error's sentence, or else of the log, that identifies the fault.
    :param alarm: the alarms that ring if the fault lasts and no other refresher works.
    :param lasts: for how long it lasts.
    """

    name: str
    inject: Callable[[Scene], object]
    holds: Holds
    sees: str
    alarm: Alarm
    lasts: timedelta = 3.5 * HOUR


@dataclass
class Scene:
    """A stale line (2 h left) that the Lambda is about to refresh.

    :param skew: how far this machine's clock is ahead.
    """

    aws: RecordedAws
    bucket: Bucket
    target: Target
    connections: BotoConnections
    session: boto3.Session
    closed_port: int
    patch: pytest.MonkeyPatch
    skew: timedelta = timedelta(0)
    standing: datetime = STALE
    versioned: bool = True
    config: Config = CLIENT_CONFIG
    short_seconds: float = 0.4
    changed_settings: dict[str, str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)
    _lasting: list[tuple[str, tuple[Fault, ...]]] = field(default_factory=list)
    _opened: list[BotoConnections] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bucket.write_line(self.standing)

    def run(self) -> RefreshResult:
        return refresh(
            self.target,
            refresher="lambda",
            min_remaining=LAMBDA_MIN_REMAINING,
            connections=self.connections,
            now=lambda: START + self.skew,
        )

    def close(self) -> None:
        self.over.set()
        for connections in self._opened:
            connections.close()

    def at(self, step: str, *faults: Fault) -> None:
        self.aws.at(step, *faults)
        self._lasting.append((step, faults))

    def always(self, step: str, fault: Fault) -> None:
        """Cause the fault at every try of a step."""
        self.at(step, *[fault] * 15)

    def meet_the_faults_again(self) -> None:
        """Cause the same faults at the next refresh as at the first one."""
        self.aws.drop_faults()
        for step, faults in self._lasting:
            self.aws.at(step, *faults)

    def look(self) -> list[bytes]:
        """Return the contents of all versions, newest first."""
        return self.bucket.versions() if self._bucket_exists() else []

    def expect(self, holds: Holds, before: list[bytes]) -> None:
        """Check bytes, metadata and versions of the file.

        :param before: what was there when the refresh began, see look().
        """
        versions = self.look()
        minted = [token.encode() for token in self.aws.state.minted]
        ours = [body for body in versions if any(token in body for token in minted)]
        assert versions[len(versions) - len(before) :] == before or not self.versioned
        if holds is Holds.NEW:
            (line,) = ours
            assert self.bucket.read() == versions[0] == line
            self._expect_a_working_line(line.decode())
            return
        assert ours == []
        if holds is Holds.NOTHING:
            assert not self._bucket_exists()
        elif holds is Holds.OTHER:
            assert self.bucket.read().startswith(NEWER_LINE)
            assert self.bucket.metadata()["refreshed-by"] == "dag"
        else:
            assert self.bucket.read() == (OTHER_LINE if holds is Holds.OLD else BY_HAND)
            assert self.bucket.metadata() == (line_metadata(self.standing) if holds is Holds.OLD else {})
            assert versions == before

    def _expect_a_working_line(self, line: str) -> None:
        comment, index_url, end = line.split("\n")
        url = urlsplit(index_url.removeprefix("--index-url "))
        expires_at = self.aws.state.domain(DOMAIN).tokens[url.password or ""]
        assert (url.username, url.path, end) == ("aws", f"/{DOMAIN}-{OWNER}.{REGION}/pypi/{REPOSITORY}/simple/", "")
        assert self.aws.state.check(DOMAIN, url.password or "")
        metadata = self.bucket.metadata()
        assert comment.partition(": ")[2] == ", ".join(f"{name}={value}" for name, value in metadata.items())
        assert metadata["token-expires-at"] == f"{expires_at:%Y-%m-%dT%H:%M:%SZ}"
        assert metadata["refreshed-by"] == "lambda"

    def _bucket_exists(self) -> bool:
        return any(bucket["Name"] == self.bucket.name for bucket in self.bucket.s3.list_buckets()["Buckets"])

    def other_publishes(self, lives: timedelta = 12 * HOUR) -> None:
        self.bucket.write_line(self.aws.state.now() + lives, NEWER_LINE + str(self.aws.state.now() + lives).encode())

    def others_publish(self, *hours: float) -> None:
        """Publish another line with this lifetime before each attempt to publish."""
        for lives in hours:
            self.at("put", after(functools.partial(self.other_publishes, lives * HOUR)))

    def delete(self) -> None:
        self.bucket.s3.delete_object(Bucket=self.bucket.name, Key=KEY)

    def limit_tokens(self, life: timedelta) -> None:
        self.aws.state.token_life_limit = life

    def hide_from_bad_tokens(self, *, but_has: str = "") -> None:
        """Return 404 for bad tokens.

        :param but_has: a package that the repository has.
        """
        self.aws.state.hides_from_bad_tokens = True
        if but_has:
            self.aws.state.repository(DOMAIN, REPOSITORY).publish(but_has, f"{but_has}-1.0.tar.gz", b"")

    def clock_is(self, ahead: timedelta, standing: timedelta = STALE - START) -> None:
        """Set the clock here wrong.

        :param standing: the true remaining lifetime of the current line.
        """
        self.skew, self.standing = ahead, START + standing
        self.bucket.write_line(self.standing)

    @property
    def other_endpoint(self) -> str:
        """Return the same repository by another name."""
        return f"{self.aws.url.replace('127.0.0.1', 'localhost')}/{DOMAIN}-{OWNER}.{REGION}/pypi/{REPOSITORY}/"

    def set_target(self, **settings: str) -> None:
        self.changed_settings |= settings
        repository = self.target.repository
        known = {"domain": repository.domain.name, "domain_owner": OWNER, "repository": repository.name}
        known |= {"region": REGION, "destination": self.target.destination}
        self.target = Target.from_settings(known | settings)

    def without_bucket(self) -> None:
        self.bucket = Bucket(self.bucket.s3, "no-such-bucket")
        self.set_target(destination=self.bucket.uri)

    def without_versions(self) -> Bucket:
        self.versioned = False
        self.bucket = make_bucket(self.bucket.s3, versioned=False)
        self.set_target(destination=self.bucket.uri)
        return self.bucket

    def without_credentials(self) -> None:
        self._connect(boto3.Session(region_name=REGION), CLIENT_CONFIG)

    def hangs(self, step: str, *, taking_effect: bool = False) -> None:
        """Leave every try of a step without an answer until the client gives up."""

        def hang(forward: Forward) -> Response:
            response = forward() if taking_effect else Response(status=500)
            self.over.wait(10)
            return response

        self.patch.setattr("mwaa_codeartifact.core.connections._TIMEOUT", urllib3.Timeout(self.short_seconds))
        self._connect(self.session, CLIENT_CONFIG.merge(Config(read_timeout=self.short_seconds)))
        self.at(step, *[hang] * (1 if taking_effect else 15))

    def _connect(self, session: boto3.Session, config: Config) -> None:
        self.session, self.config = session, config
        make_client = functools.partial(session.client, endpoint_url=self.aws.url)
        self.connections = BotoConnections(make_client, config=config)
        self._opened.append(self.connections)


def says(status: int, code: str, message: str) -> Fault:
    """Respond with an error in AWS's own words."""
    xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return lambda _: Response(xml, status, mimetype="application/xml")


def endpoint_is(url: str) -> Fault:
    """Return another endpoint of the repository."""
    return lambda _: Response(json.dumps({"repositoryEndpoint": url}), mimetype="application/json")


class _Half(Response):
    """Send the first half of a body only."""

    reset = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        whole = self.get_data() or b"an answer"
        self.response = self._half(whole, environ["werkzeug.socket"])
        self.headers["Content-Length"] = str(len(whole))
        return super().__call__(environ, start_response)

    def _half(self, whole: bytes, connection: socket.socket) -> Iterator[bytes]:
        yield whole[: len(whole) // 2]
        if self.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(connection.detach())
        raise ConnectionAbortedError


class _ResetHalf(_Half):
    reset = True


def cut_off(forward: Forward) -> Response:
    """Close the connection in the middle of the answer, as if that were its end (FIN)."""
    return _Half.force_type(forward())


def reset(forward: Forward) -> Response:
    """Reset the connection in the middle of the answer (RST)."""
    return _ResetHalf.force_type(forward())


def lose(*, then: Fault) -> Fault:
    """Carry out the request, but respond as if it had failed."""

    def fault(forward: Forward) -> Response:
        forward()
        return then(forward)

    return fault
