"""The CloudFormation types that moto does not know, or not wholly, taught to it: a table of what each of them does.

moto finds a type by its class: a direct subclass of CloudFormationModel, defined before the first stack.
"""

from __future__ import annotations

import json
import time
import types
from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.core.exceptions import ServiceException
from moto.logs.models import LogGroup, logs_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import SQSBackend

from infra.local.codeartifact.errors import ConflictError
from infra.local.codeartifact.package_groups import OriginType, PackageGroup
from infra.local.moto import lambda_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.codeartifact.store import CodeArtifact
    from infra.local.mwaa.environments import Environments

# So long CloudFormation waits for an environment, and SQS keeps the name of a deleted queue (API, CreateQueue:
# QueueDeletedRecently).
_ENVIRONMENT_SECONDS = 2 * 60 * 60
_QUEUE_NAME_SECONDS = 60.0


@dataclass
class Backends:
    """What the taught types act on: the stand-ins, and what returns the administrator's boto3 client of a service."""

    codeartifact: CodeArtifact
    environments: Environments
    client: Callable[[str], Any]


class Where(NamedTuple):
    """Where a resource is, and its name: one that it gets when its properties have none."""

    account: str
    region: str
    name: str

    def of(self, backends: Any) -> Any:
        """Return one of moto's backends."""
        return backends[self.account][self.region]


Properties = dict[str, Any]
# A physical id and the attributes for Fn::GetAtt.
Made = tuple[str, dict[str, str]]


class _Kind(NamedTuple):
    """What a type does: make or change first, where that is not all the same, then put, which describes what is there.

    A conflict while it is made means that there is one already.
    """

    put: Callable[[Properties, Where], Made]
    delete: Callable[[Properties, Where], object]
    make: Callable[[Properties, Where], object] = lambda *_: None
    change: Callable[[Properties, Where], object] = lambda *_: None
    named_by: str = ""


_backends: Backends


def install(backends: Backends) -> None:
    """Let the taught types act on backends; that they are defined is enough to teach them."""
    global _backends  # noqa: PLW0603  (moto makes the resources: there is no other way to hand it to them)
    _backends = backends
    LogGroup.update_from_cloudformation_json = classmethod(_update_log_group)
    SQSBackend.create_queue, SQSBackend.delete_queue = _create_queue, _delete_queue


class _Taught:
    """The shape that moto wants of a type: a name, a physical id and attributes."""

    type: ClassVar[str]
    kind: ClassVar[_Kind]
    takes_time: ClassVar[bool]

    def __init__(self, made: Made, properties: Properties, where: Where) -> None:
        (self.physical_resource_id, self.attributes), self.properties, self.where = made, properties, where

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.type

    @classmethod
    def cloudformation_name_type(cls) -> str:
        return cls.kind.named_by

    @classmethod
    def has_cfn_attr(cls, _: str) -> bool:
        return True  # the check is cfn-lint's, which knows the schemas

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.attributes[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> _Taught:
        where, properties = Where(account_id, region_name, resource_name), cloudformation_json["Properties"]
        try:
            cls.kind.make(properties, where)
        except ConflictError as error:
            # Source: the handlers of CodeArtifact, packagegroup/Translator.java: any ConflictException is that.
            raise RuntimeError(f"Resource with identifier '{where.name}' already exists.") from error
        return cls(cls.kind.put(properties, where), properties, where)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: _Taught, *, cloudformation_json: dict[str, Any], **_: Any
    ) -> _Taught:
        where, properties = original_resource.where, cloudformation_json["Properties"]
        cls.kind.change(properties, where)
        return cls(cls.kind.put(properties, where), properties, where)

    def delete(self, *_: str) -> None:
        self.kind.delete(self.properties, self.where)


def _put_bucket_policy(properties: Properties, where: Where) -> Made:
    policy = json.dumps(properties["PolicyDocument"]).encode()
    s3_backends[where.account]["aws"].put_bucket_policy(where.name, policy)
    return where.name, {}


