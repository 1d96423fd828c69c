from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from infra.deploy.install_log import read_installation

if TYPE_CHECKING:
    import boto3

    from infra.cli.aws import Aws

pytestmark = pytest.mark.long

NOW = int(time.time() * 1000)


@pytest.fixture(scope="session")
def logs(session: boto3.Session, endpoint: str) -> Any:
    return session.client("logs", endpoint_url=endpoint)


@pytest.fixture
def environment() -> str:
    return f"env-{uuid4().hex[:8]}"


def write(logs: Any, group: str, *lines: str, stream: str = "requirements_install_ip-10-0-0-1") -> None:
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_what_was_installed_is_named_once_for_all_containers(aws: Aws, logs: Any, environment: str) -> None:
    line = "Successfully installed humanize-4.0.0 numpy-1.26.4"
    write(logs, f"airflow-{environment}-Worker", "Collecting numpy", line)
    write(logs, f"airflow-{environment}-Scheduler", line)
    found = read_installation(aws, environment, NOW)
    assert (found.installed, found.errors, found.told) == (("humanize-4.0.0", "numpy-1.26.4"), (), True)


def test_containers_that_started_earlier_do_not_count(aws: Aws, logs: Any, environment: str) -> None:
    write(logs, f"airflow-{environment}-Worker", "ERROR: old trouble")
    assert not read_installation(aws, environment, int(time.time() * 1000) + 60_000).told


def test_other_logs_of_the_environment_do_not_count(aws: Aws, logs: Any, environment: str) -> None:
    write(logs, f"airflow-{environment}-Worker", "ERROR: a task's", stream="worker_console_output")
    assert not read_installation(aws, environment, NOW).told


def test_an_environment_without_logs_has_told_nothing(aws: Aws, environment: str) -> None:
    assert not read_installation(aws, environment, NOW).told


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (
            (
                "WARNING: 401 Error, Credentials not correct for http://x/simple/numpy/",
                "ERROR: Cannot install numpy because these package versions have conflicting dependencies.",
            ),
            "the containers started on a dead index-url token",
        ),
        (("ERROR: Could not open requirements file: [Errno 2]",), "the index-url file was not there"),
        (("ERROR: No matching distribution found for nonsense",), "the repository has no such package or version"),
        (
            ("ERROR: Cannot install a and b because these package versions have conflicting dependencies.",),
            "exclude each other",
        ),
        (("ERROR: something new",), "pip says: ERROR: something new"),
    ],
    ids=["dead token", "no file", "unknown package", "conflict", "anything else"],
)
def test_what_pip_says_is_translated(aws: Aws, logs: Any, environment: str, lines: tuple[str, ...], cause: str) -> None:
    write(logs, f"airflow-{environment}-Worker", "Looking in indexes: …", *lines)
    found = read_installation(aws, environment, NOW)
    assert cause in found.cause
    assert found.errors == lines
