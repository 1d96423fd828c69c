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
from tests.infra.local.codeartifact.support import OWNER, wheel
from tests.requirements.support import LikeAContainer, LocalAws, connections_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.requirements.support import Line


@pytest.fixture(scope="module")
def everyones_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Serve AWS with a bucket, and with a repository that holds the package `mine` and knows no other."""
    with Server(tmp_path_factory.mktemp("local") / "aws", 0, 0, lambda _speaker, _line: None) as server:
        aws = LocalAws(
            server, connections_to(server), bucket=f"startup-{uuid.uuid4().hex}", key="dags/codeartifact.txt"
        )
        aws.s3.create_bucket(Bucket=aws.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        aws.s3.put_bucket_versioning(Bucket=aws.bucket, VersioningConfiguration={"Status": "Enabled"})
        server.codeartifact.create_domain("data", OWNER, REGION)
        server.codeartifact.create_repository("data", "python")
        name, content = wheel("mine", "1.0")
        form = {":action": "file_upload", "protocol_version": "1"}
        login = "aws", server.codeartifact.mint("data")[0]
        url = f"{server.endpoint_url}/data-{OWNER}/pypi/python/"
        requests.post(url, data=form, files={"content": (name, content)}, auth=login, timeout=10).raise_for_status()
        yield aws


@pytest.fixture
def aws(everyones_aws: LocalAws, tmp_path: Path) -> LocalAws:
    """Give a test an index-url file of its own."""
    return replace(everyones_aws, key=f"{tmp_path.name}/codeartifact.txt")


@pytest.fixture(scope="module")
def dead_line(everyones_aws: LocalAws) -> Line:
    """Mint a line that is dead by now, as a refresher wrote it."""
    line = everyones_aws.new_line(life=timedelta(seconds=2))
    wait = datetime.fromisoformat(line.metadata["token-expires-at"]) - datetime.now(UTC)
    time.sleep(max(wait.total_seconds(), 0) + 1)
    return line


@pytest.fixture
def container(aws: LocalAws, tmp_path: Path) -> LikeAContainer:
    """Give a folder like a container's: dags/ not synced yet, plugins unpacked, neither the AWS CLI nor much else."""
    container = LikeAContainer(tmp_path / "container", aws)
    (container.airflow_home / "plugins").symlink_to(ROOT / "plugins")
    return container


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Listen and never answer."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        yield listening


@pytest.fixture
def trickling() -> Iterator[socket.socket]:
    """Answer with a byte a second, without end: no read ever takes too long, and nothing ever comes of it."""
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
    """Give the URL of a port on which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
