from __future__ import annotations

import socket
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import requests

from infra import ROOT
from infra.local.server import REGION, Server
from tests.infra.local.codeartifact.support import OWNER
from tests.requirements.support import LocalAws, SimpleContainer, connections_to
from tests.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.requirements.support import Line


@pytest.fixture(scope="module")
def shared_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Serve AWS with a bucket, and with a repository that contains the package `mine` only."""
    with Server(tmp_path_factory.mktemp("local") / "aws", 0, 0, lambda _speaker, _line: None) as server:
        aws = LocalAws(
            server, connections_to(server), bucket=f"startup-{uuid.uuid4().hex}", key="dags/codeartifact.txt"
        )
        aws.s3.create_bucket(Bucket=aws.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        aws.s3.put_bucket_versioning(Bucket=aws.bucket, VersioningConfiguration={"Status": "Enabled"})
        server.codeartifact.create_domain("data")
        server.codeartifact.create_repository("data", "python")
        name, content = wheel("mine", "1.0")
        form = {":action": "file_upload", "protocol_version": "1"}
        login = "aws", server.codeartifact.mint("data")[0]
        url = f"{server.endpoint_url}/data-{OWNER}.{REGION}/pypi/python/"
        requests.post(url, data=form, files={"content": (name, content)}, auth=login, timeout=10).raise_for_status()
        yield aws


@pytest.fixture
def aws(shared_aws: LocalAws, tmp_path: Path) -> LocalAws:
    """Return AWS with an index-url file for one test."""
    return replace(shared_aws, key=f"{tmp_path.name}/codeartifact.txt")


@pytest.fixture(scope="module")
def expired_line(shared_aws: LocalAws) -> Line:
    """Return a line that a refresher wrote and that has expired."""
    line = shared_aws.new_line(lifetime=timedelta(seconds=2))
    wait = datetime.fromisoformat(line.metadata["token-expires-at"]) - datetime.now(UTC)
    time.sleep(max(wait.total_seconds(), 0) + 1)
    return line


@pytest.fixture
def container(aws: LocalAws, tmp_path: Path) -> SimpleContainer:
    """Build a container: dags/ is not synced yet, the plugins are unpacked, and there is no AWS CLI."""
    container = SimpleContainer(tmp_path / "container", aws)
    (container.airflow_home / "plugins").symlink_to(ROOT / "plugins")
    return container


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Listen on a port and never respond."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        yield listening


@pytest.fixture
def trickling() -> Iterator[socket.socket]:
    """Serve one byte a second, without end: no read times out, and no response is ever complete."""
    done = threading.Event()
    threads = []

    def trickle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while not done.wait(1):
                connection.send(b"H")

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threads.append(threading.Thread(target=trickle, args=(connection,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threads.append(threading.Thread(target=serve, args=(listening,)))
        threads[0].start()
        yield listening
        done.set()
        listening.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()


@pytest.fixture
def down() -> Iterator[str]:
    """Return the URL of a port on which no process listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
