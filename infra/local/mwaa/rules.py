"""The rules by which MWAA refuses the creation or update of an environment at once: a table, each with its source.

Sources: "guide" is the Amazon MWAA user guide, "API" its API reference, "model" botocore's service model of MWAA.
Messages are AWS's own where they are known ("words"). Before, CloudFormation checks the properties by the type's schema
(infra/local/moto/template_rules.py), and replaces an environment whose name, key or subnets change.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto.core.exceptions import ServiceException

from infra.mwaa_facts import CREATABLE_VERSIONS, ENVIRONMENT_CLASSES, IN_PLACE_TO_3_FROM, MAX_WORKERS, release_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.mwaa.configuration import Configuration, Surroundings

_OPTIONS = "AirflowConfigurationOptions"
_LIMITS = dict.fromkeys(("MinWorkers", "MaxWorkers"), (1, MAX_WORKERS))
_LIMITS |= dict.fromkeys(("Schedulers", "MinWebservers", "MaxWebservers"), (2, 5))
_PRIVATE = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


class ValidationError(Exception):
    """MWAA refuses a request: ValidationException."""


def check(asked: Configuration, before: Configuration | None, around: Surroundings) -> None:
    """Raise a ValidationError for the first rule that a request breaks; `before` is None for a new environment."""
    model = _model()
    report = ParamValidator().validate({key: asked[key] for key in asked.keys() & model.members.keys()}, model)
    if report.has_errors():
        raise ValidationError(report.generate_report())
    for _source, finding in RULES:
        if sentence := finding(asked, before, around):
            raise ValidationError(f"Invalid request provided: {sentence}")


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("mwaa").operation_model("CreateEnvironment").input_shape


def _malformed_option(asked: Configuration, *_: Any) -> None:
    option = _model().members[_OPTIONS]
    for name, value in asked.get(_OPTIONS, {}).items():
        for text, shape, at in ((name, option.key, _OPTIONS), (value, option.value, f"{_OPTIONS}.{name}")):
            most, pattern = shape.metadata["max"], shape.metadata["pattern"]
            failed = f"1 validation error detected: Value at '{at}' failed to satisfy constraint: Member must "
            if len(text) > most:
                raise ValidationError(f"{failed}have length less than or equal to {most}")
            if not re.fullmatch(pattern, text):
                raise ValidationError(f"{failed}satisfy regular expression pattern: {pattern}")


def _unfit_version(asked: Configuration, before: Configuration | None, _: Any) -> str | None:
    old, new = (before or asked)["AirflowVersion"], asked["AirflowVersion"]
    if new not in CREATABLE_VERSIONS and (before is None or old != new):
        return f"Airflow version {new} is not supported."
    stays = release_of(old)[0] == release_of(new)[0]
    if stays or any(version.startswith(IN_PLACE_TO_3_FROM) for version in (old, new)):
        return None
    return f"an environment cannot go from Airflow {old} to {new}."


def _unfit_choice(asked: Configuration, _: Any, around: Surroundings) -> str | None:
    mode, version, size = (asked[name] for name in ("WebserverAccessMode", "AirflowVersion", "EnvironmentClass"))
    # Model: endpoints of the service.
    if around.region not in boto3.Session().get_available_regions("mwaa"):
        return f"Amazon MWAA is not available in the Region {around.region}."
    # API, WebserverAccessMode.
    if mode == "PUBLIC_AND_PRIVATE" and release_of(version) < (3, 2):
        return f"webserverAccessMode {mode} is not supported for Airflow {version}."
    if size not in ENVIRONMENT_CLASSES:
        return f"environmentClass {size} is not one of {', '.join(ENVIRONMENT_CLASSES)}."
    return None


def _beyond_a_limit(asked: Configuration, *_: Any) -> str | None:
    for name, limits in _LIMITS.items():
        least, most = (1, 1) if asked.is_micro else limits
        if not least <= asked.get(name, least) <= most:
            return f"{name} of an {asked['EnvironmentClass']} environment must be a number from {least} to {most}."
    for scaled in ("Workers", "Webservers"):
        least, most = (asked.get(f"{end}{scaled}", 2) for end in ("Min", "Max"))
        if least > most:
            return f"min{scaled} {least} is greater than max{scaled} {most}."
    return None


def _untrusted_service(asked: Configuration, _: Any, around: Surroundings) -> None:
    role = asked["ExecutionRoleArn"]
    for principal in ("airflow-env.amazonaws.com", "airflow.amazonaws.com"):
        try:
            around.credentials(role, principal, asked["Name"])
        except (PermissionError, ServiceException) as error:
            raise ValidationError(
                f"Failed to assume role {role}. This could be due to the role's trust policy. Please ensure your role "
                f"is assumable by '{principal}' Service Principal and try again."
            ) from error


def _s3(asked: Configuration, around: Surroundings, operation: str, **more: str) -> dict[str, Any]:
    """Return S3's answer to a request about the bucket; an empty one if S3 refuses it."""
    try:
        answer: dict[str, Any] = getattr(around.client("s3"), operation)(Bucket=asked.bucket, **more)
    except ClientError:
        return {}
    return answer


