"""Run deployed Lambda functions on the deployed zip, without Docker: warm processes, and invocations without a waiter.

Source: Lambda guide, "Understanding the Lambda execution environment lifecycle" and "How Lambda handles errors and
retries with asynchronous invocation".
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

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
_RETRIES, _EVENT_AGE_SECONDS = 2, 6 * 60 * 60


class RoleMay(Protocol):
    """Tells whether a role may do something on a resource."""

    def __call__(self, role_arn: str, action: str, resource: str) -> bool:
        """Evaluate the role's policies."""


class _Runtime:
    """What the functions of one server need: where AWS is, and their execution environments that wait for an event."""

    def __init__(self, endpoint_url: Callable[[], str], role_may: RoleMay | None) -> None:
        self.endpoint_url, self.stopped = endpoint_url, threading.Event()
        self.role_may: RoleMay = role_may or (lambda *_: True)
        self.retry_scale = float(os.environ.get("LOCAL_LAMBDA_RETRY_SCALE", "1"))
        self._idle: dict[str, tuple[str, list[ExecutionEnvironment]]] = {}
        self._lock = threading.Lock()

    def environment(self, function: LambdaFunction) -> ExecutionEnvironment:
        """Take one that is warm, or start one; those of other code or configuration end."""
        version = _version(function)
        with self._lock:
            known, idle = self._idle.get(function.function_arn, ("", []))
            if known != version:
                for environment in idle:
                    environment.stop()
                idle = []
                self._idle[function.function_arn] = (version, idle)
            while idle:
                environment = idle.pop()
                if environment.is_usable:
                    return environment
                environment.stop()
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        return ExecutionEnvironment(
            python(), function.code_bytes, _variables(function, stream, self.endpoint_url()), stream
        )

    def keep(self, function: LambdaFunction, environment: ExecutionEnvironment) -> None:
        """Keep one for the next event."""
        with self._lock:
            known, idle = self._idle.get(function.function_arn, ("", []))
            if known == _version(function) and environment.is_usable and not self.stopped.is_set():
                idle.append(environment)
                return
        environment.stop()

    def stop(self) -> None:
        """End all that wait."""
        self.stopped.set()
        with self._lock:
            for _, idle in self._idle.values():
                for environment in idle:
                    environment.stop()
            self._idle.clear()


_runtime = _Runtime(str, None)


def install(endpoint_url: Callable[[], str], role_may: RoleMay | None = None) -> None:
    """Let moto's functions run here.

    :param endpoint_url: where the functions find AWS.
    :param role_may: asked before Lambda writes a log or sends a message with a function's role (default: it may).
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
    result, failed, log = run(function, event)
    if failed:
        response_headers["x-amz-function-error"] = "Unhandled"
    response_headers["x-amz-log-result"] = base64.b64encode(log[-4096:].encode()).decode()
    return result.encode()


def run(function: LambdaFunction, event: Any) -> tuple[str, bool, str]:
    """Invoke a function once, and wait for it.

    :param function: as deployed.
    :param event: JSON types.
    :returns: JSON result, whether the function failed, what it logged.
    """
    environment = _runtime.environment(function)
    result, failed, log = environment.run(event, function.timeout)
    _runtime.keep(function, environment)
    _keep_log(function, environment.stream, log)
    for line in log.splitlines():
        _keep_metrics(function, line)
    for name, value in (("Invocations", 1), ("Errors", int(failed))):
        _count(function, name, value)
    return json.dumps(result), failed, log


class Invocation:
    """An event that waits in Lambda's queue until the function has taken it, or until all attempts have failed."""

    def __init__(self, function: LambdaFunction, event: Any, say: Callable[[str], None]) -> None:
        self._function, self._event, self._say, self._id = function, event, say, str(uuid.uuid4())
        self._thread = threading.Thread(target=self._attempts, name=f"lambda-{function.function_name}", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; return whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _attempts(self) -> None:
        config = self._function.event_invoke_config[-1].config if self._function.event_invoke_config else {}
        retries = int(config.get("MaximumRetryAttempts", _RETRIES))
        age = float(config.get("MaximumEventAgeInSeconds", _EVENT_AGE_SECONDS)) * _runtime.retry_scale
        began, condition = time.monotonic(), "RetriesExhausted"
        for attempt in range(retries + 1):
            result, failed, _ = run(self._function, self._event)
            self._say(f"{'failed' if failed else 'ran'}: {json.loads(result)}")
            if not failed:
                return
            if attempt < retries:
                pause = _RETRY_SECONDS[attempt] * _runtime.retry_scale
                if time.monotonic() + pause - began > age:
                    condition = "EventAgeExceeded"
                    break
                if _runtime.stopped.wait(pause):
                    return
        destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if destination:
            self._report(destination, condition, attempt + 1, json.loads(result))

    def _report(self, queue_arn: str, condition: str, attempts: int, result: Any) -> None:
        """Send the record of a failed invocation. Source: guide, "Capturing records …", the example of a record."""
        function = self._function
        if not _runtime.role_may(function.role, "sqs:SendMessage", queue_arn):
            _count(function, "DestinationDeliveryFailures", 1)
            return
        record = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": self._id,
                "functionArn": f"{function.function_arn}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": self._event,
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": result,
        }
        sqs_backends[function.account_id][function.region].send_message(
            queue_arn.rpartition(":")[2], json.dumps(record)
        )


