"""The CloudFormation types that moto lacks or supports only in part, added to it.

A custom resource invokes the Lambda function of ServiceToken and waits for its response.
"""

from __future__ import annotations

import json
import queue
import time
import uuid
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from moto.backends import get_backend
from moto.cloudformation import parsing
from moto.core.exceptions import ServiceException
from moto.logs.models import LogGroup
from moto.sqs.models import SQSBackend

from infra.local.codeartifact.errors import ConflictError
from infra.local.codeartifact.package_groups import OriginType
from infra.local.moto import lambda_runtime, operation

if TYPE_CHECKING:
    from collections.abc import Callable

    _Put = Callable[["_Resource"], None]

_ENVIRONMENT_SECONDS = 2 * 60 * 60  # CloudFormation's patience
_QUEUE_NAME_SECONDS = 60.0  # until a deleted queue's name can be used. API, CreateQueue: QueueDeletedRecently
# Responses of custom resources, by request id.
answers: dict[str, queue.SimpleQueue[dict[str, Any]]] = {}
_TYPES: dict[str, Any] = {}
_aws: Any = SimpleNamespace()


def install(**parts: Any) -> None:
    """Add the types, which act on a server's codeartifact, environments, client (administrator) and answers_url."""
    vars(_aws).update(parts)
    # moto caches these maps from type to class and to the property with its name.
    parsing.get_model_map().update(_TYPES)
    parsing.get_name_type_map().update({name: added.named_by for name, added in _TYPES.items()})
    parsing.CustomModel = _TYPES["AWS::CloudFormation::CustomResource"]
    LogGroup.update_from_cloudformation_json = classmethod(_update_log_group)
    SQSBackend.create_queue, SQSBackend.delete_queue = _create_queue, _delete_queue


class _Resource(dict[str, Any]):
    """A resource: its properties, with moto's interface; its name is one of them or generated."""

    named_by: str
    put: Callable[[], object]

    def __init__(self, properties: dict[str, Any], identity: tuple[Any, ...], old: _Resource | None = None) -> None:
        super().__init__(properties)
        self.name, self.account, self.region, self.ids = self.identity = identity
        self.physical_resource_id, self.old = self.name, old
        self.attributes: dict[str, str] = {}
        self.put()
        self.old = None

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **ids: str
    ) -> _Resource:
        ids["LogicalResourceId"] = ids.pop("LogicalId")
        try:
            return cls(cloudformation_json["Properties"], (resource_name, account_id, region_name, ids))
        except ConflictError as error:
            # Source: the handlers of CodeArtifact, packagegroup/Translator.java: for every ConflictException.
            raise RuntimeError(f"Resource with identifier '{resource_name}' already exists.") from error

    @classmethod
    def update_from_cloudformation_json(cls, old: _Resource, *, cloudformation_json: Any, **_: Any) -> _Resource:
        return cls(cloudformation_json["Properties"], old.identity, old)

    def get_cfn_attribute(self, name: str) -> str:
        attributes: dict[str, str] = {"Arn": self.physical_resource_id, "Name": self.name, **self, **self.attributes}
        return attributes[name]

    def moto(self, service: str) -> Any:
        backends: Any = get_backend(service)  # type: ignore[call-overload]
        return backends[self.account][self.region]

    @property
    def function(self) -> Any:
        return self.moto("lambda").get_function(self["FunctionName"])

    @property
    def store(self) -> Any:
        return _aws.codeartifact.of(self.account, self.region)

    @property
    def domain(self) -> Any:
        return self.store.domain(self["DomainName"])


def _type(name: str, delete: Callable[[Any], object], named_by: str = "") -> Callable[[_Put], _Put]:
    """Add a type: the decorated function creates and updates its resources."""

    def decorate(put: _Put) -> _Put:
        members = {"put": put, "delete": lambda resource, *_: delete(resource), "named_by": named_by}
        _TYPES[f"AWS::{name}"] = type("ResourceType", (_Resource,), members)
        return put

    return decorate


