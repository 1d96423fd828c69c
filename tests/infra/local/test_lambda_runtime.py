"""Lambda functions: warm processes, new ones after a change, retries, and only the permissions of the role."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from moto.awslambda.utils import get_backend
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from infra.local.moto import lambda_runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.local.server import Server

REGION = "eu-west-1"
# Counts its events; the event decides what it does and prints.
CODE = """
import os, time
count = 0
def handler(event, context):
    global count
    count += 1
    print("event", count, event.get("say", ""))
    if event.get("sleep"): time.sleep(event["sleep"])
    if event.get("exit"): os._exit(3)
    if event.get("fail"): raise ValueError(event["fail"])
    return {"count": count, "setting": os.environ.get("SETTING"), "left": context.get_remaining_time_in_millis()}
"""
LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = {"Version": "2012-10-17", "Statement": [LAMBDA]}
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["logs:*", "sqs:SendMessage"], "Resource": "*"}],
}


def package(code: str) -> bytes:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("code_.py", code)
    return zipped.getvalue()


@pytest.fixture
def name() -> str:
    return f"function-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def client(server: Server, name: str) -> Iterator[Any]:
    """Create the function; return a client of Lambda."""
    iam = server.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=json.dumps(RIGHTS))
    client: Any = server.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="code_.handler",
        Code={"ZipFile": package(CODE)},
        Timeout=5,
    )
    yield client
    client.delete_function(FunctionName=name)


@pytest.fixture
def invoke(client: Any, name: str) -> Callable[..., dict[str, Any]]:
    def invoke(**event: Any) -> dict[str, Any]:
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        return {**payload, "error": answer.get("FunctionError")}

    return invoke


def metric(name: str, which: str) -> float:
    data: list[Any] = cloudwatch_backends[DEFAULT_ACCOUNT_ID][REGION].metric_data
    return float(sum(d.value for d in data if d.name == which and [x.value for x in d.dimensions] == [name]))


def log(server: Server, name: str) -> list[str]:
    logs: Any = server.client("logs")
    found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [event["message"].strip() for event in found]


def test_a_process_serves_many_events(server: Server, invoke: Callable[..., dict[str, Any]], name: str) -> None:
    assert [invoke(say=word)["count"] for word in ("one", "two", "three")] == [1, 2, 3]
    assert log(server, name) == ["event 1 one", "event 2 two", "event 3 three"]
    streams = server.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert len(streams) == 1


def test_an_event_that_fails_leaves_the_process_warm_and_is_counted(
    invoke: Callable[..., dict[str, Any]], name: str
) -> None:
    failed = invoke(fail="broken")
    assert (failed["error"], failed["errorType"], failed["errorMessage"]) == ("Unhandled", "ValueError", "broken")
    assert invoke()["count"] == 2
    assert (metric(name, "Invocations"), metric(name, "Errors")) == (2, 1)


def test_a_changed_function_gets_a_new_process(client: Any, invoke: Callable[..., dict[str, Any]], name: str) -> None:
    invoke()
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"SETTING": "new"}})
    assert (invoke()["count"], invoke()["setting"]) == (1, "new")
    client.update_function_code(FunctionName=name, ZipFile=package(CODE.replace("count = 0", "count = 100")))
    assert invoke()["count"] == 101


def test_a_function_that_takes_too_long_is_ended(client: Any, invoke: Callable[..., dict[str, Any]], name: str) -> None:
    client.update_function_configuration(FunctionName=name, Timeout=1)
    assert "Task timed out after 1.00 seconds" in invoke(sleep=20)["errorMessage"]
    assert invoke()["count"] == 1


def test_a_process_that_exits_is_replaced(invoke: Callable[..., dict[str, Any]]) -> None:
    assert invoke(exit=True)["errorType"] == "Runtime.ExitError"
    assert invoke()["count"] == 1


@pytest.fixture
def failures(server: Server, name: str) -> str:
    """Create a queue; return its URL."""
    return str(server.client("sqs").create_queue(QueueName=name)["QueueUrl"])


def configure(client: Any, name: str, **more: Any) -> None:
    arn = f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:{name}"
    client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}, **more
    )


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the minutes between Lambda's attempts."""
    monkeypatch.setattr(lambda_runtime._runtime, "retry_scale", 0.001)  # noqa: SLF001  (the knob's effect)


def received(server: Server, queue_url: str) -> list[dict[str, Any]]:
    sqs: Any = server.client("sqs")
    for _ in range(100):
        found = sqs.receive_message(QueueUrl=queue_url).get("Messages", [])
        if found:
            return [json.loads(message["Body"]) for message in found]
        time.sleep(0.05)
    return []


@pytest.mark.usefixtures("_soon")
def test_an_asynchronous_event_is_retried_and_then_sent_to_the_queue(
    server: Server, client: Any, name: str, failures: str
) -> None:
    configure(client, name, MaximumRetryAttempts=2)
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"fail": "broken"}')
    assert answer["StatusCode"] == 202
    (record,) = received(server, failures)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["functionArn"].endswith(f":function:{name}:$LATEST")
    assert record["requestPayload"] == {"fail": "broken"}
    assert record["responsePayload"] == {"errorMessage": "broken", "errorType": "ValueError"}
    assert metric(name, "Errors") == 3


@pytest.mark.usefixtures("_soon")
def test_without_its_roles_right_nothing_reaches_the_queue_or_the_log(
    client: Any, name: str, failures: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del failures
    asked: list[tuple[str, str, str]] = []

    def role_may(role_arn: str, action: str, resource: str) -> bool:
        asked.append((role_arn.rpartition("/")[2], action, resource))
        return False

    configure(client, name, MaximumRetryAttempts=0)
    monkeypatch.setattr(lambda_runtime._runtime, "role_may", role_may)  # noqa: SLF001  (IAM's answer)
    function = get_backend(DEFAULT_ACCOUNT_ID, REGION).get_function(name)
    lambda_runtime.invoke_async(function, {"fail": "broken"}).join(10)
    assert metric(name, "DestinationDeliveryFailures") == 1
    queue = f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:{name}"
    assert {action for role, action, _ in asked if role == name} == {"logs:CreateLogGroup", "sqs:SendMessage"}
    assert (name, "sqs:SendMessage", queue) in asked
    with pytest.raises(ValueError, match="does not have permissions to call SendMessage"):
        lambda_runtime.check_destination(function, {"DestinationConfig": {"OnFailure": {"Destination": queue}}})
