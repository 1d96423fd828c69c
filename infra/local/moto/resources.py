"""The CloudFormation types that moto does not know, or not wholly, taught to it: a table of what each of them does."""

from __future__ import annotations

import json
import time
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from moto.backends import get_backend
from moto.cloudformation import parsing
from moto.core.exceptions import ServiceException
from moto.logs.models import LogGroup
from moto.sns.models import Subscription
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


class Backends(NamedTuple):
    """What the taught types act on: the stand-ins, and what returns the administrator's boto3 client of a service."""

    codeartifact: CodeArtifact
    environments: Environments
    client: Callable[[str], Any]


# A physical id and the attributes for Fn::GetAtt.
Made = tuple[str, dict[str, str]]

_aws: Backends


def install(backends: Backends) -> None:
    """Let the taught types act on backends."""
    global _aws  # noqa: PLW0603  (moto makes the resources: there is no other way to hand it to them)
    _aws = backends
    LogGroup.update_from_cloudformation_json = classmethod(_update_log_group)
    SQSBackend.create_queue, SQSBackend.delete_queue = _create_queue, _delete_queue
    # Until the owner of the address has confirmed. API, Subscribe and ListSubscriptions.
    Subscription.subscription_arn = property(
        lambda each: "PendingConfirmation" if each.protocol.startswith("email") else each.arn
    )