def _put_event_invoke_config(properties: Properties, where: Where) -> Made:
    function = where.of(lambda_backends).get_function(properties["FunctionName"])
    lambda_runtime.check_destination(function, properties)
    function.event_invoke_config = []
    where.of(lambda_backends).put_function_event_invoke_config(properties["FunctionName"], properties)
    return f"{properties['FunctionName']}|{properties['Qualifier']}", {}


def _add_permission(properties: Properties, where: Where) -> Made:
    policy = where.of(lambda_backends).get_function(properties["FunctionName"]).policy
    policy.add_statement(json.dumps(properties | {"StatementId": where.name}))
    return where.name, {"Id": where.name}


def _expect_no_alarm(_: Properties, where: Where) -> None:
    if where.name in where.of(cloudwatch_backends).alarms:
        raise ConflictError(where.name)


def _put_alarm(properties: Properties, where: Where) -> Made:
    _backends.client("cloudwatch").put_metric_alarm(**properties | {"AlarmName": where.name})
    return where.name, {"Arn": f"arn:aws:cloudwatch:{where.region}:{where.account}:alarm:{where.name}"}


def _put_metric_filter(properties: Properties, where: Where) -> Made:
    logs, group = where.of(logs_backends), properties["LogGroupName"]
    if group not in logs.groups:  # API, PutMetricFilter: ResourceNotFoundException
        raise RuntimeError(f"The specified log group does not exist. ({group})")
    transformations = [
        {name[0].lower() + name[1:]: value for name, value in transformation.items()}
        for transformation in properties["MetricTransformations"]
    ]
    _delete_metric_filter(properties, where)
    logs.put_metric_filter(where.name, properties["FilterPattern"], group, transformations)
    return where.name, {}


def _delete_metric_filter(properties: Properties, where: Where) -> None:
    where.of(logs_backends).delete_metric_filter(where.name, properties["LogGroupName"])


def _update_log_group(
    _: type[LogGroup], group: LogGroup, *, cloudformation_json: dict[str, Any], **__: Any
) -> LogGroup:
    group.retention_in_days = cloudformation_json["Properties"].get("RetentionInDays")
    return group


def _subscribe(properties: Properties, where: Where) -> Made:
    topic = where.of(sns_backends).get_topic(properties["TopicArn"])
    subscription = topic.sns_backend.subscribe(topic.arn, properties["Endpoint"], properties["Protocol"])
    arn = subscription.arn
    # Nothing is sent until the owner of the address has confirmed. API, Subscribe; ListSubscriptions shows it so.
    if properties["Protocol"].startswith("email"):
        subscription.attributes["PendingConfirmation"], subscription.arn = "true", "PendingConfirmation"
        topic.subscriptions_pending += 1
    return arn, {"Arn": arn}


def _unsubscribe(properties: Properties, where: Where) -> None:
    sns, chosen = where.of(sns_backends), (properties["TopicArn"], properties["Endpoint"])
    for arn in [arn for arn, each in sns.subscriptions.items() if (each.topic_arn, each.endpoint) == chosen]:
        sns.unsubscribe(arn)


def _domain(_: Properties, where: Where) -> Made:
    domain = _backends.codeartifact.domain(where.name)
    return domain.arn, {"Arn": domain.arn, "Name": domain.name, "Owner": where.account}


def _repository(properties: Properties, where: Where) -> Made:
    repository = _backends.codeartifact.repository(properties["DomainName"], where.name)
    repository.external_connections = tuple(properties.get("ExternalConnections", []))
    names = {"Name": where.name, "DomainName": properties["DomainName"], "DomainOwner": where.account}
    return repository.arn, {"Arn": repository.arn, **names}


def _package_group(properties: Properties, where: Where) -> Made:
    domain = _backends.codeartifact.domain(properties["DomainName"])
    restrictions = properties.get("OriginConfiguration", {}).get("Restrictions", {})
    # ExternalUpstream is EXTERNAL_UPSTREAM.
    names = {origin.title().replace("_", ""): origin for origin in OriginType}
    modes = {names[name]: restriction["RestrictionMode"] for name, restriction in restrictions.items()}
    domain.package_groups.replace(PackageGroup(where.name, modes, properties.get("Description", "")))
    arn = domain.package_group_arn(where.name)
    return arn, {"Arn": arn, "DomainName": domain.name, "Pattern": where.name}


