"""Who may do what: every request is checked against its caller's IAM policies, and the answer is kept.

Signatures are moto's to judge (moto.iam.access_control). What it lacks is here: conditions, boundaries, the policies of
roles' trust, of buckets, functions and topics, and S3's rule for objects that are not there.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import ServiceException
from moto.iam.access_control import AssumedRoleAccessKey, IAMPolicy, IAMRequest, S3IAMRequest
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, Role, iam_backends
from moto.logs.models import LogGroup
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sts.models import sts_backends
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from infra.local.codeartifact.store import CALLER
from infra.local.moto.policy import Question, decide
from infra.local.moto.requested import question_of, service_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from moto.awslambda.models import LambdaFunction

_PARTITION = "aws"
_EVERYTHING = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
_ADMINISTRATORS_POLICY = json.dumps({"Version": "2012-10-17", "Statement": _EVERYTHING})
# What runs inside an environment, as sessions of its role are called.
INSIDE_VPC = "airflow-env"

# The caller of the request that this thread answers.
caller_of_request: ContextVar[Caller | None] = ContextVar("caller_of_request", default=None)

_put_role_policy, _create_role = Role.put_policy, IAMBackend.create_role


def install() -> None:
    """Mend what is lacking."""
    Role.put_policy = _put_policy
    Role.update_from_cloudformation_json = classmethod(_update_role)
    IAMBackend.create_role = _create_bounded_role
    # With all its streams. CloudFormation, AWS::Logs::LogGroup, "Return values".
    LogGroup.get_cfn_attribute = lambda group, _: f"{group.arn}:*"


def _put_policy(role: Role, name: str, document: Any) -> None:
    """Keep a policy as JSON: moto's CloudFormation leaves it as it comes out of the template."""
    _put_role_policy(role, name, document if isinstance(document, str) else json.dumps(document))


def _update_role(_: type[Role], original_resource: Role, cloudformation_json: dict[str, Any], **__: Any) -> Role:
    """Update a role's policies, trust and boundary: moto updates its description only."""
    role = original_resource
    properties = cloudformation_json["Properties"]
    role.assume_role_policy_document = json.dumps(properties["AssumeRolePolicyDocument"])
    role.permissions_boundary_arn = properties.get("PermissionsBoundary", "")
    role.description, role.policies = properties.get("Description", ""), {}
    for policy in properties.get("Policies", []):
        role.put_policy(policy["PolicyName"], policy["PolicyDocument"])
    return role


def _create_bounded_role(
    backend: IAMBackend,
    role_name: str,
    assume_role_policy_document: str,
    path: str,
    permissions_boundary: str | None,
    *args: Any,
    **kw: Any,
) -> Role:
    """Create a role, with a boundary that exists. IAM API, CreateRole: NoSuchEntity."""
    if permissions_boundary and permissions_boundary not in backend.managed_policies:
        raise NotFoundException(f"Scope ARN: {permissions_boundary} does not exist or is not attachable.")
    role: Role = _create_role(backend, role_name, assume_role_policy_document, path, permissions_boundary, *args, **kw)
    return role


class RefusedError(Exception):
    """A request is refused.

    :param code: AWS error code.
    :param message: why.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def response(self, request: Request) -> Response:
        """Say so in the protocol of the request's service: S3's XML, the query protocol's, or JSON."""
        error = f"<Error><Code>{self.code}</Code><Message>{self}</Message></Error>"
        if service_of(request) == "s3":
            return Response(error, HTTPStatus.FORBIDDEN, mimetype="application/xml")
        if request.form.get("Action"):
            return Response(f"<ErrorResponse>{error}</ErrorResponse>", HTTPStatus.FORBIDDEN, mimetype="text/xml")
        body = json.dumps({"__type": self.code, "message": str(self)})
        return Response(body, HTTPStatus.FORBIDDEN, {"x-amzn-errortype": self.code}, mimetype="application/json")


@dataclass(frozen=True)
class Call:
    """Tell what IAM was asked.

    :param principal: ARN of the user, or of the role's session.
    :param action: such as s3:PutObject.
    :param resource: ARN, or ``*``.
    :param allowed: the answer.
    """

    principal: str
    action: str
    resource: str
    allowed: bool