@_type("Lambda::Permission", lambda r: r.function.policy.del_statement(r.name))
def _put_permission(permission: _Resource) -> None:
    permission.function.policy.add_statement(json.dumps(permission | {"StatementId": permission.name}))


@_type("S3::BucketPolicy", lambda r: _aws.client("s3").delete_bucket_policy(Bucket=r.name), "Bucket")
def _put_bucket_policy(policy: _Resource) -> None:
    _aws.client("s3").put_bucket_policy(Bucket=policy.name, Policy=json.dumps(policy["PolicyDocument"]))


@_type("Lambda::EventInvokeConfig", lambda r: r.moto("lambda").delete_function_event_invoke_config(r["FunctionName"]))
def _put_event_invoke_config(config: _Resource) -> None:
    lambda_runtime.check_destination(config.function, config)
    config.function.event_invoke_config = []
    config.moto("lambda").put_function_event_invoke_config(config["FunctionName"], config)


@_type("CloudWatch::Alarm", lambda r: _aws.client("cloudwatch").delete_alarms(AlarmNames=[r.name]), "AlarmName")
def _put_alarm(alarm: _Resource) -> None:
    if alarm.old is None and alarm.name in alarm.moto("cloudwatch").alarms:
        raise ConflictError(alarm.name)
    _aws.client("cloudwatch").put_metric_alarm(**alarm | {"AlarmName": alarm.name})


@_type("Logs::MetricFilter", lambda r: r.moto("logs").delete_metric_filter(r.name, r["LogGroupName"]), "FilterName")
def _put_metric_filter(metric_filter: _Resource) -> None:
    logs, group = metric_filter.moto("logs"), metric_filter["LogGroupName"]
    if group not in logs.groups:  # API, PutMetricFilter: ResourceNotFoundException
        raise RuntimeError(f"The specified log group does not exist. ({group})")
    transformations = [
        {name[0].lower() + name[1:]: value for name, value in transformation.items()}
        for transformation in metric_filter["MetricTransformations"]
    ]
    logs.delete_metric_filter(metric_filter.name, group)
    logs.put_metric_filter(metric_filter.name, metric_filter["FilterPattern"], group, transformations)


def _update_log_group(_: Any, group: LogGroup, *, cloudformation_json: dict[str, Any], **__: Any) -> LogGroup:
    group.retention_in_days = cloudformation_json["Properties"].get("RetentionInDays")
    return group


@_type("SNS::Subscription", lambda r: r.moto("sns").unsubscribe(r.physical_resource_id))
def _subscribe(subscription: _Resource) -> None:
    topic, endpoint, protocol = (subscription[name] for name in ("TopicArn", "Endpoint", "Protocol"))
    found = subscription.moto("sns").subscribe(topic, endpoint, protocol)
    subscription.physical_resource_id = found.arn
    if protocol.startswith("email"):  # until the address is confirmed. API, ListSubscriptions
        found.subscription_arn = "PendingConfirmation"


@_type("CodeArtifact::Domain", lambda r: r.store.delete_domain(r.name), "DomainName")
def _put_domain(domain: _Resource) -> None:
    if domain.old is None:
        domain.store.create_domain(domain.name)
    domain.physical_resource_id = domain.domain.arn


@_type("CodeArtifact::Repository", lambda r: r.store.delete_repository(r["DomainName"], r.name), "RepositoryName")
def _put_repository(repository: _Resource) -> None:
    key = repository["DomainName"], repository.name
    connections = tuple(repository.get("ExternalConnections", []))
    if repository.old is None:
        repository.store.create_repository(*key, external_connections=connections)
    found = repository.store.repository(*key)
    found.connect(connections)
    repository.physical_resource_id = found.arn


@_type("CodeArtifact::PackageGroup", lambda r: r.domain.package_groups.delete(r.name), "Pattern")
def _put_package_group(group: _Resource) -> None:
    restrictions = group.get("OriginConfiguration", {}).get("Restrictions", {})
    # The property ExternalUpstream is EXTERNAL_UPSTREAM in the API.
    names = {origin.title().replace("_", ""): origin for origin in OriginType}
    modes = {names[name]: restriction["RestrictionMode"] for name, restriction in restrictions.items()}
    groups = group.domain.package_groups
    put = groups.create if group.old is None else groups.replace
    put(group.name, modes)
    group.physical_resource_id = group.domain.arn_of("package-group", group.name)


