"""The CloudFormation types that moto does not know, or not wholly, taught to it: a table of what each of them does.

moto finds a type by its class: a direct subclass of CloudFormationModel, defined before the first stack.
"""

from __future__ import annotations

import json
import os
import threading
import time
import types
from contextlib import contextmanager
from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING, Any, ClassVar

from moto.awslambda.utils import get_backend
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.core.exceptions import ServiceException
from moto.logs.models import LogGroup, logs_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import SQSBackend

from infra.local.codeartifact import package_groups
from infra.local.codeartifact.errors import ConflictError
from infra.local.moto import lambda_runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.local.codeartifact.store import CodeArtifact
    from infra.local.mwaa.environment import Environment
    from infra.local.mwaa.environments import Environments

# So long CloudFormation waits for an environment, and SQS keeps the name of a deleted queue (API, CreateQueue:
# QueueDeletedRecently).
_ENVIRONMENT_SECONDS = 2 * 60 * 60
_QUEUE_NAME_SECONDS = 60.0
# So long the creation of a package group is under way, where two at once are to meet a conflict.
_PACKAGE_GROUP_SECONDS = 0.3


@dataclass
class Backends:
    """What the taught types act on.

    :param codeartifact: the CodeArtifact stand-in.
    :param environments: the MWAA stand-in.
    :param client: returns a boto3 client of a service.
    """

    codeartifact: CodeArtifact
    environments: Environments
    client: Callable[[str], Any]


@dataclass(frozen=True)
class Where:
    """Where a resource is, and the name that it gets when its properties have none."""

    account: str
    region: str
    name: str


Properties = dict[str, Any]
# A physical id and the attributes for Fn::GetAtt.
Made = tuple[str, dict[str, str]]


@dataclass(frozen=True)
class _Kind:
    """What a type does; an update without a function of its own is a creation over what is there."""

    create: Callable[[Properties, Where], Made]
    delete: Callable[[Properties, Where], object]
    update: Callable[[Properties, Where], Made] | None = None
    takes_time: bool = False


_backends: Backends


def install(backends: Backends) -> None:
    """Let the taught types act; that they are defined is enough to teach them.

    :param backends: on what.
    """
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
    def has_cfn_attr(cls, attr: str) -> bool:
        """Leave the check to cfn-lint, which knows the schemas."""
        del attr
        return True

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """Answer Fn::GetAtt."""
        return self.attributes[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> _Taught:
        where, properties = Where(account_id, region_name, resource_name), cloudformation_json["Properties"]
        return cls(cls.kind.create(properties, where), properties, where)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: _Taught, *, cloudformation_json: dict[str, Any], **_: Any
    ) -> _Taught:
        where, properties = original_resource.where, cloudformation_json["Properties"]
        return cls((cls.kind.update or cls.kind.create)(properties, where), properties, where)

    def delete(self, account_id: str, region_name: str) -> None:
        del account_id, region_name
        self.kind.delete(self.properties, self.where)


@contextmanager
def _new(identifier: str) -> Iterator[None]:
    """Say of a conflict what CloudFormation's handlers say of it.

    Source: the handlers of CodeArtifact, packagegroup/Translator.java: any ConflictException is "already exists".
    """
    try:
        yield
    except ConflictError as error:
        raise RuntimeError(f"Resource with identifier '{identifier}' already exists.") from error


def _put_bucket_policy(properties: Properties, where: Where) -> Made:
    policy = json.dumps(properties["PolicyDocument"]).encode()
    s3_backends[where.account]["aws"].put_bucket_policy(properties["Bucket"], policy)
    return properties["Bucket"], {}


def _put_event_invoke_config(properties: Properties, where: Where) -> Made:
    function = get_backend(where.account, where.region).get_function(properties["FunctionName"])
    lambda_runtime.check_destinations(function, properties)
    function.event_invoke_config = []
    get_backend(where.account, where.region).put_function_event_invoke_config(properties["FunctionName"], properties)
    return f"{properties['FunctionName']}|{properties['Qualifier']}", {}


def _add_permission(properties: Properties, where: Where) -> Made:
    policy = get_backend(where.account, where.region).get_function(properties["FunctionName"]).policy
    policy.add_statement(json.dumps(properties | {"StatementId": where.name}))
    return where.name, {"Id": where.name}


def _remove_permission(properties: Properties, where: Where) -> None:
    get_backend(where.account, where.region).get_function(properties["FunctionName"]).policy.del_statement(where.name)


def _create_alarm(properties: Properties, where: Where) -> Made:
    if properties.get("AlarmName") in cloudwatch_backends[where.account][where.region].alarms:
        raise RuntimeError(f"{properties['AlarmName']} already exists")
    return _put_alarm(properties, where)