class _Type(NamedTuple):
    """A type, with the methods of moto's CloudFormationModel: how its resources are put and deleted, what names them.

    A conflict while a resource is made means that there is one already.
    """

    put: Callable[[_Resource], Made]
    delete: Callable[[_Resource], object]
    named_by: str = ""
    takes_time: bool = False

    def create_from_cloudformation_json(
        self, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> _Resource:
        try:
            return _Resource(self, cloudformation_json["Properties"], account_id, region_name, resource_name)
        except ConflictError as error:
            # Source: the handlers of CodeArtifact, packagegroup/Translator.java: any ConflictException is that.
            raise RuntimeError(f"Resource with identifier '{resource_name}' already exists.") from error

    def update_from_cloudformation_json(
        self, original_resource: _Resource, *, cloudformation_json: Any, **_: Any
    ) -> _Resource:
        old = original_resource
        return _Resource(self, cloudformation_json["Properties"], old.account, old.region, old.name, is_new=False)


class _Resource(dict[str, Any]):
    """A resource's properties, with what moto wants of it; its name is one of them, or was generated."""

    def __init__(
        self, kind: _Type, properties: dict[str, Any], account: str, region: str, name: str, *, is_new: bool = True
    ) -> None:
        super().__init__(properties)
        self.account, self.region, self.name, self.is_new = account, region, name, is_new
        self.physical_resource_id, attributes = kind.put(self)
        self.get_cfn_attribute, self.takes_time, self._kind = attributes.__getitem__, kind.takes_time, kind

    def delete(self, *_: str) -> None:
        self._kind.delete(self)

    def moto(self, service: str) -> Any:
        """Return moto's backend of a service."""
        backends: Any = get_backend(service)
        return backends[self.account][self.region]

    @property
    def function(self) -> Any:
        return self.moto("lambda").get_function(self["FunctionName"])


def _put_bucket_policy(policy: _Resource) -> Made:
    _aws.client("s3").put_bucket_policy(Bucket=policy.name, Policy=json.dumps(policy["PolicyDocument"]))
    return policy.name, {}


def _put_event_invoke_config(config: _Resource) -> Made:
    lambda_runtime.check_destination(config.function, config)
    config.function.event_invoke_config = []
    config.moto("lambda").put_function_event_invoke_config(config["FunctionName"], config)
    return f"{config['FunctionName']}|{config['Qualifier']}", {}


def _add_permission(permission: _Resource) -> Made:
    permission.function.policy.add_statement(json.dumps(permission | {"StatementId": permission.name}))
    return permission.name, {"Id": permission.name}


def _put_alarm(alarm: _Resource) -> Made:
    if alarm.is_new and alarm.name in alarm.moto("cloudwatch").alarms:
        raise ConflictError(alarm.name)
    _aws.client("cloudwatch").put_metric_alarm(**alarm | {"AlarmName": alarm.name})
    return alarm.name, {"Arn": f"arn:aws:cloudwatch:{alarm.region}:{alarm.account}:alarm:{alarm.name}"}


def _put_metric_filter(metric_filter: _Resource) -> Made:
    logs, group = metric_filter.moto("logs"), metric_filter["LogGroupName"]
    if group not in logs.groups:  # API, PutMetricFilter: ResourceNotFoundException
        raise RuntimeError(f"The specified log group does not exist. ({group})")
    transformations = [
        {name[0].lower() + name[1:]: value for name, value in transformation.items()}
        for transformation in metric_filter["MetricTransformations"]
    ]
    logs.delete_metric_filter(metric_filter.name, group)
    logs.put_metric_filter(metric_filter.name, metric_filter["FilterPattern"], group, transformations)
    return metric_filter.name, {}


def _update_log_group(_: Any, group: LogGroup, *, cloudformation_json: dict[str, Any], **__: Any) -> LogGroup:
    group.retention_in_days = cloudformation_json["Properties"].get("RetentionInDays")
    return group


_subscriber = itemgetter("TopicArn", "Endpoint", "Protocol")


def _subscribe(subscription: _Resource) -> Made:
    arn = subscription.moto("sns").subscribe(*_subscriber(subscription)).arn
    return arn, {"Arn": arn}


def _domain(domain: _Resource) -> Made:
    if domain.is_new:
        _aws.codeartifact.create_domain(domain.name, domain.account, domain.region)
    arn = _aws.codeartifact.domain(domain.name).arn
    return arn, {"Arn": arn, "Name": domain.name, "Owner": domain.account}


def _repository(repository: _Resource) -> Made:
    name, domain = repository.name, repository["DomainName"]
    if repository.is_new:
        _aws.codeartifact.create_repository(domain, name)
    found = _aws.codeartifact.repository(domain, name)
    found.external_connections = tuple(repository.get("ExternalConnections", []))
    return found.arn, {"Arn": found.arn, "Name": name, "DomainName": domain, "DomainOwner": repository.account}


def _package_group(group: _Resource) -> Made:
    domain = _aws.codeartifact.domain(group["DomainName"])
    restrictions = group.get("OriginConfiguration", {}).get("Restrictions", {})
    # ExternalUpstream is EXTERNAL_UPSTREAM.
    names = {origin.title().replace("_", ""): origin for origin in OriginType}
    modes = {names[name]: restriction["RestrictionMode"] for name, restriction in restrictions.items()}
    put = domain.package_groups.create if group.is_new else domain.package_groups.replace
    put(PackageGroup(group.name, modes, group.get("Description", "")))
    arn = domain.package_group_arn(group.name)
    return arn, {"Arn": arn, "DomainName": domain.name, "Pattern": group.name}


def _environment(environment: _Resource) -> Made:
    """Begin to create or update an environment and wait for it; whatever LastUpdate says, AVAILABLE is success.

    Source: aws-cloudformation/aws-cloudformation-resource-providers-mwaa, CreateHandler and UpdateHandler.
    """
    if environment.is_new:
        _aws.environments.create(environment)
    else:
        _aws.environments.update(environment.name, environment)
    found = _aws.environments[environment.name]
    found.wait(_ENVIRONMENT_SECONDS)
    described = found.describe()
    if found.status != "AVAILABLE":
        reason = found.error or described.get("LastUpdate", {}).get("Error", {}).get("ErrorMessage", "")
        raise RuntimeError(f"Environment {environment.name} is {found.status}: {reason}")
    return environment.name, {"Arn": described["Arn"], "WebserverUrl": described["WebserverUrl"]}


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


_TAUGHT = {
    "AWS::CloudWatch::Alarm": _Type(_put_alarm, lambda r: r.moto("cloudwatch").delete_alarms([r.name]), "AlarmName"),
    "AWS::CodeArtifact::Domain": _Type(_domain, lambda r: _aws.codeartifact.delete_domain(r.name), "DomainName"),
    "AWS::CodeArtifact::PackageGroup": _Type(
        _package_group, lambda r: _aws.codeartifact.domain(r["DomainName"]).package_groups.delete(r.name), "Pattern"
    ),
    "AWS::CodeArtifact::Repository": _Type(
        _repository, lambda r: _aws.codeartifact.delete_repository(r["DomainName"], r.name), "RepositoryName"
    ),
    "AWS::Lambda::EventInvokeConfig": _Type(
        _put_event_invoke_config, lambda r: r.moto("lambda").delete_function_event_invoke_config(r["FunctionName"])
    ),
    "AWS::Lambda::Permission": _Type(_add_permission, lambda r: r.function.policy.del_statement(r.name)),
    "AWS::Logs::MetricFilter": _Type(
        _put_metric_filter, lambda r: r.moto("logs").delete_metric_filter(r.name, r["LogGroupName"]), "FilterName"
    ),
    "AWS::MWAA::Environment": _Type(_environment, lambda r: _aws.environments.delete(r.name), "Name", takes_time=True),
    "AWS::S3::BucketPolicy": _Type(
        _put_bucket_policy, lambda r: _aws.client("s3").delete_bucket_policy(Bucket=r.name), "Bucket"
    ),
    "AWS::SNS::Subscription": _Type(_subscribe, lambda r: r.moto("sns").unsubscribe(r.physical_resource_id)),
}
# moto finds a type, and the property that names it, in maps that it makes once.
parsing.get_model_map().update(_TAUGHT)
parsing.get_name_type_map().update({name: taught.named_by for name, taught in _TAUGHT.items()})