@dataclass(frozen=True)
class Caller:
    """Say what the sender of a request may do.

    :param arn: of the user, or of the role's session.
    :param access_key: whose policies count.
    :param calls: where every answer is kept.
    :param session_policy: JSON that narrows the session (default: none).
    """

    arn: str
    access_key: Any = field(repr=False)
    calls: set[Call] = field(repr=False)
    session_policy: str = ""

    def may(self, action: str, resource: str, context: Mapping[str, Any] | None = None) -> bool:
        """Evaluate the policies: an explicit deny wins, and what nothing allows is denied.

        :param action: such as s3:PutObject, or iam:PassRole with the context iam:PassedToService.
        :param resource: ARN, or ``*``.
        :param context: condition keys of the request (default: none).
        """
        return self.answer(Question(action, resource, context or {}))

    def answer(self, question: Question, *resource_policies: Any) -> bool:
        """Evaluate the policies, those of the resource among them.

        Effective is what the identity's or the resource's policies allow, and boundary and session policy too. IAM user
        guide, "Policy evaluation logic" and "Permissions boundaries".
        """
        question = self.asking(question)
        effects = [decide(layer, question) for layer in ([*self._policies(), *resource_policies], *self._limits())]
        allowed = all(effect == "Allow" for effect in effects)
        self.calls.add(Call(self.arn, question.action, question.resource, allowed))
        return allowed

    def asking(self, question: Question) -> Question:
        """Return the question with what is known of the sender."""
        account = f"arn:{_PARTITION}:iam::{DEFAULT_ACCOUNT_ID}:root"
        names = {self.arn, self._entity_arn, account, DEFAULT_ACCOUNT_ID}
        own = {"aws:PrincipalArn": self._entity_arn, "aws:PrincipalAccount": DEFAULT_ACCOUNT_ID}
        if ":user/" in self.arn:
            own["aws:username"] = self.arn.rpartition("/")[2]
        return replace(
            question, context={**own, **question.context}, principals=frozenset(("AWS", name) for name in names)
        )

    @property
    def _role(self) -> Role | None:
        name = self.arn.split("/")[1] if ":assumed-role/" in self.arn else ""
        return next((role for role in _iam().get_roles() if role.name == name), None)

    @property
    def _entity_arn(self) -> str:
        return str(self._role.arn) if self._role else self.arn

    def _policies(self) -> list[Any]:
        try:
            return [IAMPolicy(policy)._policy_json for policy in self.access_key.collect_policies()]
        except NotFoundException:  # the role has been deleted since
            return []

    def _limits(self) -> list[list[Any]]:
        boundary = self._role and self._role.permissions_boundary_arn
        limits = [IAMPolicy(_iam().managed_policies[boundary])._policy_json] if boundary else []
        return [[limit] for limit in [*limits, *([json.loads(self.session_policy)] if self.session_policy else [])]]

    def refused(self, action: str) -> RefusedError:
        """Return the error for what the sender may not do."""
        code = "AccessDenied" if action.startswith(("s3:", "sts:")) else "AccessDeniedException"
        return RefusedError(code, f"{self.arn} is not authorized to perform: {action}")


class Iam:
    """Know the callers.

    :param administrator: name of the user that deploys.
    """

    def __init__(self, administrator: str) -> None:
        self.calls: set[Call] = set()
        self._administrator = administrator

    def administrator_keys(self, region: str) -> dict[str, str]:
        """Make the user that deploys; give its credentials as environment variables."""
        backend = _iam()
        backend.create_user(region, self._administrator)
        backend.put_user_policy(self._administrator, "everything", _ADMINISTRATORS_POLICY)
        key = backend.create_access_key(self._administrator)
        return {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}

    def caller(self, request: Request) -> Caller:
        """Tell who signed a request.

        :raises RefusedError: when nobody did whose key is known, or somebody else than the key's owner.
        """
        if "Credential=" not in request.headers.get("Authorization", ""):
            raise RefusedError("MissingAuthenticationToken", "The request is not signed with AWS credentials.")
        try:
            key = _checked(request)
        except ServiceException as error:
            raise RefusedError(error.code, error.message) from error
        except HTTPException as error:
            raise RefusedError(getattr(error, "error_type", error.name), str(error.description)) from error
        session = _sts().get_assumed_role_from_access_key(key._access_key_id)
        return Caller(str(key.arn), key, self.calls, session.policy or "" if session else "")

    def role_may(self, role_arn: str, action: str, resource: str, context: Mapping[str, Any] | None = None) -> bool:
        """Return whether a role may do something that an AWS service does with it; the answer is kept.

        :param role_arn: which.
        :param action: such as kms:Decrypt.
        :param resource: ARN, or ``*``.
        :param context: condition keys of the request (default: none).
        """
        key = AssumedRoleAccessKey.__new__(AssumedRoleAccessKey)  # a session that has no credentials
        key.account_id, key.partition, key._session_name = DEFAULT_ACCOUNT_ID, _PARTITION, "service"
        key._owner_role_name = role_arn.rpartition("/")[2]
        return Caller(key.arn, key, self.calls).may(action, resource, context)

    def guard(self, app: WSGIApplication) -> WSGIApplication:
        """Let through to an application what its caller may do.

        :param app: moto, or whatever does not ask for itself; its requests come with their caller in the environment.
        """

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            request = Request(environ)
            caller: Caller = environ[CALLER]
            question = question_of(request)
            # The role's trust counts beside the caller's policies: those of its account, where it trusts that.
            if not caller.answer(question, *bucket_policies(question.resource)) or not _trusts(question, caller):
                return caller.refused(question.action).response(request)(environ, start_response)
            environ["wsgi.input"].seek(0)  # the form has been read to learn the action
            response: Response = Response.from_app(app, environ)
            if response.status_code == HTTPStatus.NOT_FOUND and question.action.startswith("s3:GetObject"):
                # S3 tells only those who may list a bucket that an object is not in it.
                listing = replace(question, action="s3:ListBucket", resource=question.resource.partition("/")[0])
                if not caller.answer(listing, *bucket_policies(listing.resource)):
                    response = caller.refused("s3:ListBucket").response(request)
            return response(environ, start_response)

        return guarded


