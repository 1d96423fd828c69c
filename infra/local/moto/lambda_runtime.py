"""Run Lambda functions from the deployed zip, without Docker: warm processes and asynchronous invocations.

Source: Lambda guide, "Understanding the Lambda execution environment lifecycle" and "How Lambda handles errors and
retries with asynchronous invocation".
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import LambdaFunction
from moto.backends import get_backend

from infra import ROOT
from infra.local.moto import iam, lambda_process

if TYPE_CHECKING:
    from collections.abc import Callable

# Lambda waits one minute before the first retry and two before the second.
_RETRY_SECONDS = (60.0, 120.0)


class _Environment:
    """One execution environment of a function: an unpacked zip, a process on it, and its log stream."""

    def __init__(self, function: LambdaFunction, endpoint_url: str) -> None:
        self.stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        variables = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": endpoint_url,
            **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), function.region),
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
            "AWS_LAMBDA_LOG_STREAM_NAME": self.stream,
            "_HANDLER": function.handler,
            **iam.assume_role(function.role, "lambda.amazonaws.com", function.region),
            **function.environment_vars,
        }
        self._folder = tempfile.TemporaryDirectory(prefix="lambda-")
        task, log = (Path(self._folder.name, name) for name in ("task", "log"))
        zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(task)
        command, pipe = [python(), "-B", lambda_process.__file__], subprocess.PIPE
        with log.open("wb") as err:
            self.process: Any = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=err, env=variables, cwd=task)
        self._log = log.open(encoding="utf-8", errors="replace")

    def run(self, event: Any, timeout: float) -> tuple[Any, bool, str]:
        """Return the result of one event, whether the function failed, and what it logged."""
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(event).encode() + b"\n")
            self.process.stdin.flush()
        ready = select([self.process.stdout], [], [], timeout)[0]
        if ready and (answer := self.process.stdout.readline()).endswith(b"\n"):
            return *json.loads(answer), self._log.read()
        self.process.kill()
        status, error, message = self.process.wait(), "Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds"
        if ready:
            error, message = "Runtime.ExitError", f"Runtime exited with status {status}"
        return {"errorMessage": message, "errorType": error}, True, self._log.read()

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()
        self._log.close()
        self._folder.cleanup()


class _Runtime:
    """The runtime of one server's functions: AWS's endpoint, and the idle execution environments."""

    def __init__(self, endpoint_url: Callable[[], str], role_may: Callable[[str, str, str], bool]) -> None:
        self.endpoint_url, self.role_may, self.stopped = endpoint_url, role_may, threading.Event()
        self.retry_scale = float(os.environ.get("LOCAL_LAMBDA_RETRY_SCALE", "1"))
        self.idle: dict[Any, list[_Environment]] = {}
        self.lock = threading.Lock()

    def run(self, function: LambdaFunction, event: Any) -> tuple[Any, bool]:
        """Run an event in an idle or a new environment; return the result and whether the function failed."""
        # Changed code or configuration needs a new environment.
        settings = function.handler, function.timeout, function.role, *function.environment_vars.items()
        version = function.function_arn, function.code_bytes, settings
        with self.lock:
            idle = self.idle.setdefault(version, [])
            environment = idle.pop() if idle else None
        environment = environment or _Environment(function, self.endpoint_url())
        result, failed, log = environment.run(event, function.timeout)
        _write_log(function, environment.stream, log)
        _count(function, Invocations=1, Errors=int(failed))
        with self.lock:
            if self.stopped.is_set() or environment.process.poll() is not None:
                environment.stop()
            else:
                idle.append(environment)
        return result, failed


_runtime = _Runtime(str, lambda *_: True)


def install(endpoint_url: Callable[[], str], role_may: Callable[[str, str, str], bool]) -> None:
    """Make moto run functions here; role_may decides whether Lambda may write a log or send a message for them."""
    global _runtime  # noqa: PLW0603  (moto calls the replaced methods without it)
    _runtime = _Runtime(endpoint_url, role_may)
    LambdaFunction.invoke = _invoke


def stop() -> None:
    """End the processes of all functions and the pending retries."""
    _runtime.stopped.set()
    with _runtime.lock:
        for environment in chain(*_runtime.idle.values()):
            environment.stop()


def python() -> str:
    """Return the interpreter with the libraries of Lambda's runtime if it is installed, else this one."""
    runtime = ROOT / ".local" / "lambda-runtime" / "bin" / "python"
    return str(runtime) if runtime.exists() else sys.executable


