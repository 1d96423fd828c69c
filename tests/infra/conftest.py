from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra import ROOT
from infra.cli.aws import Aws

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-central-1"


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Run a moto server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(Path(__file__).with_name("moto_like_aws.py")), str(port)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert process.poll() is None, "the moto server has ended: see its error output"
            assert time.monotonic() < deadline, "the moto server does not answer"
            time.sleep(0.2)
        else:
            return


@pytest.fixture(scope="session")
def environ(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment for the AWS CLI with PATH only, on which this interpreter's tools come first."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path_factory.mktemp("home")),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_ENDPOINT_URL": endpoint,
    }


@pytest.fixture(scope="session")
def aws(environ: dict[str, str]) -> Aws:
    return Aws(REGION, environ)


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)


@pytest.fixture(scope="session")
def s3(endpoint: str, session: boto3.Session) -> Any:
    return session.client("s3", endpoint_url=endpoint)


@pytest.fixture(scope="session")
def cloudformation(endpoint: str, session: boto3.Session) -> Any:
    return session.client("cloudformation", endpoint_url=endpoint)
