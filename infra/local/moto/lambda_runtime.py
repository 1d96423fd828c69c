"""Run deployed Lambda functions on the deployed zip, without Docker: warm processes, and invocations without a waiter.

Source: Lambda guide, "Understanding the Lambda execution environment lifecycle" and "How Lambda handles errors and
retries with asynchronous invocation".
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import LambdaFunction
from moto.cloudwatch.models import cloudwatch_backends
from moto.sqs.models import sqs_backends

from infra import ROOT
from infra.local.moto.iam import assume_role
from infra.local.moto.lambda_environment import ExecutionEnvironment

if TYPE_CHECKING:
    from collections.abc import Callable

# Lambda tries again one and two minutes after the first two failures.
_RETRY_SECONDS = (60.0, 120.0)


class _Runtime:
    """What the functions of one server need: where AWS is, and their execution environments that wait for an event."""

    def __init__(self, endpoint_url: Callable[[], str], role_may: Callable[[str, str, str], bool]) -> None:
        self.endpoint_url, self.role_may, self.stopped = endpoint_url, role_may, threading.Event()
        self.retry_scale = float(os.environ.get("LOCAL_LAMBDA_RETRY_SCALE", "1"))
        self._idle: dict[str, tuple[Any, list[ExecutionEnvironment]]] = {}
        self._lock = threading.Lock()

    def environment(self, function: LambdaFunction) -> ExecutionEnvironment:
        """Take one that is warm, or start one; those of other code or configuration end."""
        version = _version(function)
        with self._lock:
            known, idle = self._idle.get(function.function_arn, (None, []))
            warm = [environment for environment in idle if known == version and environment.is_usable]
            for environment in idle:
                if environment not in warm:
                    environment.stop()
            self._idle[function.function_arn] = (version, warm)
            if warm:
                return warm.pop()
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        variables = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.endpoint_url(),
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "_HANDLER": function.handler,
            **assume_role(function.role, "lambda.amazonaws.com", function.region),
            **function.environment_vars,
        }
        return ExecutionEnvironment(python(), function.code_bytes, variables, stream)

    def keep(self, function: LambdaFunction, environment: ExecutionEnvironment) -> None:
        """Keep one for the next event."""
        with self._lock:
            known, idle = self._idle.get(function.function_arn, (None, []))
            if known == _version(function) and environment.is_usable and not self.stopped.is_set():
                idle.append(environment)
                return
        environment.stop()

    def stop(self) -> None:
        """End all that wait."""
        self.stopped.set()
        with self._lock:
            for environment in (environment for _, idle in self._idle.values() for environment in idle):
                environment.stop()
            self._idle.clear()


_runtime = _Runtime(str, lambda *_: True)


def install(endpoint_url: Callable[[], str], role_may: Callable[[str, str, str], bool]) -> None:
    """Let moto's functions run here.

    :param endpoint_url: where the functions find AWS.
    :param role_may: asked, before Lambda writes a log or sends a message, about the function's role, action, resource.
    """
    global _runtime  # noqa: PLW0603  (moto calls what is put into its classes: there is no other way to reach it)
    _runtime = _Runtime(endpoint_url, role_may)
    LambdaFunction.invoke = _invoke


def stop() -> None:
    """End the processes of all functions, and the retries that wait."""
    _runtime.stop()


def python() -> str:
    """Return the interpreter that has the libraries of Lambda's runtime, if it has been set up, else this one."""
    runtime = ROOT / ".local" / "lambda-runtime" / "bin" / "python"
    return str(runtime) if runtime.exists() else sys.executable


def _invoke(function: LambdaFunction, body: Any, request_headers: Any, response_headers: Any) -> bytes:
    """Answer the API's Invoke."""
    event = json.loads(body) if body else {}
    if request_headers.get("X-Amz-Invocation-Type", request_headers.get("x-amz-invocation-type")) == "Event":
        invoke_async(function, event)
        return b""
    result, failed, log = _run(function, event)
    if failed:
        response_headers["x-amz-function-error"] = "Unhandled"
    response_headers["x-amz-log-result"] = base64.b64encode(log[-4096:].encode()).decode()
    return json.dumps(result).encode()


def _run(function: LambdaFunction, event: Any) -> tuple[Any, bool, str]:
    """Invoke a function once; return its result, whether it failed, what it logged."""
    environment = _runtime.environment(function)
    result, failed, log = environment.run(event, function.timeout)
    _runtime.keep(function, environment)
    _keep_log(function, environment.stream, log)
    for line in log.splitlines():
        _keep_metrics(function, line)
    _count(function, "Invocations", 1)
    _count(function, "Errors", int(failed))
    return result, failed, log