def _invoke(function: LambdaFunction, body: Any, request_headers: Any, response_headers: Any) -> bytes:
    """Handle the API's Invoke."""
    event = json.loads(body) if body else {}
    if request_headers.get("X-Amz-Invocation-Type") == "Event":
        invoke_async(function, event)
        return b""
    result, failed = _runtime.run(function, event)
    if failed:
        response_headers["x-amz-function-error"] = "Unhandled"
    return json.dumps(result).encode()


def invoke_async(function: LambdaFunction, event: Any, say: Callable[[str], None] = lambda _: None) -> threading.Thread:
    """Start an asynchronous invocation, as EventBridge, CloudFormation and InvocationType=Event do.

    The thread ends when an attempt has succeeded or all have failed; say is called after each.
    """
    thread = threading.Thread(target=_attempt, args=(function, event, say), daemon=True)
    thread.start()
    return thread


def check_destination(function: LambdaFunction, config: dict[str, Any]) -> None:
    """Raise ValueError if the role may not send to the destination. API, PutFunctionEventInvokeConfig."""
    arn = _destination(config)
    if arn and not _runtime.role_may(function.role, "sqs:SendMessage", arn):
        raise ValueError(f"The function's execution role does not have permissions to call SendMessage on {arn}")


def _destination(config: dict[str, Any]) -> str:
    return str(config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", ""))


def _attempt(function: LambdaFunction, event: Any, say: Callable[[str], None]) -> None:
    config = function.event_invoke_config[-1].config if function.event_invoke_config else {}
    retries = int(config.get("MaximumRetryAttempts", len(_RETRY_SECONDS)))
    for pause in (*_RETRY_SECONDS[:retries], None):
        result, failed = _runtime.run(function, event)
        say(f"{'failed' if failed else 'ran'}: {result}")
        if not failed or (pause is not None and _runtime.stopped.wait(pause * _runtime.retry_scale)):
            return
    if not (queue_arn := _destination(config)):
        return
    if not _runtime.role_may(function.role, "sqs:SendMessage", queue_arn):
        _count(function, DestinationDeliveryFailures=1)
        return
    # Source: guide, "Capturing records of Lambda asynchronous invocations", the example of a record.
    request = {"requestId": str(uuid.uuid4()), "functionArn": f"{function.function_arn}:$LATEST"}
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {**request, "condition": "RetriesExhausted", "approximateInvokeCount": retries + 1},
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": result,
    }
    sqs = get_backend("sqs")[function.account_id][function.region]
    sqs.send_message(queue_arn.rpartition(":")[2], json.dumps(record))


def _write_log(function: LambdaFunction, stream: str, text: str) -> None:
    """Write a function's log with its role, as Lambda does; without the permission, write nothing."""
    logs, group, may = function.logs_backend, function.logs_group_name, partial(_runtime.role_may, function.role)
    arn = f"arn:aws:logs:{function.region}:{function.account_id}:log-group:{group}:"
    if group not in logs.groups and may("logs:CreateLogGroup", f"{arn}*"):
        logs.ensure_log_group(group)
    streams = logs.groups[group].streams if group in logs.groups else None
    if streams is not None and stream not in streams and may("logs:CreateLogStream", f"{arn}log-stream:{stream}"):
        logs.create_log_stream(group, stream)
    if streams and stream in streams and may("logs:PutLogEvents", f"{arn}log-stream:{stream}"):
        now = int(time.time() * 1000)
        logs.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in text.splitlines() if line])


def _count(function: LambdaFunction, **counts: int) -> None:
    """Put metrics of AWS/Lambda. Source: guide, "Types of metrics for Lambda functions"."""
    named = [{"Name": "FunctionName", "Value": function.function_name}]
    data = [{"MetricName": name, "Unit": "Count", "Value": n, "Dimensions": named} for name, n in counts.items()]
    get_backend("cloudwatch")[function.account_id][function.region].put_metric_data("AWS/Lambda", data)
