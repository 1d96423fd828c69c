from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.moto_server.werkzeug_app import create_backend_app

from infra.build import ROOT, build
from infra.local.codeartifact.pip_settings import PipSettings
from infra.local.codeartifact.store import CodeArtifact
from infra.local.codeartifact.upstream import Upstream
from tests.infra.lambda_.support import CloudFormation, Function, cloudformation, settings_for
from tests.plugins.mwaa_codeartifact.core.support import (
    DOMAIN,
    OWNER,
    REGION,
    REPOSITORY,
    Aws,
    Bucket,
    make_bucket,
    s3_client,
    serve,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication
    from types_boto3_s3 import S3Client


@pytest.fixture(scope="session")
def s3_app() -> WSGIApplication:
    app: WSGIApplication = create_backend_app("s3")
    return app


@pytest.fixture(scope="session")
def s3(s3_app: WSGIApplication) -> Iterator[S3Client]:
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
    with s3_client(session, s3_app) as client:
        yield client


@pytest.fixture
def bucket(s3: S3Client) -> Bucket:
    return make_bucket(s3)


@pytest.fixture
def aws(s3_app: WSGIApplication, tmp_path: Path) -> Iterator[Aws]:
    """Serve the target's repository and S3; the clock is the real one, as it is for the function."""
    state = CodeArtifact(now=lambda: datetime.now(UTC), packages_dir=tmp_path / "packages")
    state.create_domain(DOMAIN, OWNER, REGION)
    state.create_repository(DOMAIN, REPOSITORY)
    with Upstream(PipSettings("http://127.0.0.1:9/simple/")) as upstream:
        aws = Aws(state, upstream, s3_app)
        with serve(aws) as aws.url:
            yield aws


@pytest.fixture(scope="session")
def refresher_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the zip from the project's sources, away from its own build folder."""
    root = tmp_path_factory.mktemp("project")
    (root / "infra").mkdir()
    for folder in ("plugins", "infra/lambda"):
        (root / folder).symlink_to(ROOT / folder)
    build(root)
    return root / "build" / "refresher.zip"


@pytest.fixture
def function(refresher_zip: Path, aws: Aws, bucket: Bucket, tmp_path: Path) -> Function:
    folder = tmp_path / "function"
    with zipfile.ZipFile(refresher_zip) as package:
        package.extractall(folder)
    return Function(folder, aws, settings_for(bucket.uri))


@pytest.fixture
def cfn() -> Iterator[CloudFormation]:
    with cloudformation() as taker:
        yield taker