def _available(_: Properties, where: Where) -> Made:
    """Wait for an environment as CloudFormation's handler does: whatever LastUpdate says, AVAILABLE is success.

    Source: aws-cloudformation/aws-cloudformation-resource-providers-mwaa, CreateHandler and UpdateHandler.
    """
    environment = _backends.environments[where.name]
    environment.wait(_ENVIRONMENT_SECONDS)
    described = environment.describe()
    if environment.status != "AVAILABLE":
        reason = environment.error or described.get("LastUpdate", {}).get("Error", {}).get("ErrorMessage", "")
        raise RuntimeError(f"Environment {where.name} is {environment.status}: {reason}")
    return where.name, {"Arn": described["Arn"], "WebserverUrl": described["WebserverUrl"]}


_recently: dict[tuple[str, str], float] = {}
_moto_creates_queue, _moto_deletes_queue = SQSBackend.create_queue, SQSBackend.delete_queue


def _create_queue(backend: SQSBackend, name: str, *args: Any, **more: Any) -> Any:
    if time.monotonic() - _recently.get((backend.region_name, name), -_QUEUE_NAME_SECONDS) < _QUEUE_NAME_SECONDS:
        message = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
        raise ServiceException("AWS.SimpleQueueService.QueueDeletedRecently", message)
    return _moto_creates_queue(backend, name, *args, **more)


def _delete_queue(backend: SQSBackend, queue_name: str) -> None:
    _moto_deletes_queue(backend, queue_name)
    _recently[backend.region_name, queue_name] = time.monotonic()


_KINDS = {
    "AWS::CloudWatch::Alarm": _Kind(
        _put_alarm,
        lambda _, w: w.of(cloudwatch_backends).delete_alarms([w.name]),
        make=_expect_no_alarm,
        named_by="AlarmName",
    ),
    "AWS::CodeArtifact::Domain": _Kind(
        _domain,
        lambda _, w: _backends.codeartifact.delete_domain(w.name),
        make=lambda _, w: _backends.codeartifact.create_domain(w.name, w.account, w.region),
        named_by="DomainName",
    ),
    "AWS::CodeArtifact::PackageGroup": _Kind(
        _package_group,
        lambda p, w: _backends.codeartifact.domain(p["DomainName"]).package_groups.delete(w.name),
        make=lambda p, w: _backends.codeartifact.domain(p["DomainName"]).package_groups.create(PackageGroup(w.name)),
        named_by="Pattern",
    ),
    "AWS::CodeArtifact::Repository": _Kind(
        _repository,
        lambda p, w: _backends.codeartifact.delete_repository(p["DomainName"], w.name),
        make=lambda p, w: _backends.codeartifact.create_repository(p["DomainName"], w.name),
        named_by="RepositoryName",
    ),
    "AWS::Lambda::EventInvokeConfig": _Kind(
        _put_event_invoke_config,
        lambda p, w: w.of(lambda_backends).delete_function_event_invoke_config(p["FunctionName"]),
    ),
    "AWS::Lambda::Permission": _Kind(
        _add_permission, lambda p, w: w.of(lambda_backends).get_function(p["FunctionName"]).policy.del_statement(w.name)
    ),
    "AWS::Logs::MetricFilter": _Kind(_put_metric_filter, _delete_metric_filter, named_by="FilterName"),
    "AWS::MWAA::Environment": _Kind(
        _available,
        lambda _, w: _backends.environments.delete(w.name),
        make=lambda p, _: _backends.environments.create(p),
        change=lambda p, w: _backends.environments.update(w.name, p),
        named_by="Name",
    ),
    "AWS::S3::BucketPolicy": _Kind(
        _put_bucket_policy, lambda _, w: s3_backends[w.account]["aws"].delete_bucket_policy(w.name), named_by="Bucket"
    ),
    "AWS::SNS::Subscription": _Kind(_subscribe, _unsubscribe),
}

for _name, _kind in _KINDS.items():
    _members = {"type": _name, "kind": _kind, "takes_time": _kind.put is _available, "__module__": __name__}
    types.new_class(_name.replace("::", ""), (_Taught, CloudFormationModel), exec_body=methodcaller("update", _members))
