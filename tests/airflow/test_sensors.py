"""The sensor and its trigger, against AWS."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from mwaa_codeartifact.compat import AirflowFailException
from mwaa_codeartifact.core.errors import DestinationError
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor
from tests.airflow.support import ROOT

if TYPE_CHECKING:
    from tests.airflow.support import CannedAws, ServedAws

HOUR = timedelta(hours=1)
# The exception's module differs by version, its name does not.
DEFERRED = "TaskDeferred"


def sensor(**arguments: Any) -> CodeArtifactIndexUrlFreshSensor:
    return CodeArtifactIndexUrlFreshSensor(**{"task_id": "fresh", "aws_conn_id": None} | arguments)


def deferred(task: CodeArtifactIndexUrlFreshSensor) -> Any:
    """Defer a task; return its trigger, restored as in the triggerer, and the exception that deferred it."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011  (checked below)
        task.execute({})
    assert type(caught.value).__name__ == DEFERRED
    waiting: Any = caught.value
    path, arguments = waiting.trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**json.loads(json.dumps(arguments))), waiting


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    return None


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("lifetime", "enough", "found"),
    [(HOUR, {}, "fresh"), (timedelta(minutes=29), {}, "stale"), (HOUR, {"min_remaining": 2 * HOUR}, "stale")],
)
def test_a_line_is_fresh_when_enough_is_left(
    lifetime: timedelta,
    enough: dict[str, timedelta],
    found: str,
    aws: ServedAws,
    bucket: str,
) -> None:
    aws.put_line(bucket, lifetime=lifetime)
    assert sensor(**enough).poke({}) is (found == "fresh")


@pytest.mark.usefixtures("configured")
def test_a_missing_line_is_not_fresh() -> None:
    assert sensor().poke({}) is False
    assert sensor(min_remaining=timedelta(0)).poke({}) is False


@pytest.mark.usefixtures("configured")
def test_a_line_of_another_repository_is_not_fresh(aws: ServedAws, bucket: str) -> None:
    aws.put_line(bucket, lifetime=HOUR)
    assert sensor(repository="elsewhere").poke({}) is False


@pytest.mark.usefixtures("configured")
def test_the_sensor_sends_head_requests_only(canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    canned_aws.default = (404, {})
    assert sensor().poke({}) is False
    assert [request.partition(" ")[0] for request in canned_aws.calls()] == ["HEAD"]


@pytest.mark.usefixtures("configured")
def test_an_s3_that_denies_access_fails_the_task(canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    canned_aws.default = (403, {})
    with pytest.raises(DestinationError, match="allow s3:GetObject"):
        sensor().poke({})


@pytest.mark.usefixtures("configured")
def test_a_bad_setting_fails_without_a_retry() -> None:
    with pytest.raises(AirflowFailException, match=r"\[codeartifact\] domain_owner is '12'"):
        sensor(domain_owner="12").poke({})


@pytest.mark.usefixtures("configured")
def test_a_sensor_that_does_not_defer_waits_in_the_worker(aws: ServedAws, bucket: str) -> None:
    task = sensor(poke_interval=0.1, timeout=0.5, soft_fail=False)
    with pytest.raises(Exception, match=r"(?i)time"):
        task.execute({})
    aws.put_line(bucket, lifetime=HOUR)
    assert sensor(poke_interval=0.1).execute({}) is None


@pytest.mark.usefixtures("configured")
def test_a_deferrable_sensor_does_not_defer_for_a_fresh_line(aws: ServedAws, bucket: str) -> None:
    aws.put_line(bucket, lifetime=HOUR)
    assert sensor(deferrable=True).execute({}) is None


@pytest.mark.usefixtures("configured")
def test_a_deferrable_sensor_waits_in_the_triggerer_until_the_line_is_refreshed(aws: ServedAws, bucket: str) -> None:
    task = sensor(deferrable=True, poke_interval=0.2, timeout=60)
    trigger, waiting = deferred(task)
    assert (waiting.method_name, waiting.timeout) == ("execute_complete", timedelta(seconds=60))

    async def refreshed_meanwhile() -> Any:
        event = asyncio.create_task(first_event(trigger))
        await asyncio.sleep(0.5)
        assert not event.done()
        aws.put_line(bucket, lifetime=HOUR)
        return await event

    event = asyncio.run(refreshed_meanwhile())
    assert event["status"] == "fresh"
    task.execute_complete({}, event)


@pytest.mark.usefixtures("configured")
def test_the_triggerer_keeps_running_while_s3_does_not_respond(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = {"read_timeout": 1, "retries": {"total_max_attempts": 1}}
    trigger, _ = deferred(sensor(deferrable=True, botocore_config=impatient))

    async def count_turns() -> tuple[int, Any]:
        looking = asyncio.create_task(first_event(trigger))
        turns = 0
        while not looking.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns, await looking

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        turns, event = asyncio.run(count_turns())
    assert "[ReadTimeoutError]" in event["message"]
    assert turns > 10  # of about a hundred; a blocked event loop has one


@pytest.mark.usefixtures("configured")
def test_a_trigger_that_cannot_read_the_line_fails_the_task(
    canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = sensor(deferrable=True)
    trigger, _ = deferred(task)
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    canned_aws.default = (403, {})
    event = asyncio.run(first_event(trigger))
    with pytest.raises(Exception, match="allow s3:GetObject"):
        task.execute_complete({}, event)


@pytest.mark.long
def test_an_import_of_the_sensor_loads_nothing_heavy_and_airflow_decides_whether_to_defer() -> None:
    code = """
import sys
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor
heavy = ("boto3", "botocore", "airflow.providers.amazon.aws", "mwaa_codeartifact.hooks")
print([name for name in sys.modules if name.startswith(heavy)])
print(CodeArtifactIndexUrlFreshSensor(task_id="fresh").deferrable)
"""
    environ = os.environ | {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True", "PYTHONPATH": str(ROOT / "plugins")}
    ended = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-2:] == ["[]", "True"]
    assert sensor().deferrable is False