def _put_alarm(properties: Properties, where: Where) -> Made:
    name = properties.get("AlarmName", where.name)
    _backends.client("cloudwatch").put_metric_alarm(**properties | {"AlarmName": name})
    return name, {"Arn": f"arn:aws:cloudwatch:{where.region}:{where.account}:alarm:{name}"}


def _delete_alarm(properties: Properties, where: Where) -> None:
    cloudwatch_backends[where.account][where.region].delete_alarms([properties.get("AlarmName", where.name)])


def _put_metric_filter(properties: Properties, where: Where) -> Made:
    logs, group = logs_backends[where.account][where.region], properties["LogGroupName"]
    if group not in logs.groups:  # API, PutMetricFilter: ResourceNotFoundException
        raise RuntimeError(f"The specified log group does not exist. ({group})")
    transformations = [
        {name[0].lower() + name[1:]: value for name, value in transformation.items()}
        for transformation in properties["MetricTransformations"]
    ]
    _delete_metric_filter(properties, where)
    name = properties.get("FilterName", where.name)
    logs.put_metric_filter(name, properties["FilterPattern"], group, transformations)
    return name, {}


def _delete_metric_filter(properties: Properties, where: Where) -> None:
    logs = logs_backends[where.account][where.region]
    logs.delete_metric_filter(properties.get("FilterName", where.name), properties["LogGroupName"])


def _update_log_group(
    _: type[LogGroup], group: LogGroup, *, cloudformation_json: dict[str, Any], **__: Any
) -> LogGroup:
    group.retention_in_days = cloudformation_json["Properties"].get("RetentionInDays")
    return group


def _subscribe(properties: Properties, where: Where) -> Made:
    topic = sns_backends[where.account][where.region].get_topic(properties["TopicArn"])
    subscription = topic.sns_backend.subscribe(topic.arn, properties["Endpoint"], properties["Protocol"])
    arn = subscription.arn
    # Nothing is sent until the owner of the address has confirmed. API, Subscribe; ListSubscriptions shows it so.
    if properties["Protocol"].startswith("email"):
        subscription.attributes["PendingConfirmation"], subscription.arn = "true", "PendingConfirmation"
        topic.subscriptions_pending += 1
    return arn, {"Arn": arn}


def _unsubscribe(properties: Properties, where: Where) -> None:
    sns = sns_backends[where.account][where.region]
    chosen = [
        arn
        for arn, subscription in sns.subscriptions.items()
        if (subscription.topic_arn, subscription.endpoint) == (properties["TopicArn"], properties["Endpoint"])
    ]
    for arn in chosen:
        sns.unsubscribe(arn)


def _put_topic_policy(properties: Properties, where: Where) -> Made:
    for arn in properties["Topics"]:
        sns_backends[where.account][where.region].get_topic(arn)._policy_json = properties["PolicyDocument"]
    return where.name, {"Id": where.name}


def _reset_topic_policy(properties: Properties, where: Where) -> None:
    for topic in map(sns_backends[where.account][where.region].get_topic, properties["Topics"]):
        topic._policy_json = topic._create_default_topic_policy(where.region, where.account, topic.name)


def _create_domain(properties: Properties, where: Where) -> Made:
    with _new(properties["DomainName"]):
        _backends.codeartifact.create_domain(properties["DomainName"], where.account, where.region)
    return _domain(properties, where)


def _domain(properties: Properties, where: Where) -> Made:
    domain = _backends.codeartifact.domain(properties["DomainName"])
    return domain.arn, {"Arn": domain.arn, "Name": domain.name, "Owner": where.account}


def _create_repository(properties: Properties, where: Where) -> Made:
    with _new(properties["RepositoryName"]):
        _backends.codeartifact.create_repository(properties["DomainName"], properties["RepositoryName"])
    return _repository(properties, where)


def _repository(properties: Properties, where: Where) -> Made:
    domain, name = properties["DomainName"], properties["RepositoryName"]
    repository = _backends.codeartifact.repository(domain, name)
    repository.external_connections = tuple(properties.get("ExternalConnections", []))
    names = {"Name": name, "DomainName": domain, "DomainOwner": where.account}
    return repository.arn, {"Arn": repository.arn, **names}


_creating = threading.Lock()


def _create_package_group(properties: Properties, where: Where) -> Made:
    """Create a group; with LOCAL_PACKAGE_GROUP_CONFLICTS=1 two at once meet a conflict.

    That CodeArtifact refuses that is not established: its guide names no reason but "prerequisites are not met".
    """
    with _new(properties["Pattern"]):
        alone = _creating.acquire(blocking=False)
        try:
            if os.environ.get("LOCAL_PACKAGE_GROUP_CONFLICTS") == "1":
                time.sleep(_PACKAGE_GROUP_SECONDS)
                if not alone:
                    raise ConflictError("Another package group is being created.")
            domain = _backends.codeartifact.domain(properties["DomainName"])
            domain.package_groups.create(_package_group(properties))
        finally:
            if alone:
                _creating.release()
    return _package_group_made(properties, where)


