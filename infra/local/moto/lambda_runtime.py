"""Run deployed Lambda functions: each invocation is a process of its own on the deployed zip, without Docker."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import LambdaFunction
from moto.cloudwatch.models import cloudwatch_backends

from infra.local.moto.iam import assume_role

if TYPE_CHECKING:
    from collections.abc import Callable

_PROCESS = Path(__file__).with_name("lambda_process.py")


def install(endpoint_url: Callable[[], str]) -> None:
    """Let moto's functions run here.

    :param endpoint_url: where the functions find AWS.
    """

    def invoke(function: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        return run(function, event, endpoint_url())

    LambdaFunction._invoke_lambda = invoke


def run(function: LambdaFunction, event: Any, endpoint_url: str) -> tuple[str, bool, str]:
    """Invoke a function once.

    :param function: as deployed.
    :param event: JSON types.
    :param endpoint_url: where the function finds AWS.
    :returns: JSON result, whether the function failed, what it logged.
    """
    stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory(prefix="lambda-") as folder:
        with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as package:
            package.extractall(folder)
        try:
            process = subprocess.run(
                [sys.executable, "-B", str(_PROCESS)],
                input=json.dumps(event or {}),
                env=_environment(function, stream, endpoint_url),
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=function.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            answer = {
                "errorMessage": f"Task timed out after {function.timeout} seconds",
                "errorType": "Sandbox.Timedout",
            }
            return json.dumps(answer), True, ""
    printed, _, result = process.stdout.rpartition("\n")
    _keep_log(function, stream, process.stderr + printed)
    for line in printed.splitlines():
        _keep_metrics(function, line)
    return result or '{"errorType": "Runtime.ExitError"}', process.returncode != 0, process.stderr


def _environment(function: LambdaFunction, stream: str, endpoint_url: str) -> dict[str, str]:
    """Give what a Lambda runtime gives, and where AWS is; the credentials are the function's role's."""
    credentials = assume_role(function.role, "lambda.amazonaws.com", function.region)
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "_HANDLER": function.handler,
        **credentials,
        **function.environment_vars,
    }


def _keep_log(function: LambdaFunction, stream: str, text: str) -> None:
    logs, group = function.logs_backend, function.logs_group_name
    logs.ensure_log_group(group)
    logs.create_log_stream(group, stream)
    now = int(datetime.now(UTC).timestamp() * 1000)
    logs.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in text.splitlines()])


def _keep_metrics(function: LambdaFunction, line: str) -> None:
    """Take metrics out of a log line in the embedded metric format, as CloudWatch Logs does."""
    try:
        logged = json.loads(line)
        directives = logged["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    cloudwatch = cloudwatch_backends[function.account_id][function.region]
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
        cloudwatch.put_metric_data(directive["Namespace"], metrics)
