"""Check every request against its caller's IAM policies, and record the decision.

moto checks signatures (moto.iam.access_control). This module adds conditions, boundaries, trust policies, the policies
of buckets, functions and topics, and S3's rule for objects that do not exist.
"""

from __future__ import annotations

import json
import os
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.core.exceptions import ServiceException
from moto.iam.access_control import IAMPolicy, IAMRequest, S3IAMRequest
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from infra.local.codeartifact.store import CALLER
from infra.local.moto import conditional_writes
from infra.local.moto.policy import Question, decide
from infra.local.moto.requested import question_of, service_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

caller_of_request: ContextVar[Caller | None] = ContextVar("caller_of_request", default=None)

_IAM, _STS, _S3 = (cast("Any", get_backend(name)[ACCOUNT]["aws"]) for name in ("iam", "sts", "s3"))


class RefusedError(ServiceException):
    """A request is refused; it has a code and a message."""

    def response(self, request: Request) -> Response:
        """Return the error in the protocol of the request's service: S3's XML, the query protocol's XML, or JSON."""
        xml = f"<Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>"
        body, mimetype = json.dumps({"__type": self.code, "message": self.message}), "application/json"
        if service_of(request) == "s3":
            body, mimetype = xml, "application/xml"
        elif request.form.get("Action"):
            body, mimetype = f"<ErrorResponse>{xml}</ErrorResponse>", "text/xml"
        return Response(body, HTTPStatus.FORBIDDEN, {"x-amzn-errortype": self.code}, mimetype)


class Call(NamedTuple):
    """A decision of IAM; principal is the ARN of a user or of a role's session."""

    principal: str
    action: str
    resource: str
    allowed: bool


@dataclass(frozen=True)
class Caller:
    """The sender of a request: a user or a role's session. Every decision is added to calls.

    :param access_key: the key that signed the request; None for a service that uses the role.
    :param session_policy: JSON that restricts the session.
    """

    arn: str
    calls: set[Call] = field(repr=False)
    access_key: Any = field(default=None, repr=False)
    session_policy: str | None = None

    def may(self, action: str, resource: str, context: Mapping[str, Any] | None = None) -> bool:
        """Return whether the policies allow an action: an explicit deny wins, and the default is deny.

        The identity's or the resource's policies must allow it, and so must the boundary, the session policy and, for
        AssumeRole, the trust policy. IAM user guide, "Policy evaluation logic" and "Permissions boundaries".
        """
        role = next((each for each in _IAM.get_roles() if f":assumed-role/{each.name}/" in self.arn), None)
        entity = role.arn if role else self.arn
        own = {"aws:PrincipalArn": entity, "aws:PrincipalAccount": ACCOUNT}
        if ":user/" in self.arn:
            own["aws:username"] = self.arn.rpartition("/")[2]
        names = frozenset(("AWS", name) for name in (self.arn, entity, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT))
        question = Question(action, resource, {**own, **(context or {})}, names)
        boundary = _IAM.managed_policies.get(role and role.permissions_boundary_arn)
        layers = [[*self._policies(role), *_bucket_policies(resource)]]
        layers += [[IAMPolicy(limit)._policy_json] for limit in (boundary, self.session_policy) if limit]
        if action == "sts:AssumeRole":
            layers.append(_trust(resource))
        allowed = all(decide(layer, question) == "Allow" for layer in layers)
        self.calls.add(Call(self.arn, action, resource, allowed))
        return allowed

    def _policies(self, role: Any) -> list[Any]:
        """Return the policies of the user, or of the role if it still exists.

        Requests of a role's sessions are judged by its policies of propagation_seconds ago.
        """
        policies = self.access_key.collect_policies() if ":user/" in self.arn else []
        if role:
            until = time.monotonic() - (propagation_seconds() if self.access_key else 0)
            counting = [[text for since, text in role.put[name] if since <= until][-1:] for name in role.policies]
            policies = chain(*counting, role.managed_policies.values())
        return [IAMPolicy(policy)._policy_json for policy in policies]

    def refused(self, action: str) -> RefusedError:
        """Return the error for an action that the sender may not do."""
        code = "AccessDenied" if action.startswith(("s3:", "sts:")) else "AccessDeniedException"
        return RefusedError(code, f"{self.arn} is not authorized to perform: {action}")


def propagation_seconds() -> float:
    """Return the age at which a role's policy applies. IAM guide, "Changes … are not always immediately visible"."""
    return float(os.environ.get("LOCAL_IAM_PROPAGATION_SECONDS", "0"))


