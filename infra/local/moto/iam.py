"""Who may do what: every request is checked against its caller's IAM policies, and the answer is kept.

Signatures and policies are moto's to judge (moto.iam.access_control). What it lacks is here: trust policies, and S3's
rule for objects that are not there. The resources of services other than S3, CodeArtifact and STS are not told apart;
only the administrator, who may do everything, calls those.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import ServiceException
from moto.iam.access_control import IAMPolicy, IAMRequest, PermissionResult, S3IAMRequest
from moto.iam.exceptions import NotFoundException
from moto.iam.models import Role, iam_backends
from moto.s3.responses import ACTION_MAP
from moto.sts.models import sts_backends
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from infra.local.codeartifact.resources import CALLER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PARTITION = "aws"
_SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_EVERYTHING = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
_ADMINISTRATORS_POLICY = json.dumps({"Version": "2012-10-17", "Statement": _EVERYTHING})


_put_role_policy = Role.put_policy


def install() -> None:
    """Mend what is lacking."""
    Role.put_policy = _put_policy


def _put_policy(role: Role, name: str, document: Any) -> None:
    """Keep a policy as JSON: moto's CloudFormation leaves it as it comes out of the template."""
    _put_role_policy(role, name, document if isinstance(document, str) else json.dumps(document))


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
    """Say what the sender of a signed request may do.

    :param access_key: whose policies count.
    :param calls: where every answer is kept.
    """

    access_key: Any = field(repr=False)
    calls: set[Call] = field(repr=False)

    def may(self, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
        """Evaluate the policies: an explicit deny wins, and what nothing allows is denied.

        :param action: such as s3:PutObject.
        :param resource: ARN, or ``*``.
        :param context: condition keys of the request (default: none).
        """
        try:
            policies = self.access_key.collect_policies()
        except NotFoundException:  # the role has been deleted since
            policies = []
        results = {
            IAMPolicy(policy).is_action_permitted(action, resource, None, dict(context or {})) for policy in policies
        }
        allowed = PermissionResult.PERMITTED in results and PermissionResult.DENIED not in results
        self.calls.add(Call(self.arn, action, resource, allowed))
        return allowed

    @property
    def arn(self) -> str:
        """Name the user, or the role's session."""
        return str(self.access_key.arn)

    def refused(self, action: str) -> RefusedError:
        """Give the error for what the sender may not do."""
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
        backend = iam_backends[DEFAULT_ACCOUNT_ID][_PARTITION]
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
            return Caller(_checked(request), self.calls)
        except ServiceException as error:
            raise RefusedError(error.code, error.message) from error
        except HTTPException as error:
            raise RefusedError(getattr(error, "error_type", error.name), str(error.description)) from error

    def guard(self, app: WSGIApplication) -> WSGIApplication:
        """Let through to an application what its caller may do.

        :param app: moto, or whatever does not ask for itself; its requests come with their caller in the environment.
        """

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            request = Request(environ)
            caller: Caller = environ[CALLER]
            action, resource = _requested(request)
            # The role's trust counts beside the caller's policies: those of its account, where it trusts that.
            if not caller.may(action, resource) or not _trusts(resource, caller, action):
                return caller.refused(action).response(request)(environ, start_response)
            environ["wsgi.input"].seek(0)  # the form has been read to learn the action
            response: Response = Response.from_app(app, environ)
            if response.status_code == HTTPStatus.NOT_FOUND and action.startswith("s3:GetObject"):
                # S3 tells only those who may list a bucket that an object is not in it.
                bucket = resource.partition("/")[0]
                if not caller.may("s3:ListBucket", bucket):
                    response = caller.refused("s3:ListBucket").response(request)
            return response(environ, start_response)

        return guarded


def assume_role(role_arn: str, service: str, region: str) -> dict[str, str]:
    """Let an AWS service assume a role; give its credentials as environment variables.

    :param role_arn: which.
    :param service: the service's principal, such as lambda.amazonaws.com.
    :param region: where.
    :raises PermissionError: when the role does not trust the service.
    """
    if service not in _trusted(role_arn, "Service"):
        raise PermissionError(f"{role_arn} does not trust {service}")
    sts = sts_backends[DEFAULT_ACCOUNT_ID][_PARTITION]
    session = sts.assume_role(region, service.partition(".")[0], role_arn, policy="", duration=3600, external_id="")
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }


def _trusts(role_arn: str, caller: Caller, action: str) -> bool:
    """Tell whether a role that is to be assumed trusts the caller, its account or everyone."""
    if action != "sts:AssumeRole":
        return True
    account = f"arn:{_PARTITION}:iam::{DEFAULT_ACCOUNT_ID}:root"
    try:
        return not {caller.arn, account, DEFAULT_ACCOUNT_ID, "*"}.isdisjoint(_trusted(role_arn, "AWS"))
    except NotFoundException:  # STS does not tell which roles there are
        return False


def _trusted(role_arn: str, kind: str) -> list[str]:
    """List the principals of a kind that a role trusts, conditions aside."""
    role = iam_backends[DEFAULT_ACCOUNT_ID][_PARTITION].get_role_by_arn(role_arn)
    document = role.assume_role_policy_document
    return [
        trusted
        for statement in (json.loads(document) if isinstance(document, str) else document)["Statement"]
        for trusted in _listed(statement["Principal"].get(kind, []))
    ]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _checked(request: Request) -> Any:
    """Check the signature; give moto's access key."""
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


def service_of(request: Request) -> str:
    """Name the service that the request was signed for."""
    signed = _SIGNED_FOR.search(request.headers.get("Authorization", ""))
    return signed[1] if signed else ""


def _requested(request: Request) -> tuple[str, str]:
    """Name action and resource: S3's resources and a role to assume only; other REST services not even the action."""
    service = service_of(request)
    if service == "s3":
        return _requested_of_s3(request)
    if service == "sts" and "RoleArn" in request.form:
        return f"sts:{request.form['Action']}", request.form["RoleArn"]
    named = request.headers.get("X-Amz-Target", "").rpartition(".")[2] or request.form.get("Action", "")
    return f"{service}:{named or request.method}", "*"


def _requested_of_s3(request: Request) -> tuple[str, str]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    actions = dict(ACTION_MAP["KEY" if key else "BUCKET"].get(request.method, {}))
    if key and request.method == "HEAD":
        actions["versionId"] = "GetObjectVersion"
    found = [action for query, action in actions.items() if query in request.args]
    action = found[0] if found else actions.get("DEFAULT", request.method)
    if not bucket:
        return "s3:ListAllMyBuckets", "*"
    return f"s3:{action}", f"arn:{_PARTITION}:s3:::{bucket}" + (f"/{key}" if key else "")
