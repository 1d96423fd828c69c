"""The CloudFormation types that moto does not know, taught to it.

moto finds a type by its class: a direct subclass of CloudFormationModel, defined before the first stack.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from moto.awslambda.utils import get_backend
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from infra.local.codeartifact import package_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.codeartifact.store import CodeArtifact
    from infra.local.mwaa.environments import Environments


@dataclass
class Backends:
    """Hold what the taught types act on.

    :param codeartifact: the CodeArtifact stand-in.
    :param environments: the MWAA stand-in.
    :param client: gives a boto3 client of a service.
    """

    codeartifact: CodeArtifact
    environments: Environments
    client: Callable[[str], Any]


def install(backends: Backends) -> None:
    """Let the taught types act; that they are defined is enough to teach them.

    :param backends: on what.
    """
    _Taught.backends = backends


class _Taught:
    """Give a type the shape that moto wants: a name, a physical id and attributes."""

    backends: Backends
    type: ClassVar[str]

    def __init__(self, physical_resource_id: str, **attributes: str) -> None:
        self.physical_resource_id = physical_resource_id
        self.attributes = attributes

    @classmethod
    def cloudformation_type(cls) -> str:
        """Name the type."""
        return cls.type

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Leave the check to cfn-lint, which knows the schemas."""
        del attr
        return True

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """Answer Fn::GetAtt."""
        return self.attributes[attribute_name]


class BucketPolicy(_Taught, CloudFormationModel):
    """A bucket's policy."""

    type = "AWS::S3::BucketPolicy"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> BucketPolicy:
        """Put the policy."""
        del resource_name, region_name
        properties = cloudformation_json["Properties"]
        policy = json.dumps(properties["PolicyDocument"]).encode()
        s3_backends[account_id]["aws"].put_bucket_policy(properties["Bucket"], policy)
        return cls(properties["Bucket"])

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete the policy."""
        del region_name
        s3_backends[account_id]["aws"].delete_bucket_policy(self.physical_resource_id)


class EventInvokeConfig(_Taught, CloudFormationModel):
    """What becomes of a function's asynchronous invocations."""

    type = "AWS::Lambda::EventInvokeConfig"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> EventInvokeConfig:
        """Configure the function's asynchronous invocations."""
        properties = cloudformation_json["Properties"]
        function = properties["FunctionName"]
        get_backend(account_id, region_name).put_function_event_invoke_config(function, properties)
        return cls(resource_name)


class Alarm(_Taught, CloudFormationModel):
    """A CloudWatch alarm."""

    type = "AWS::CloudWatch::Alarm"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> Alarm:
        """Put the alarm."""
        del resource_name
        alarm = cloudformation_json["Properties"]
        cls.backends.client("cloudwatch").put_metric_alarm(**alarm)
        return cls(alarm["AlarmName"], Arn=f"arn:aws:cloudwatch:{region_name}:{account_id}:alarm:{alarm['AlarmName']}")

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete the alarm."""
        cloudwatch_backends[account_id][region_name].delete_alarms([self.physical_resource_id])


class MetricFilter(_Taught, CloudFormationModel):
    """A metric made of log lines."""

    type = "AWS::Logs::MetricFilter"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> MetricFilter:
        """Put the filter."""
        properties = cloudformation_json["Properties"]
        transformations = [
            {name[0].lower() + name[1:]: value for name, value in transformation.items()}
            for transformation in properties["MetricTransformations"]
        ]
        group = properties["LogGroupName"]
        logs = logs_backends[account_id][region_name]
        logs.put_metric_filter(resource_name, properties["FilterPattern"], group, transformations)
        return cls(resource_name, LogGroupName=group)

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete the filter."""
        group = self.attributes["LogGroupName"]
        logs_backends[account_id][region_name].delete_metric_filter(self.physical_resource_id, group)


