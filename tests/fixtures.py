"""Shared fixtures: CodeArtifact and S3 behind one recorded endpoint, a bucket there, and their clients.

tests/conftest.py registers them as a plugin. A room that calls `recorded_aws` only `aws` has an alias in its conftest.
"""

from __future__ import annotations

import socket
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.moto_server.werkzeug_app import create_backend_app

from infra.cli.pip_settings import PipSettings
from infra.local.codeartifact.store import CodeArtifact
from infra.local.codeartifact.upstream import Upstream
from mwaa_codeartifact.core.connections import BotoConnections
from mwaa_codeartifact.core.target import Target
from tests.plugins.mwaa_codeartifact.core.support import (
    DOMAIN,
    REGION,
    REPOSITORY,
    TARGET_REPOSITORY,
    Bucket,
    Clock,
    RecordedAws,
    make_bucket,
    no_settings_of_this_machine,
    s3_client,
    serve,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication
    from types_boto3_s3 import S3Client


@pytest.fixture
def no_aws_settings() -> Iterator[None]:
    with no_settings_of_this_machine():
        yield


@pytest.fixture(scope="session")
def local_session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)


@pytest.fixture(scope="session")
def s3_app() -> WSGIApplication:
    app: WSGIApplication = create_backend_app("s3")
    return app


@pytest.fixture(scope="session")
def local_s3(local_session: boto3.Session, s3_app: WSGIApplication) -> Iterator[S3Client]:
    with s3_client(local_session, s3_app) as client:
        yield client


@pytest.fixture
def bucket(local_s3: S3Client) -> Bucket:
    return make_bucket(local_s3)


@pytest.fixture
def unversioned_bucket(local_s3: S3Client) -> Bucket:
    return make_bucket(local_s3, versioned=False)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port on which no server listens; it stays bound, so no other process takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorded_aws(clock: Clock, s3_app: WSGIApplication, tmp_path: Path) -> Iterator[RecordedAws]:
    """Serve the target's repository, the same of another domain, and S3."""
    state = CodeArtifact(now=clock, packages_dir=tmp_path / "packages")
    for domain in (DOMAIN, "other"):
        state.create_domain(domain)
        state.create_repository(domain, REPOSITORY)
    # No repository has an external connection: the public index is never asked.
    with Upstream(PipSettings("http://127.0.0.1:9/simple/")) as upstream:
        aws = RecordedAws(state, upstream, s3_app)
        with serve(aws) as aws.url:
            yield aws


@pytest.fixture
def connections(local_session: boto3.Session, recorded_aws: RecordedAws) -> Iterator[BotoConnections]:
    with closing(BotoConnections(partial(local_session.client, endpoint_url=recorded_aws.url))) as connections:
        yield connections


@pytest.fixture
def target(bucket: Bucket) -> Target:
    return Target(repository=TARGET_REPOSITORY, destination=bucket.uri)
