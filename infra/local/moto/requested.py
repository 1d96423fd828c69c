"""Read from a signed request what IAM is asked and which endpoint it goes to.

Sources: Service Authorization Reference (resources of each action), and the service models of botocore for the
operations of services that speak REST.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from botocore.session import Session
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.responses import ACTION_MAP

from infra.local.moto.policy import Question

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")
# Services whose operations are told by method and path: as they sign to botocore's name.
_REST = {"airflow": "mwaa", "lambda": "lambda"}
# Actions whose names are not their service's and operation's.
_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction", "lambda:InvokeAsync": "lambda:InvokeFunction"}
# Endpoint services that are not called as their service signs. VPC user guide, "AWS services that integrate with
# AWS PrivateLink"; MWAA's begin like its host names (botocore: hostPrefix).
_ENDPOINTS = {"codeartifact": "codeartifact.api", "ecr": "ecr.api", "airflow": "airflow"}


def service_of(request: Request) -> str:
    """Return the name of the service that the request was signed for."""
    return _signed_for(request)[1]


def endpoint_of(request: Request) -> str:
    """Return the name of the request's endpoint service, such as sqs or airflow.env."""
    service = service_of(request)
    return _ENDPOINTS.get(service, service) + (f".{_operation(request)[1]}" if service == "airflow" else "")


def question_of(request: Request) -> Question:
    """Return what IAM is asked: action, resource, and the condition keys that the request itself gives."""
    region, service = _signed_for(request)
    # What is sent to 127.0.0.1 stands for HTTPS; X-Forwarded-Proto says otherwise, as before a load balancer.
    tls = request.headers.get("X-Forwarded-Proto", "https") == "https"
    context: dict[str, str | list[str]] = {"aws:SecureTransport": str(tls).lower(), "aws:RequestedRegion": region}
    if service == "s3":
        asked_for = {"s3:prefix": request.args["prefix"]} if "prefix" in request.args else {}
        return Question(*_of_s3(request), {**context, **asked_for})
    body = _body(request)
    if "Namespace" in body:
        context["cloudwatch:namespace"] = body["Namespace"]
    prefix = {"monitoring": "cloudwatch"}.get(service, service)
    operation, _, name = _operation(request) if service in _REST else (_named(request), "", "")
    action = _ACTIONS.get(f"{prefix}:{operation}", f"{prefix}:{operation}")
    arn = f"arn:aws:{prefix}:{region}:{DEFAULT_ACCOUNT_ID}:"
    if operation in {"InvokeRestApi", "CreateWebLoginToken"}:
        return Question(action, f"{arn}role/{name}/Admin", context)  # the Airflow role that this machine gives everyone
    return Question(action, _resource(service, arn, body, name), context)


def _signed_for(request: Request) -> tuple[str, str]:
    signed = _CREDENTIAL.search(request.headers.get("Authorization", ""))
    return (signed[1], signed[2]) if signed else ("", "")


def _named(request: Request) -> str:
    return request.headers.get("X-Amz-Target", "").rpartition(".")[2] or request.form.get("Action", request.method)


def _body(request: Request) -> dict[str, Any]:
    if request.form or "json" not in request.headers.get("Content-Type", ""):
        return request.form.to_dict()
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _resource(service: str, arn: str, body: dict[str, Any], name: str) -> str:
    """Return the ARN of what a request names, or ``*``."""
    queue = str(body.get("QueueUrl", body.get("QueueName", ""))).rpartition("/")[2]
    key = str(body.get("KeyId", ""))
    resources = {
        "sts": body.get("RoleArn"),
        "sns": body.get("TopicArn"),
        "sqs": queue and arn + queue,
        "kms": key and (key if key.startswith("arn:") else arn + (key if key.startswith("alias/") else f"key/{key}")),
        "lambda": name and (name if name.startswith("arn:") else f"{arn}function:{name}"),
        "airflow": name and f"{arn}environment/{name}",
        # As in AWS's own messages of refusal: a group is named as all its streams are.
        "logs": "logGroupName" in body
        and f"{arn}log-group:{body['logGroupName']}:log-stream:{body.get('logStreamName', '')}",
    }
    return str(resources.get(service) or "*")


@cache
def _operations(service: str) -> list[tuple[str, re.Pattern[str], str, str]]:
    """List the operations of a REST service: method, path with the resource's name as group, name, host prefix."""
    model = Session().get_service_model(_REST[service])
    operations: list[Any] = [model.operation_model(name) for name in model.operation_names]
    return [
        (
            operation.http["method"],
            re.compile(re.sub(r"\{\w+\}", "([^/]+)", operation.http["requestUri"].partition("?")[0]) + "/?"),
            operation.name,
            str((operation.endpoint or {}).get("hostPrefix", "")).rstrip("."),
        )
        for operation in operations
    ]


def _operation(request: Request) -> tuple[str, str, str]:
    """Return a REST operation's name, its host's prefix and the resource that its path names first."""
    for method, path, name, prefix in _operations(service_of(request)):
        found = path.fullmatch(request.path)
        if found and method == request.method:
            return name, prefix, unquote(found[1]) if found.groups() else ""
    return request.method, "", ""


def _of_s3(request: Request) -> tuple[str, str]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    actions = dict(ACTION_MAP["KEY" if key else "BUCKET"].get(request.method, {}))
    if key and request.method == "HEAD":
        actions["versionId"] = "GetObjectVersion"
    found = [action for query, action in actions.items() if query in request.args]
    action = found[0] if found else actions.get("DEFAULT", request.method)
    if not bucket:
        return "s3:ListAllMyBuckets", "*"
    return f"s3:{action}", f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
