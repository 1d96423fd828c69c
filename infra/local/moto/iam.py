"""Who may do what: every request is checked against its caller's IAM policies, and the answer is kept.

Signatures are moto's to judge (moto.iam.access_control). What it lacks is here: conditions, boundaries, the policies of
roles' trust, of buckets, functions and topics, and S3's rule for objects that are not there.
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

# The caller of the request that this thread answers.
caller_of_request: ContextVar[Caller | None] = ContextVar("caller_of_request", default=None)

_IAM, _STS, _S3 = (cast("Any", get_backend(name)[ACCOUNT]["aws"]) for name in ("iam", "sts", "s3"))


class RefusedError(ServiceException):
    """A request is refused: code and message."""

    def response(self, request: Request) -> Response:
        """Return the answer in the protocol of the request's service: S3's XML, the query protocol's, or JSON."""
        xml = f"<Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>"
        body, mimetype = json.dumps({"__type": self.code, "message": self.message}), "application/json"
        if service_of(request) == "s3":
            body, mimetype = xml, "application/xml"
        elif request.form.get("Action"):
            body, mimetype = f"<ErrorResponse>{xml}</ErrorResponse>", "text/xml"
        return Response(body, HTTPStatus.FORBIDDEN, {"x-amzn-errortype": self.code}, mimetype)


class Call(NamedTuple):
    """Record what IAM was asked, by whom (ARN of a user, or of a role's session), and its answer."""

    principal: str
    action: str
    resource: str
    allowed: bool


@dataclass(frozen=True)
class Caller:
    """Decide what the sender of a request may do: a user, or a role's session; keep every answer in calls.

    :param access_key: with which it signs; None for a service that does something with the role.
    :param session_policy: JSON that narrows the session.
    """

    arn: str
    calls: set[Call] = field(repr=False)
    access_key: Any = field(default=None, repr=False)
    session_policy: str | None = None

    def may(self, action: str, resource: str, context: Mapping[str, Any] | None = None) -> bool:
        """Evaluate the policies: an explicit deny wins, and what nothing allows is denied.

        Effective is what the identity's or the resource's policies allow, and boundary, session policy and the trust of
        a role that is assumed, too. IAM user guide, "Policy evaluation logic" and "Permissions boundaries".
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
        """Return the policies of the user, or of the role, if it has not been deleted since.

        The requests of a role's sessions meet its policies as they were a while ago: see propagation_seconds.
        """
        policies = self.access_key.collect_policies() if ":user/" in self.arn else []
        if role:
            until = time.monotonic() - (propagation_seconds() if self.access_key else 0)
            counting = [[text for since, text in role.put[name] if since <= until][-1:] for name in role.policies]
            policies = chain(*counting, role.managed_policies.values())
        return [IAMPolicy(policy)._policy_json for policy in policies]

    def refused(self, action: str) -> RefusedError:
        """Return the error for what the sender may not do."""
        code = "AccessDenied" if action.startswith(("s3:", "sts:")) else "AccessDeniedException"
        return RefusedError(code, f"{self.arn} is not authorized to perform: {action}")


def propagation_seconds() -> float:
    """Return the age at which a role's policy counts. IAM guide, "Changes … are not always immediately visible"."""
    return float(os.environ.get("LOCAL_IAM_PROPAGATION_SECONDS", "0"))


class Iam:
    """Know the callers, and make the user that deploys."""

    def __init__(self, administrator: str, region: str) -> None:
        self.calls: set[Call] = set()
        policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
        _IAM.create_user(region, administrator)
        _IAM.put_user_policy(administrator, "everything", policy)
        key = _IAM.create_access_key(administrator)
        self.keys = {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}

    def caller(self, request: Request) -> Caller:
        """Return the sender of a request; refuse one that is not signed, with a known key, by the key's owner."""
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
        """Return whether a role may do something that an AWS service does with it; the answer is kept."""
        session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_arn.rpartition('/')[2]}/service"
        return Caller(session, self.calls).may(action, resource, context)

    def guard(self, app: WSGIApplication) -> WSGIApplication:
        """Let through to an application, moto or what does not ask for itself, what its requests' callers may do."""

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            request, caller = Request(environ), cast("Caller", environ[CALLER])
            action, resource, context = question_of(request)
            if not caller.may(action, resource, context):
                return caller.refused(action).response(request)(environ, start_response)
            environ["wsgi.input"].seek(0)  # the form has been read to learn the action
            with conditional_writes.one_at_a_time(writes=action == "s3:PutObject"):
                response: Response = Response.from_app(app, environ)
            # S3 tells only those who may list a bucket that an object is not in it.
            hidden = response.status_code == HTTPStatus.NOT_FOUND and action.startswith("s3:GetObject")
            if hidden and not caller.may("s3:ListBucket", resource.partition("/")[0], context):
                response = caller.refused("s3:ListBucket").response(request)
            return response(environ, start_response)

        return guarded


def assume_role(role_arn: str, service: str, region: str, context: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Let an AWS service assume a role; return its credentials as environment variables.

    :param context: for whom the service, such as lambda.amazonaws.com, does it: aws:SourceAccount and aws:SourceArn.
    """
    if not _let(_trust(role_arn), service, "sts:AssumeRole", role_arn, context or {}):
        raise PermissionError(f"{role_arn} does not trust {service} with {dict(context or {})}")
    name = service.partition(".")[0]
    session = _STS.assume_role(region, name, role_arn, policy="", duration=3600, external_id="")
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }


def may_invoke(function: Any, service: str, source_arn: str) -> bool:
    """Return whether a function's own policy (AWS::Lambda::Permission) lets a service invoke it for a resource.

    Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge".
    """
    policies = [{"Statement": function.policy.statements}]
    return _let(policies, service, "lambda:InvokeFunction", function.function_arn, _source(source_arn))


def may_publish(topic_arn: str, service: str, source_arn: str) -> bool:
    """Return whether a topic lets a service publish for a resource: its own policy does, or the default one.

    The default names the topic's owner, which CloudWatch says it publishes for; and CloudWatch may not use the key of
    alias/aws/sns. SNS guide, "Example cases for Amazon SNS access control" and "Key management" (AWS services).
    """
    topic = get_backend("sns")[ACCOUNT][topic_arn.split(":")[3]].topics.get(topic_arn)
    if topic is None or topic.kms_master_key_id == "alias/aws/sns":
        return False
    context = _source(source_arn)
    if service == "cloudwatch.amazonaws.com":
        context["aws:SourceOwner"] = context["aws:SourceAccount"]
    return _let([topic._policy_json], service, "sns:Publish", topic_arn, context)


def _source(arn: str) -> dict[str, str]:
    return {"aws:SourceArn": arn, "aws:SourceAccount": arn.split(":")[4]}


def _let(policies: list[Any], service: str, action: str, resource: str, context: Mapping[str, Any]) -> bool:
    """Return whether policies of a resource let a service do something with it."""
    return decide(policies, Question(action, resource, context, frozenset({("Service", service)}))) == "Allow"


def _bucket_policies(resource: str) -> list[Any]:
    """Return the policy of the bucket that an ARN names, alone or with an object, if it has one."""
    bucket = _S3.buckets.get(resource.removeprefix("arn:aws:s3:::").partition("/")[0])
    return [json.loads(bucket.policy)] if bucket and bucket.policy else []


def _trust(role_arn: str) -> list[Any]:
    """Return the trust policy of a role; none if there is no such role, which STS does not tell."""
    documents = [role.assume_role_policy_document for role in _IAM.get_roles() if role.arn == role_arn]
    return [json.loads(each) if isinstance(each, str) else each for each in documents]
