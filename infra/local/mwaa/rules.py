"""What MWAA refuses at once when an environment is created or updated: a table of rules, each with its source.

Sources: "guide" is the Amazon MWAA user guide, "API" its API reference, "model" botocore's service model of MWAA.
AWS's words are used where they are known. CloudFormation has checked the properties against the type's schema before
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
    from infra.local.mwaa.configuration import Configuration
    from infra.local.mwaa.surroundings import Surroundings

_OPTIONS = "AirflowConfigurationOptions"
_LIMITS = {
    "MinWorkers": (1, MAX_WORKERS),
    "MaxWorkers": (1, MAX_WORKERS),
    "Schedulers": (2, 5),
    "MinWebservers": (2, 5),
    "MaxWebservers": (2, 5),
}
_BLOCK = "PublicAccessBlockConfiguration"
_PRIVATE = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


class ValidationError(Exception):
    """MWAA refuses a request: ValidationException."""


def check(asked: Configuration, before: Configuration | None, around: Surroundings) -> None:
    """Raise at the first rule that a request breaks.

    :param asked: what the environment is to be.
    :param before: what it is; None for one that is to be created.
    :raises ValidationError: with the rule's sentence.
    """
    model = _model()
    report = ParamValidator().validate({key: asked[key] for key in asked.keys() & model.members.keys()}, model)
    if report.has_errors():
        raise ValidationError(report.generate_report())
    names = {"bucket": asked.bucket, "dags": asked.dags, "region": around.region}
    for _, finding, words in RULES:
        if found := finding(asked, before, around):
            raise ValidationError(words.format(found, **names, **asked))


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("mwaa").operation_model("CreateEnvironment").input_shape


def _malformed_option(asked: Configuration, *_: Any) -> str | None:
    option = _model().members[_OPTIONS]
    for name, value in asked.get(_OPTIONS, {}).items():
        for text, shape, at in ((name, option.key, _OPTIONS), (value, option.value, f"{_OPTIONS}.{name}")):
            most, pattern = shape.metadata["max"], shape.metadata["pattern"]
            if len(text) > most:
                return f"'{at}' failed to satisfy constraint: Member must have length less than or equal to {most}"
            if not re.fullmatch(pattern, text):
                return f"'{at}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"
    return None


def _unknown_version(asked: Configuration, before: Configuration | None, _: Any) -> bool:
    return asked["AirflowVersion"] not in {*CREATABLE_VERSIONS, (before or {}).get("AirflowVersion")}


def _version_too_far_from(asked: Configuration, before: Configuration | None, _: Any) -> str | None:
    old, new = (before or asked)["AirflowVersion"], asked["AirflowVersion"]
    stays = release_of(old)[0] == release_of(new)[0]
    return None if stays or any(each.startswith(IN_PLACE_TO_3_FROM) for each in (old, new)) else old


def _beyond_a_limit(asked: Configuration, *_: Any) -> str | None:
    for name, limits in _LIMITS.items():
        least, most = (1, 1) if asked.is_micro else limits
        if not least <= asked.get(name, least) <= most:
            return f"{name} of an {asked['EnvironmentClass']} environment must be a number from {least} to {most}."
    return None


def _least_above_most(asked: Configuration, *_: Any) -> str | None:
    for scaled in ("Workers", "Webservers"):
        least, most = (asked.get(f"{end}{scaled}", 2) for end in ("Min", "Max"))
        if least > most:
            return f"min{scaled} {least} is greater than max{scaled} {most}."
    return None


def _untrusted_service(asked: Configuration, _: Any, around: Surroundings) -> str | None:
    for principal in ("airflow-env.amazonaws.com", "airflow.amazonaws.com"):
        try:
            around.credentials(asked["ExecutionRoleArn"], principal, asked["Name"])
        except (PermissionError, ServiceException):
            return principal
    return None


def _s3(asked: Configuration, around: Surroundings, operation: str, **more: str) -> dict[str, Any]:
    """Return S3's answer to a question about the bucket; nothing when S3 refuses."""
    try:
        answer: dict[str, Any] = getattr(around.client("s3"), operation)(Bucket=asked.bucket, **more)
    except ClientError:
        return {}
    return answer


def _missing_bucket(asked: Configuration, _: Any, around: Surroundings) -> str | None:
    if not (answer := _s3(asked, around, "get_bucket_location")):
        return "does not exist"
    region = answer["LocationConstraint"] or "us-east-1"
    return None if region == around.region else f"is in the Region {region}"


