from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.faults.support import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    import boto3

    from mwaa_codeartifact.core.connections import BotoConnections
    from mwaa_codeartifact.core.target import Target
    from tests.plugins.mwaa_codeartifact.core.support import Bucket, RecordedAws


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(no_aws_settings: None) -> None:
    pass


@pytest.fixture
def scene(
    recorded_aws: RecordedAws,
    bucket: Bucket,
    target: Target,
    connections: BotoConnections,
    local_session: boto3.Session,
    closed_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    """Set the scene of a fault; only the waits between two tries are cut short."""
    short_sleep = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 20))
    monkeypatch.setattr("botocore.endpoint.time", short_sleep)
    monkeypatch.setattr("mwaa_codeartifact.core.connections._RETRIES.backoff_factor", 0.01)
    scene = Scene(recorded_aws, bucket, target, connections, local_session, closed_port, monkeypatch)
    yield scene
    scene.close()