class Iam:
    """The IAM of this machine, with the user that deploys."""

    def __init__(self, administrator: str, region: str) -> None:
        self.calls: set[Call] = set()
        policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
        _IAM.create_user(region, administrator)
        _IAM.put_user_policy(administrator, "everything", policy)
        key = _IAM.create_access_key(administrator)
        self.keys = {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}

    def caller(self, request: Request) -> Caller:
        """Return the sender of a request, or raise RefusedError if its signature is missing or invalid."""
        if "Credential=" not in request.headers.get("Authorization", ""):
            raise RefusedError("MissingAuthenticationToken", "The request is not signed with AWS credentials.")
        method, path, body = request.method, request.environ["RAW_URI"], request.get_data()
        try:
            kind = S3IAMRequest if service_of(request) == "s3" else IAMRequest
            signed = kind(ACCOUNT, method, path, {}, body, dict(request.headers), action="")
            signed.check_signature()
        except (ServiceException, HTTPException) as error:
            raise RefusedError(getattr(error, "error_type", error.code), error.message) from error
        session = _STS.get_assumed_role_from_access_key(signed._access_key._access_key_id)
        return Caller(str(signed._access_key.arn), self.calls, signed._access_key, session and session.policy)

    def role_may(self, role_arn: str, action: str, resource: str, context: Mapping[str, Any] | None = None) -> bool:
        """Return whether a role may do something that an AWS service does with it; record the decision."""
        session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_arn.rpartition('/')[2]}/service"
        return Caller(session, self.calls).may(action, resource, context)

    def guard(self, app: WSGIApplication) -> WSGIApplication:
        """Wrap an application that does not check IAM itself, so that it gets only allowed requests."""

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            request, caller = Request(environ), cast("Caller", environ[CALLER])
            action, resource, context = question_of(request)
            if not caller.may(action, resource, context):
                return caller.refused(action).response(request)(environ, start_response)
            environ["wsgi.input"].seek(0)  # question_of has read the form
            with conditional_writes.one_at_a_time(writes=action == "s3:PutObject"):
                response: Response = Response.from_app(app, environ)
            # S3 returns 404 only to callers that may list the bucket, else 403. API, GetObject.
            hidden = response.status_code == HTTPStatus.NOT_FOUND and action.startswith("s3:GetObject")
            if hidden and not caller.may("s3:ListBucket", resource.partition("/")[0], context):
                response = caller.refused("s3:ListBucket").response(request)
            return response(environ, start_response)

        return guarded


def assume_role(role_arn: str, service: str, region: str, context: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the credentials of a role, as environment variables, for an AWS service that assumes it.

    :param context: the aws:SourceAccount and aws:SourceArn of the service's request.
    :raises PermissionError: when the role does not trust the service.
    """
    if not _allow(_trust(role_arn), service, "sts:AssumeRole", role_arn, context or {}):
        raise PermissionError(f"{role_arn} does not trust {service} with {dict(context or {})}")
    name = service.partition(".")[0]
    session = _STS.assume_role(region, name, role_arn, policy="", duration=3600, external_id="")
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }


def may_invoke(function: Any, service: str, source_arn: str) -> bool:
    """Return whether a function's own policy (AWS::Lambda::Permission) allows a service to invoke it for a resource.

    Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge".
    """
    policies = [{"Statement": function.policy.statements}]
    return _allow(policies, service, "lambda:InvokeFunction", function.function_arn, _source(source_arn))


def may_publish(topic_arn: str, service: str, source_arn: str) -> bool:
    """Return whether a topic's policy, or the default one, allows a service to publish for a resource.

    The default policy allows the topic's owner, which CloudWatch sends as aws:SourceOwner. CloudWatch cannot use the
    key alias/aws/sns. SNS guide, "Example cases for Amazon SNS access control" and "Key management" (AWS services).
    """
    topic = get_backend("sns")[ACCOUNT][topic_arn.split(":")[3]].topics.get(topic_arn)
    if topic is None or topic.kms_master_key_id == "alias/aws/sns":
        return False
    context = _source(source_arn)
    if service == "cloudwatch.amazonaws.com":
        context["aws:SourceOwner"] = context["aws:SourceAccount"]
    return _allow([topic._policy_json], service, "sns:Publish", topic_arn, context)


def _source(arn: str) -> dict[str, str]:
    return {"aws:SourceArn": arn, "aws:SourceAccount": arn.split(":")[4]}


def _allow(policies: list[Any], service: str, action: str, resource: str, context: Mapping[str, Any]) -> bool:
    """Return whether the policies of a resource allow an action to a service."""
    return decide(policies, Question(action, resource, context, frozenset({("Service", service)}))) == "Allow"


def _bucket_policies(resource: str) -> list[Any]:
    """Return the policy of the bucket in the ARN of a bucket or object, if it has one."""
    bucket = _S3.buckets.get(resource.removeprefix("arn:aws:s3:::").partition("/")[0])
    return [json.loads(bucket.policy)] if bucket and bucket.policy else []


def _trust(role_arn: str) -> list[Any]:
    """Return the trust policy of a role, or nothing if there is no such role."""
    documents = [role.assume_role_policy_document for role in _IAM.get_roles() if role.arn == role_arn]
    return [json.loads(each) if isinstance(each, str) else each for each in documents]