def _package_group_made(properties: Properties, _: Where) -> Made:
    domain = _backends.codeartifact.domain(properties["DomainName"])
    domain.package_groups.replace(_package_group(properties))
    arn = domain.package_group_arn(properties["Pattern"])
    return arn, {"Arn": arn, "DomainName": domain.name, "Pattern": properties["Pattern"]}


def _package_group(properties: Properties) -> package_groups.PackageGroup:
    restrictions = properties.get("OriginConfiguration", {}).get("Restrictions", {})
    names = {"Publish": "PUBLISH", "ExternalUpstream": "EXTERNAL_UPSTREAM", "InternalUpstream": "INTERNAL_UPSTREAM"}
    modes = {
        package_groups.OriginType(names[name]): restriction["RestrictionMode"]
        for name, restriction in restrictions.items()
    }
    return package_groups.PackageGroup(properties["Pattern"], modes, properties.get("Description", ""))


def _create_environment(properties: Properties, _: Where) -> Made:
    return _available(properties["Name"], _backends.environments.create(properties))


def _update_environment(properties: Properties, _: Where) -> Made:
    return _available(properties["Name"], _backends.environments.update(properties["Name"], properties))


def _available(name: str, environment: Environment) -> Made:
    """Wait for an environment as CloudFormation's handler does: whatever LastUpdate says, AVAILABLE is success.

    Source: aws-cloudformation/aws-cloudformation-resource-providers-mwaa, CreateHandler and UpdateHandler.
    """
    environment.wait(_ENVIRONMENT_SECONDS)
    described = environment.describe()
    if environment.status != "AVAILABLE":
        reason = environment.error or described.get("LastUpdate", {}).get("Error", {}).get("ErrorMessage", "")
        raise RuntimeError(f"Environment {name} is {environment.status}: {reason}")
    return name, {"Arn": described["Arn"], "WebserverUrl": described["WebserverUrl"]}


_recently: dict[tuple[str, str], float] = {}
_moto_creates_queue, _moto_deletes_queue = SQSBackend.create_queue, SQSBackend.delete_queue


def _create_queue(backend: SQSBackend, name: str, *args: Any, **more: Any) -> Any:
    if time.monotonic() - _recently.get((backend.region_name, name), -_QUEUE_NAME_SECONDS) < _QUEUE_NAME_SECONDS:
        raise ServiceException(
            "AWS.SimpleQueueService.QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        )
    return _moto_creates_queue(backend, name, *args, **more)


def _delete_queue(backend: SQSBackend, queue_name: str) -> None:
    _moto_deletes_queue(backend, queue_name)
    _recently[backend.region_name, queue_name] = time.monotonic()


_KINDS = {
    "AWS::CloudWatch::Alarm": _Kind(_create_alarm, _delete_alarm, _put_alarm),
    "AWS::CodeArtifact::Domain": _Kind(
        _create_domain, lambda p, _: _backends.codeartifact.delete_domain(p["DomainName"]), _domain
    ),
    "AWS::CodeArtifact::PackageGroup": _Kind(
        _create_package_group,
        lambda p, _: _backends.codeartifact.domain(p["DomainName"]).package_groups.delete(p["Pattern"]),
        _package_group_made,
        takes_time=True,
    ),
    "AWS::CodeArtifact::Repository": _Kind(
        _create_repository,
        lambda p, _: _backends.codeartifact.delete_repository(p["DomainName"], p["RepositoryName"]),
        _repository,
    ),
    "AWS::Lambda::EventInvokeConfig": _Kind(
        _put_event_invoke_config,
        lambda p, w: get_backend(w.account, w.region).delete_function_event_invoke_config(p["FunctionName"]),
    ),
    "AWS::Lambda::Permission": _Kind(_add_permission, _remove_permission),
    "AWS::Logs::MetricFilter": _Kind(_put_metric_filter, _delete_metric_filter),
    "AWS::MWAA::Environment": _Kind(
        _create_environment, lambda p, _: _backends.environments.delete(p["Name"]), _update_environment, takes_time=True
    ),
    "AWS::S3::BucketPolicy": _Kind(
        _put_bucket_policy, lambda p, w: s3_backends[w.account]["aws"].delete_bucket_policy(p["Bucket"])
    ),
    "AWS::SNS::Subscription": _Kind(_subscribe, _unsubscribe),
    "AWS::SNS::TopicPolicy": _Kind(_put_topic_policy, _reset_topic_policy),
}

for _name, _kind in _KINDS.items():
    _members = {"type": _name, "kind": _kind, "takes_time": _kind.takes_time, "__module__": __name__}
    types.new_class(_name.replace("::", ""), (_Taught, CloudFormationModel), exec_body=methodcaller("update", _members))