def assume_role(role_arn: str, service: str, region: str, context: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Let an AWS service assume a role; return its credentials as environment variables.

    :param role_arn: which.
    :param service: the service's principal, such as lambda.amazonaws.com.
    :param region: where.
    :param context: for whom the service does it, as aws:SourceAccount and aws:SourceArn tell (default: nobody).
    :raises PermissionError: when the role does not trust the service, or not for this.
    """
    question = Question("sts:AssumeRole", role_arn, context or {}, frozenset({("Service", service)}))
    if decide([_trust(role_arn)], question) != "Allow":
        raise PermissionError(f"{role_arn} does not trust {service} with {dict(context or {})}")
    name = service.partition(".")[0]
    session = _sts().assume_role(region, name, role_arn, policy="", duration=3600, external_id="")
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }


def may_invoke(function: LambdaFunction, service: str, source_arn: str, source_account: str) -> bool:
    """Return whether a function's own policy (AWS::Lambda::Permission) lets a service invoke it for a resource.

    Source: EventBridge user guide, "Using resource-based policies for Amazon EventBridge".

    :param function: as deployed.
    :param service: the service's principal, such as events.amazonaws.com.
    :param source_arn: ARN of what makes the service invoke it.
    :param source_account: whose that is.
    """
    context = {"aws:SourceArn": source_arn, "aws:SourceAccount": source_account}
    question = Question("lambda:InvokeFunction", function.function_arn, context, frozenset({("Service", service)}))
    return decide([{"Statement": function.policy.statements}], question) == "Allow"


def may_publish(topic_arn: str, service: str, source_arn: str, account: str) -> bool:
    """Return whether a topic lets a service publish for a resource: its own policy does, or the default one.

    The default names the topic's owner, which CloudWatch says it publishes for; and CloudWatch may not use the key of
    alias/aws/sns. SNS guide, "Example cases for Amazon SNS access control" and "Key management" (AWS services).

    :param topic_arn: which.
    :param service: the service's principal, such as cloudwatch.amazonaws.com.
    :param source_arn: ARN of what makes the service publish, such as an alarm's.
    :param account: whose that is.
    """
    topic = sns_backends[DEFAULT_ACCOUNT_ID][topic_arn.split(":")[3]].topics.get(topic_arn)
    if topic is None or topic.kms_master_key_id == "alias/aws/sns":
        return False
    context = {"aws:SourceArn": source_arn, "aws:SourceAccount": account}
    if service == "cloudwatch.amazonaws.com":
        context["aws:SourceOwner"] = account
    question = Question("sns:Publish", topic_arn, context, frozenset({("Service", service)}))
    return decide([topic._policy_json], question) == "Allow"


def bucket_policies(resource: str) -> list[Any]:
    """Return the policy of the bucket that an ARN names, if it has one.

    :param resource: ARN of a bucket, of an object, or of something else.
    """
    name = resource.removeprefix(f"arn:{_PARTITION}:s3:::").partition("/")[0]
    bucket = s3_backends[DEFAULT_ACCOUNT_ID][_PARTITION].buckets.get(name)
    return [json.loads(bucket.policy)] if bucket and bucket.policy else []


def _iam() -> IAMBackend:
    return iam_backends[DEFAULT_ACCOUNT_ID][_PARTITION]


def _sts() -> Any:
    return sts_backends[DEFAULT_ACCOUNT_ID][_PARTITION]


def _trusts(question: Question, caller: Caller) -> bool:
    """Return whether a role that is to be assumed trusts the caller, its account or everyone."""
    if question.action != "sts:AssumeRole":
        return True
    try:
        return decide([_trust(question.resource)], caller.asking(question)) == "Allow"
    except NotFoundException:  # STS does not tell which roles there are
        return False


def _trust(role_arn: str) -> Any:
    document = _iam().get_role_by_arn(role_arn).assume_role_policy_document
    return json.loads(document) if isinstance(document, str) else document


def _checked(request: Request) -> Any:
    """Check the signature; return moto's access key."""
    s3 = service_of(request) == "s3"
    signed = (S3IAMRequest if s3 else IAMRequest)(
        account_id=DEFAULT_ACCOUNT_ID,
        method=request.method,
        path=request.environ["RAW_URI"],
        data={},
        body=request.get_data(),
        headers=dict(request.headers),
        action="",
    )
    signed.check_signature()
    return signed._access_key