def invoke_async(function: LambdaFunction, event: Any, say: Callable[[str], None] = lambda _: None) -> threading.Thread:
    """Let a function have an event, as EventBridge, CloudFormation and InvocationType=Event do; wait for nothing.

    :param function: as deployed.
    :param event: JSON types.
    :param say: told what became of every attempt.
    :returns: ends when the function has taken the event, or when all attempts have failed.
    """
    thread = threading.Thread(target=_attempt, args=(function, event, say), daemon=True)
    thread.start()
    return thread


def _attempt(function: LambdaFunction, event: Any, say: Callable[[str], None]) -> None:
    config = function.event_invoke_config[-1].config if function.event_invoke_config else {}
    retries = int(config.get("MaximumRetryAttempts", len(_RETRY_SECONDS)))
    for pause in (*_RETRY_SECONDS[:retries], None):
        result, failed, _ = _run(function, event)
        say(f"{'failed' if failed else 'ran'}: {result}")
        if not failed or (pause is not None and _runtime.stopped.wait(pause * _runtime.retry_scale)):
            return
    if queue_arn := _destination(config):
        _report(function, queue_arn, event, retries + 1, result)


def _report(function: LambdaFunction, queue_arn: str, event: Any, attempts: int, result: Any) -> None:
    """Send the record of a failed invocation. Source: guide, "Capturing records …", the example of a record."""
    if not _runtime.role_may(function.role, "sqs:SendMessage", queue_arn):
        _count(function, "DestinationDeliveryFailures", 1)
        return
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": f"{function.function_arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": result,
    }
    sqs_backends[function.account_id][function.region].send_message(queue_arn.rpartition(":")[2], json.dumps(record))


def check_destination(function: LambdaFunction, config: dict[str, Any]) -> None:
    """Refuse a destination to which the function's role may not send. API, PutFunctionEventInvokeConfig.

    :param config: properties of AWS::Lambda::EventInvokeConfig.
    :raises ValueError: in Lambda's words.
    """
    arn = _destination(config)
    if arn and not _runtime.role_may(function.role, "sqs:SendMessage", arn):
        raise ValueError(f"The function's execution role does not have permissions to call SendMessage on {arn}")


def _destination(config: dict[str, Any]) -> str:
    return str(config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", ""))


def _version(function: LambdaFunction) -> Any:
    """Return what an execution environment is made of."""
    return function.code_bytes, function.handler, function.timeout, function.role, dict(function.environment_vars)


def _keep_log(function: LambdaFunction, stream: str, text: str) -> None:
    """Write a function's log with its role, as Lambda does: without the right to, nothing is written."""
    logs, group, may = function.logs_backend, function.logs_group_name, partial(_runtime.role_may, function.role)
    arn = f"arn:aws:logs:{function.region}:{function.account_id}:log-group:{group}:"
    if group not in logs.groups:
        if not may("logs:CreateLogGroup", f"{arn}*"):
            return
        logs.ensure_log_group(group)
    if stream not in logs.groups[group].streams:
        if not may("logs:CreateLogStream", f"{arn}log-stream:{stream}"):
            return
        logs.create_log_stream(group, stream)
    if may("logs:PutLogEvents", f"{arn}log-stream:{stream}"):
        now = int(datetime.now(UTC).timestamp() * 1000)
        logs.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in text.splitlines() if line])


def _keep_metrics(function: LambdaFunction, line: str) -> None:
    """Take metrics out of a log line in the embedded metric format, as CloudWatch Logs does."""
    try:
        logged = json.loads(line)
        directives = logged["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    for directive in directives:
        for metric in directive["Metrics"]:
            dimensions = {name: logged[name] for name in directive["Dimensions"][0]}
            _put_metric(function, directive["Namespace"], metric, logged[metric["Name"]], dimensions)


def _count(function: LambdaFunction, metric: str, value: int) -> None:
    """Count for AWS/Lambda. Source: guide, "Types of metrics for Lambda functions"."""
    dimensions = {"FunctionName": function.function_name}
    _put_metric(function, "AWS/Lambda", {"Name": metric, "Unit": "Count"}, value, dimensions)


def _put_metric(
    function: LambdaFunction, namespace: str, metric: dict[str, str], value: float, dimensions: dict[str, str]
) -> None:
    named = [{"Name": name, "Value": text} for name, text in dimensions.items()]
    datum = {"MetricName": metric["Name"], "Unit": metric["Unit"], "Value": value, "Dimensions": named}
    cloudwatch_backends[function.account_id][function.region].put_metric_data(namespace, [datum])