@_type("MWAA::Environment", lambda r: _aws.environments.delete(r.name), "Name")
def _put_environment(environment: _Resource) -> None:
    """Create or update an environment and wait for it; AVAILABLE is success, whatever LastUpdate contains.

    Source: aws-cloudformation/aws-cloudformation-resource-providers-mwaa, CreateHandler and UpdateHandler.
    """
    known, is_new = _aws.environments, environment.old is None
    found = known.create(environment) if is_new else known.update(environment.name, environment)
    found.wait(_ENVIRONMENT_SECONDS)
    environment.attributes = found.describe()
    if found.status != "AVAILABLE":
        raise RuntimeError(f"Environment {environment.name} is {found.status}: {found.error}")


@_type("CloudFormation::CustomResource", lambda r: _invoke(r, "Delete", PhysicalResourceId=r.physical_resource_id))
def _put_custom(custom: _Resource) -> None:
    """Invoke the function; if its response has a new physical id, delete the old resource."""
    if custom.old is None:
        answer = _invoke(custom, "Create")
    else:
        old_id = custom.old.physical_resource_id
        answer = _invoke(custom, "Update", PhysicalResourceId=old_id, OldResourceProperties=custom.old)
        if answer["PhysicalResourceId"] != old_id:
            _invoke(custom, "Delete", PhysicalResourceId=old_id)
    custom.physical_resource_id, custom.attributes = answer["PhysicalResourceId"], answer.get("Data", {})


def _invoke(custom: _Resource, request_type: str, **more: Any) -> dict[str, Any]:
    function = custom.moto("lambda").get_function(custom["ServiceToken"])
    # With the permissions of the deploying user. Guide, "Custom resources": how they work.
    operation.require("lambda:InvokeFunction", function.function_arn)
    request_id = str(uuid.uuid4())
    event = {"RequestType": request_type, "RequestId": request_id, "ResponseURL": _aws.answers_url + request_id}
    event |= {**custom.ids, "ResourceProperties": custom, **more}
    answers[request_id] = queue.SimpleQueue()
    deadline = time.monotonic() + float(custom.get("ServiceTimeout", 3600))
    invocation, answer, ended = lambda_runtime.invoke_async(function, event), None, False
    while not answer and not ended and time.monotonic() < deadline:
        ended = not invocation.is_alive()  # after the last attempt no response comes
        with suppress(queue.Empty):
            answer = answers[request_id].get(timeout=1 if ended else 0.05)
    del answers[request_id]
    if not answer:
        raise RuntimeError(
            "CloudFormation did not receive a response from your Custom Resource. Please check your logs for "
            f"requestId [{request_id}]. If you are using the Python cfn-response module, you may need to "
            "update your Lambda function code so that CloudFormation can attach the updated version."
        )
    if answer["Status"] != "SUCCESS":
        message = f"Message returned: {answer['Reason']}"
        raise RuntimeError(f"Received response status [FAILED] from custom resource. {message}")
    return answer


_deleted_at: dict[tuple[str, str], float] = {}
_moto_creates_queue, _moto_deletes_queue = SQSBackend.create_queue, SQSBackend.delete_queue


def _create_queue(backend: SQSBackend, name: str, *args: Any, **more: Any) -> Any:
    if time.monotonic() < _deleted_at.get((backend.region_name, name), -_QUEUE_NAME_SECONDS) + _QUEUE_NAME_SECONDS:
        message = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
        raise ServiceException("AWS.SimpleQueueService.QueueDeletedRecently", message)
    return _moto_creates_queue(backend, name, *args, **more)


def _delete_queue(backend: SQSBackend, queue_name: str) -> None:
    _moto_deletes_queue(backend, queue_name)
    _deleted_at[backend.region_name, queue_name] = time.monotonic()
