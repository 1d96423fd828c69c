"""What AWS does to a deployer and moto does not, as a test has ordered it: the script fixture of tests/infra/deploy.

MWAA: an update may be refused while CloudFormation calls it good (its handler: AVAILABLE is success, whatever
LastUpdate says), the status takes several values on its way, and pip writes to CloudWatch in MWAA's form.
CloudFormation: a change set for a bucket whose name is taken fails early, and only DescribeEvents says why.
SNS: a mail subscription waits for its confirmation. All: a call may be throttled.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import time
from typing import TYPE_CHECKING, Any, ClassVar
from xml.sax.saxutils import escape

from moto.cloudformation.models import CloudFormationBackend
from moto.core.common_models import CloudFormationModel
from moto.logs.models import logs_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from moto.sns.models import Subscription
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

from infra.local.moto.requested import service_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from moto.cloudformation.models import ChangeSet

# What happens next, by the environment's name (mwaa) or the API operation (fail).
SCRIPT: dict[str, dict[str, Any]] = {"mwaa": {}, "fail": {}}
_EARLY = (
    "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early "
    "Validation errors, use the DescribeEvents API for detailed failure information."
)
_taken: dict[str, list[tuple[str, str]]] = {}  # change set's id: logical id and name of each bucket that exists


class Environment(CloudFormationModel):
    """An environment that does what SCRIPT has ordered for its next change."""

    __module__ = "tests.mwaa.models"  # moto reads the service's name from it
    known: ClassVar[dict[str, Environment]] = {}
    hosts: ClassVar[Iterable[int]] = itertools.count(1)

    def __init__(self, properties: dict[str, Any], region: str, account: str) -> None:
        self.name = self.physical_resource_id = properties["Name"]
        self._logs = logs_backends[account][region]
        self.known[self.name] = self
        self.change(properties)

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::MWAA::Environment"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "WebserverUrl"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        del attribute_name
        return f"{self.name}.c2.airflow.eu-central-1.on.aws"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> Environment:
        del resource_name
        return cls(cloudformation_json["Properties"], region_name, account_id)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Environment,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Environment:
        del new_resource_name, account_id, region_name
        original_resource.change(cloudformation_json["Properties"])
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        del account_id, region_name
        del self.known[self.name]

    def change(self, properties: dict[str, Any]) -> None:
        """Set new properties, and write the log lines of the containers' pip."""
        self.properties = properties
        order = SCRIPT["mwaa"].get(self.name, {})
        self._statuses = list(order.get("statuses", ["AVAILABLE"]))
        self._refusal = order.get("refusal", "")
        for component, output in order.get("pip", {}).items():
            group = f"airflow-{self.name}-{component}"
            stream = f"requirements_install_ip-10-192-10-{next(iter(self.hosts))}_{time.time()}.log"
            self._logs.ensure_log_group(group)
            self._logs.create_log_stream(group, stream)
            now = int(time.time() * 1000)
            events = [{"timestamp": now, "message": f"[INFO] - {line}"} for line in output.splitlines()]
            self._logs.put_log_events(group, stream, events)

    def describe(self) -> dict[str, Any]:
        """Respond to GetEnvironment, each time with the next status of the order."""
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        error = {"Error": {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": self._refusal}}
        update = {"Status": "FAILED", **error} if self._refusal else {"Status": "SUCCESS"}
        return {**self.properties, "Status": status, "LastUpdate": update}


def _with_early_validation(create: Any) -> Any:
    """Fail a change set that creates a bucket whose name is taken."""

    def create_change_set(backend: CloudFormationBackend, *args: Any, **kwargs: Any) -> tuple[str, str]:
        change_set_id, stack_id = create(backend, *args, **kwargs)
        change_set = backend.change_sets[change_set_id]
        if taken := [*_taken_names(change_set)]:
            _taken[change_set_id] = taken
            change_set.status, change_set.execution_status, change_set.status_reason = "FAILED", "UNAVAILABLE", _EARLY
        return change_set_id, stack_id

    return create_change_set


def _taken_names(change_set: ChangeSet) -> Iterable[tuple[str, str]]:
    there = {getattr(each, "physical_resource_id", None) for each in change_set.stack.stack_resources}
    for logical_id, resource in change_set.template_dict["Resources"].items():
        name = resource.get("Properties", {}).get("BucketName")
        if isinstance(name, dict):
            name = change_set.parameters.get(name["Ref"])
        if resource["Type"] == "AWS::S3::Bucket" and name not in there and name in _all_buckets():
            yield logical_id, name


def _all_buckets() -> set[str]:
    return {name for account in s3_backends.values() for backend in account.values() for name in backend.buckets}


def _describe_events(form: Any) -> Response:
    """Respond with the failed events of a change set, which must be named by its ARN."""
    asked = form.get("ChangeSetName", "")
    if not asked.startswith("arn:"):
        return _error("ValidationError", "One of ChangeSetName, OperationId or StackName must be specified", "query")
    members = "".join(
        f"<member><EventType>VALIDATION_ERROR</EventType><LogicalResourceId>{logical_id}</LogicalResourceId>"
        "<ResourceType>AWS::S3::Bucket</ResourceType><ValidationName>NAME_CONFLICT_VALIDATION</ValidationName>"
        "<ValidationFailureMode>FAIL</ValidationFailureMode><ValidationStatusReason>Resource of type "
        f"'AWS::S3::Bucket' with identifier '{escape(name)}' already exists.</ValidationStatusReason></member>"
        for logical_id, name in _taken.get(asked, [])
    )
    result = f"<DescribeEventsResult><OperationEvents>{members}</OperationEvents></DescribeEventsResult>"
    return Response(f"<DescribeEventsResponse>{result}</DescribeEventsResponse>", mimetype="text/xml")


def _error(code: str, message: str, protocol: str) -> Response:
    if protocol == "query":
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        return Response(body, status=400, mimetype="text/xml")
    answer = Response(json.dumps({"__type": code, "message": message}), status=400, mimetype="application/json")
    answer.headers["x-amzn-errortype"] = code
    return answer


def _answer(request: Request) -> Response | None:
    """Return the answer where it is not moto's."""
    if request.path == "/_script":
        for part, orders in request.get_json().items():
            SCRIPT[part].update(orders)
        return Response()
    mwaa = service_of(request) == "airflow"
    operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2] or request.form.get("Action", "")
    operation = "GetEnvironment" if mwaa else operation
    if SCRIPT["fail"].get(operation, 0) > 0:
        SCRIPT["fail"][operation] -= 1
        return _error("ThrottlingException", "Rate exceeded", "query" if "Action" in request.form else "json")
    if operation == "DescribeEvents":
        return _describe_events(request.form)
    name = re.fullmatch(r"/environments/([^/]+)", request.path)
    if not mwaa or not name:
        return None
    if name[1] not in Environment.known:
        return _error("ResourceNotFoundException", f"Environment '{name[1]}' not found.", "json")
    return Response(json.dumps({"Environment": Environment.known[name[1]].describe()}), mimetype="application/json")


def scripted(moto: WSGIApplication) -> WSGIApplication:
    """Handle the orders before moto."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        environ["wsgi.input"] = io.BytesIO(request.get_data(parse_form_data=False))
        answer = _answer(Request(environ))
        environ["wsgi.input"].seek(0)
        environ.pop("werkzeug.request", None)
        return answer(environ, start_response) if answer else moto(environ, start_response)

    return app


class _Quiet(MotoRequestHandler):
    """Log no request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


def serve(port: int) -> None:
    """Serve moto's AWS with the scripted responses."""
    replaced: Any = CloudFormationBackend
    replaced.create_change_set = _with_early_validation(replaced.create_change_set)
    # A mail subscription waits for its owner (SNS API: ListSubscriptionsByTopic); moto's serializer looks here first.
    subscription: Any = Subscription
    subscription.subscription_arn = property(
        lambda each: "PendingConfirmation" if each.protocol == "email" else each.arn
    )
    moto = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", port, scripted(moto), threaded=True, request_handler=_Quiet)