def _unreadable_dags(asked: Configuration, _: Any, around: Surroundings) -> bool:
    role, bucket = asked["ExecutionRoleArn"], asked["SourceBucketArn"]
    needs = (("s3:ListBucket", bucket), ("s3:GetObject", f"{bucket}/{asked.dags}/any.py"))
    return not all(around.role_may(role, action, resource, {}) for action, resource in needs)


def _missing_file(asked: Configuration, _: Any, around: Surroundings) -> str | None:
    for key, version in filter(None, map(asked.file, ("Plugins", "Requirements", "StartupScript"))):
        if not _s3(asked, around, "head_object", Key=key, **({"VersionId": version} if version else {})):
            return f"version {version or None} of s3 location {asked.bucket}/{key}"
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


_INVALID = "Invalid request provided: "
_NOT_TRUSTED = (
    "Failed to assume role {ExecutionRoleArn}. This could be due to the role's trust policy. Please ensure your role "
    "is assumable by '{0}' Service Principal and try again."
)
# Source, what is found to be wrong, and the sentence: {0} is what was found.
RULES: tuple[tuple[str, Any, str], ...] = (
    (
        "model: patterns and lengths of options, which the type's schema does not have",
        _malformed_option,
        "1 validation error detected: Value at {0}",
    ),
    (
        "model: endpoints of the service",
        lambda _asked, _before, around: around.region not in boto3.Session().get_available_regions("mwaa"),
        _INVALID + "Amazon MWAA is not available in the Region {region}.",
    ),
    (
        "guide, 'Apache Airflow versions'",
        _unknown_version,
        _INVALID + "Airflow version {AirflowVersion} is not supported.",
    ),
    (
        "guide, 'Changing the Apache Airflow version': within a major version, and between 2.11 and 3",
        _version_too_far_from,
        _INVALID + "an environment cannot go from Airflow {0} to {AirflowVersion}.",
    ),
    (
        "API, WebserverAccessMode: PUBLIC_AND_PRIVATE for 3.2 and later",
        lambda asked, *_: (
            asked["WebserverAccessMode"] == "PUBLIC_AND_PRIVATE" and release_of(asked["AirflowVersion"]) < (3, 2)
        ),
        _INVALID + "webserverAccessMode {WebserverAccessMode} is not supported for Airflow {AirflowVersion}.",
    ),
    (
        "CloudFormation reference, EnvironmentClass",
        lambda asked, *_: asked["EnvironmentClass"] not in ENVIRONMENT_CLASSES,
        _INVALID + f"environmentClass {{EnvironmentClass}} is not one of {', '.join(ENVIRONMENT_CLASSES)}.",
    ),
    (
        "API, MinWorkers and its like; guide, 'Service quotas', 'Environment class': mw1.micro has one each",
        _beyond_a_limit,
        _INVALID + "{0}",
    ),
    ("API, MinWorkers and MaxWorkers, MinWebservers and MaxWebservers", _least_above_most, _INVALID + "{0}"),
    (
        "guide, 'Execution role', trust policy; words: idealo/terraform-aws-mwaa #156",
        _untrusted_service,
        _NOT_TRUSTED,
    ),
    (
        "API, SourceBucketArn; guide, 'Create an Amazon S3 bucket': in the environment's Region",
        _missing_bucket,
        _INVALID + "Provided bucket {bucket} {0}.",
    ),
    (
        "guide, 'Create an Amazon S3 bucket': Bucket Versioning enabled",
        lambda asked, _, around: _s3(asked, around, "get_bucket_versioning").get("Status") != "Enabled",
        _INVALID + "Provided bucket {bucket} does not have versioning enabled.",
    ),
    (
        "guide, 'Create an Amazon S3 bucket': Block all public access; words: 094459/innovateaiml-airflow #1",
        lambda asked, _, around: _s3(asked, around, "get_public_access_block").get(_BLOCK) != _PRIVATE,
        _INVALID + "Provided bucket does not have BlockPublicAccess set for s3 bucket {bucket}.",
    ),
    (
        "words: 094459/innovateaiml-airflow #1, an environment that came before its role's policy",
        _unreadable_dags,
        _INVALID + "Provided role does not have sufficient permissions for s3 location {bucket}/{dags}",
    ),
    (
        "API, RequirementsS3ObjectVersion and its like: the version id that Amazon S3 has assigned",
        _missing_file,
        _INVALID + "Unable to read {0}",
    ),
    (
        "CloudFormation reference, NetworkConfiguration: private subnets in two different availability zones, one VPC",
        _unfit_network,
        _INVALID + "{0}",
    ),
)