def invoke_async(function: LambdaFunction, event: Any, say: Callable[[str], None] = lambda _: None) -> Invocation:
    """Let a function have an event, as EventBridge, CloudFormation and InvocationType=Event do; wait for nothing.

    :param function: as deployed.
    :param event: JSON types.
    :param say: told what became of every attempt.
    """
    return Invocation(function, event, say)


def check_destinations(function: LambdaFunction, config: dict[str, Any]) -> None:
    """Refuse a destination to which the function's role may not send. API, PutFunctionEventInvokeConfig.

    :param config: properties of AWS::Lambda::EventInvokeConfig.
    :raises ValueError: in Lambda's words.
    """
    arn = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    if arn and not _runtime.role_may(function.role, "sqs:SendMessage", arn):
        raise ValueError(f"The function's execution role does not have permissions to call SendMessage on {arn}")


def _version(function: LambdaFunction) -> str:
    """Return what an execution environment is made of."""
    parts = (function.code_bytes, function.handler, function.timeout, function.role, function.environment_vars)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _variables(function: LambdaFunction, stream: str, endpoint_url: str) -> dict[str, str]:
    """Return what a Lambda runtime gives, and where AWS is; the credentials are the function's role's."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "_HANDLER": function.handler,
        **assume_role(function.role, "lambda.amazonaws.com", function.region),
        **function.environment_vars,
    }


def _keep_log(function: LambdaFunction, stream: str, text: str) -> None:
    """Write a function's log with its role, as Lambda does: without the right to, nothing is written."""
    logs, group = function.logs_backend, function.logs_group_name
    arn = f"arn:aws:logs:{function.region}:{function.account_id}:log-group:{group}:"
    if group not in logs.groups:
        if not _runtime.role_may(function.role, "logs:CreateLogGroup", f"{arn}*"):
            return
        logs.ensure_log_group(group)
    if stream not in logs.groups[group].streams:
        if not _runtime.role_may(function.role, "logs:CreateLogStream", f"{arn}log-stream:{stream}"):
            return
        logs.create_log_stream(group, stream)
    if _runtime.role_may(function.role, "logs:PutLogEvents", f"{arn}log-stream:{stream}"):
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
        dimensions = [{"Name": name, "Value": logged[name]} for name in directive["Dimensions"][0]]
        metrics = [
            {
                "MetricName": metric["Name"],
                "Unit": metric["Unit"],
                "Value": logged[metric["Name"]],
                "Dimensions": dimensions,
            }
            for metric in directive["Metrics"]
        ]
        cloudwatch_backends[function.account_id][function.region].put_metric_data(directive["Namespace"], metrics)


def _count(function: LambdaFunction, metric: str, value: int) -> None:
    """Count for AWS/Lambda. Source: guide, "Types of metrics for Lambda functions"."""
    dimensions = [{"Name": "FunctionName", "Value": function.function_name}]
    datum = {"MetricName": metric, "Value": value, "Unit": "Count", "Dimensions": dimensions}
    cloudwatch_backends[function.account_id][function.region].put_metric_data("AWS/Lambda", [datum])
