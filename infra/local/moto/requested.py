"""Read a signed request: the question for IAM, and the endpoint service.

Source: Service Authorization Reference (resources of each action).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.request import Request as MotoRequest
from moto.core.routing import get_service_router
from moto.s3.responses import ACTION_MAP
from werkzeug.exceptions import NotFound

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request")
# REST services, whose operation is in method and path: signing name to botocore's name.
_REST = {"airflow": "mwaa", "lambda": "lambda"}
_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}
# Endpoint services with another name than the signing name. VPC user guide, "AWS services that integrate with …".
_ENDPOINTS = {"codeartifact": "codeartifact.api", "ecr": "ecr.api"}


def service_of(request: Request) -> str:
    """Return the name of the service that the request was signed for."""
    return _signed_for(request)[1]


def endpoint_of(request: Request) -> str:
    """Return the name of the request's endpoint service, such as sqs or airflow.env."""
    service = service_of(request)
    if service == "airflow":  # named after the host prefix (botocore: hostPrefix)
        return f"{service}.{_operation(request, service)[2]}"
    return _ENDPOINTS.get(service, service)


def question_of(request: Request) -> tuple[str, str, dict[str, str | list[str]]]:
    """Return the action, the resource and the request's own condition keys for IAM."""
    region, service = _signed_for(request)
    # Requests to 127.0.0.1 count as HTTPS unless X-Forwarded-Proto says otherwise, as behind a load balancer.
    tls = request.headers.get("X-Forwarded-Proto", "https") == "https"
    context: dict[str, str | list[str]] = {"aws:SecureTransport": str(tls).lower(), "aws:RequestedRegion": region}
    if service == "s3":
        prefix_key = {"s3:prefix": request.args["prefix"]} if "prefix" in request.args else {}
        return *_of_s3(request), {**context, **prefix_key}
    body = request.form.to_dict() or request.get_json(force=True, silent=True)
    body = body if isinstance(body, dict) else {}
    if "Namespace" in body:
        context["cloudwatch:namespace"] = body["Namespace"]
    prefix = "cloudwatch" if service == "monitoring" else service
    operation, name, _ = _operation(request, service)
    action = f"{prefix}:{operation}"
    resource = _resource(service, f"arn:aws:{prefix}:{region}:{DEFAULT_ACCOUNT_ID}:", body, name, operation)
    return _ACTIONS.get(action, action), resource, context


def _signed_for(request: Request) -> tuple[str, str]:
    signed = _CREDENTIAL.search(request.headers.get("Authorization", ""))
    return (signed[1], signed[2]) if signed else ("", "")


def _operation(request: Request, service: str) -> tuple[str, str, str]:
    """Return an operation's name and, for REST services, its first path parameter and its host prefix."""
    if service not in _REST:
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        return target or request.form.get("Action", request.method), "", ""
    try:
        operation, parameters = get_service_router(_REST[service]).match(MotoRequest(request.environ))
    except NotFound:
        return request.method, "", ""
    endpoint: Any = operation.endpoint or {}
    return operation.name, next(iter(parameters.values()), ""), endpoint.get("hostPrefix", "").rstrip(".")


def _resource(service: str, arn: str, body: dict[str, Any], name: str, operation: str) -> str:
    """Return the ARN of the resource in a request, or ``*``."""
    queue = str(body.get("QueueUrl", body.get("QueueName", ""))).rpartition("/")[2]
    key, stream = str(body.get("KeyId", "")), body.get("logStreamName", "")
    in_airflow = operation in {"InvokeRestApi", "CreateWebLoginToken"}
    resources = {
        "sts": body.get("RoleArn"),
        "sns": body.get("TopicArn"),
        "sqs": queue and arn + queue,
        "kms": key and arn + (key if key.startswith("alias/") else f"key/{key}"),
        "lambda": name and f"{arn}function:{name}",
        "airflow": name and arn + (f"role/{name}/Admin" if in_airflow else f"environment/{name}"),
        # As in AWS's own messages: the ARN of a group includes its streams.
        "logs": "logGroupName" in body and f"{arn}log-group:{body['logGroupName']}:log-stream:{stream}",
    }
    named = next((each for each in (key, name) if each.startswith("arn:")), resources.get(service))
    return str(named or "*")


def _of_s3(request: Request) -> tuple[str, str]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    if not bucket:
        return "s3:ListAllMyBuckets", "*"
    actions = dict(ACTION_MAP["KEY" if key else "BUCKET"].get(request.method, {}))
    if key and request.method == "HEAD":
        actions["versionId"] = "GetObjectVersion"
    found = [action for query, action in actions.items() if query in request.args]
    action = found[0] if found else actions.get("DEFAULT", request.method)
    return f"s3:{action}", f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