class Domain(_Taught, CloudFormationModel):
    """A CodeArtifact domain."""

    type = "AWS::CodeArtifact::Domain"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> Domain:
        """Create the domain."""
        del resource_name
        name = cloudformation_json["Properties"]["DomainName"]
        domain = cls.backends.codeartifact.create_domain(name, account_id, region_name)
        return cls(domain.arn, Arn=domain.arn, Name=name, Owner=account_id)

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete the domain."""
        del account_id, region_name
        self.backends.codeartifact.delete_domain(self.attributes["Name"])


class Repository(_Taught, CloudFormationModel):
    """A CodeArtifact repository."""

    type = "AWS::CodeArtifact::Repository"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> Repository:
        """Create the repository."""
        del resource_name, region_name
        properties = cloudformation_json["Properties"]
        domain, name = properties["DomainName"], properties["RepositoryName"]
        repository = cls.backends.codeartifact.create_repository(
            domain, name, external_connections=tuple(properties.get("ExternalConnections", []))
        )
        return cls(repository.arn, Arn=repository.arn, Name=name, DomainName=domain, DomainOwner=account_id)

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete the repository with its packages."""
        del account_id, region_name
        self.backends.codeartifact.delete_repository(self.attributes["DomainName"], self.attributes["Name"])


class PackageGroup(_Taught, CloudFormationModel):
    """Origin controls for the packages of a CodeArtifact domain that match a pattern."""

    type = "AWS::CodeArtifact::PackageGroup"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> PackageGroup:
        """Create the group."""
        del resource_name, account_id, region_name
        properties = cloudformation_json["Properties"]
        domain = cls.backends.codeartifact.domain(properties["DomainName"])
        domain.package_groups.create(_package_group(properties))
        arn = domain.package_group_arn(properties["Pattern"])
        return cls(arn, Arn=arn, DomainName=domain.name, Pattern=properties["Pattern"])

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: PackageGroup, *, cloudformation_json: dict[str, Any], **where: Any
    ) -> PackageGroup:
        """Update the group; one of another domain or pattern is created before the old one is deleted."""
        properties, old = cloudformation_json["Properties"], original_resource.attributes
        if (properties["DomainName"], properties["Pattern"]) == (old["DomainName"], old["Pattern"]):
            cls.backends.codeartifact.domain(old["DomainName"]).package_groups.replace(_package_group(properties))
            return original_resource
        account_id, region_name = where["account_id"], where["region_name"]
        resource = cls.create_from_cloudformation_json("", cloudformation_json, account_id, region_name)
        original_resource.delete(account_id, region_name)
        return resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete the group."""
        del account_id, region_name
        self.backends.codeartifact.domain(self.attributes["DomainName"]).package_groups.delete(
            self.attributes["Pattern"]
        )


def _package_group(properties: dict[str, Any]) -> package_groups.PackageGroup:
    restrictions = properties.get("OriginConfiguration", {}).get("Restrictions", {})
    names = {"Publish": "PUBLISH", "ExternalUpstream": "EXTERNAL_UPSTREAM", "InternalUpstream": "INTERNAL_UPSTREAM"}
    modes = {
        package_groups.OriginType(names[name]): restriction["RestrictionMode"]
        for name, restriction in restrictions.items()
    }
    return package_groups.PackageGroup(properties["Pattern"], modes, properties.get("Description", ""))


class MwaaEnvironment(_Taught, CloudFormationModel):
    """An MWAA environment. Unlike AWS, the stack does not wait until it is available."""

    type = "AWS::MWAA::Environment"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> MwaaEnvironment:
        """Start the environment."""
        del resource_name, account_id, region_name
        environment = cls.backends.environments.create(cloudformation_json["Properties"])
        described = environment.describe()
        return cls(described["Name"], Arn=described["Arn"], WebserverUrl=described["WebserverUrl"])

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: MwaaEnvironment, *, cloudformation_json: dict[str, Any], **_: Any
    ) -> MwaaEnvironment:
        """Begin to update the environment."""
        name = original_resource.physical_resource_id
        cls.backends.environments.update(name, cloudformation_json["Properties"])
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete the environment."""
        del account_id, region_name
        self.backends.environments.delete(self.physical_resource_id)