def _unfit_bucket(asked: Configuration, _: Any, around: Surroundings) -> str | None:
    if not (location := _s3(asked, around, "get_bucket_location")):
        return f"Provided bucket {asked.bucket} does not exist."
    region = location["LocationConstraint"] or "us-east-1"
    if region != around.region:
        return f"Provided bucket {asked.bucket} is in the Region {region}."
    if _s3(asked, around, "get_bucket_versioning").get("Status") != "Enabled":
        return f"Provided bucket {asked.bucket} does not have versioning enabled."
    if _s3(asked, around, "get_public_access_block").get("PublicAccessBlockConfiguration") != _PRIVATE:
        return f"Provided bucket does not have BlockPublicAccess set for s3 bucket {asked.bucket}."
    return None


def _unreadable_dags(asked: Configuration, _: Any, around: Surroundings) -> str | None:
    role, bucket = asked["ExecutionRoleArn"], asked["SourceBucketArn"]
    for action, resource in (("s3:ListBucket", bucket), ("s3:GetObject", f"{bucket}/{asked.dags}/any.py")):
        if not around.role_may(role, action, resource, {}):
            return f"Provided role does not have sufficient permissions for s3 location {asked.bucket}/{asked.dags}"
    return None


def _missing_file(asked: Configuration, _: Any, around: Surroundings) -> str | None:
    for key, version in filter(None, map(asked.file, ("Plugins", "Requirements", "StartupScript"))):
        if not _s3(asked, around, "head_object", Key=key, **({"VersionId": version} if version else {})):
            return f"Unable to read version {version or None} of s3 location {asked.bucket}/{key}"
    return None


def _unfit_network(asked: Configuration, _: Any, around: Surroundings) -> str | None:
    (subnet_ids, group_ids), ec2 = asked.network, around.client("ec2")
    try:
        subnets = ec2.describe_subnets(SubnetIds=subnet_ids)["Subnets"]
        groups = ec2.describe_security_groups(GroupIds=group_ids)["SecurityGroups"]
    except ClientError as error:
        return f"{error.response['Error']['Message']}"
    if len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:  # noqa: PLR2004  (two of them)
        return "The subnets must be in two different Availability Zones."
    if len({found["VpcId"] for found in (*subnets, *groups)}) > 1:
        return "The subnets and the security groups must belong to the same VPC."
    return None


# The source of each rule, and the function that returns the message for a request that breaks it.
RULES: tuple[tuple[str, Callable[[Configuration, Configuration | None, Surroundings], str | None]], ...] = (
    ("model: patterns and lengths of options, which the type's schema does not have", _malformed_option),
    ("guide, 'Changing the Apache Airflow version': within a major version, or from 2.11 to 3", _unfit_version),
    ("model: endpoints; API, WebserverAccessMode; CloudFormation reference, EnvironmentClass", _unfit_choice),
    ("API, MinWorkers and its like; guide, 'Service quotas', 'Environment class'", _beyond_a_limit),
    ("guide, 'Execution role', trust policy; words: idealo/terraform-aws-mwaa #156", _untrusted_service),
    ("guide, 'Create an Amazon S3 bucket'; words: 094459/innovateaiml-airflow #1", _unfit_bucket),
    ("words: 094459/innovateaiml-airflow #1, an environment before its role's policy", _unreadable_dags),
    ("API, RequirementsS3ObjectVersion: the version id that Amazon S3 has assigned", _missing_file),
    ("CloudFormation reference, NetworkConfiguration: private subnets in two zones, one VPC", _unfit_network),
)
