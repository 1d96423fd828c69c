"""What MWAA refuses at once when an environment is created or updated: a table of rules, each with its source.

Sources: "guide" is the Amazon MWAA user guide, "API" its API reference, "model" botocore's service model of MWAA.
AWS's words are used where they are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError
from moto.core.exceptions import ServiceException

from infra.local.mwaa import model
from infra.mwaa_facts import CREATABLE_VERSIONS, ENVIRONMENT_CLASSES, IN_PLACE_TO_3_FROM, MAX_WORKERS, release_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.mwaa.surroundings import Surroundings

    Refusal = Callable[["Request"], str | None]

_PRINCIPALS = ("airflow-env.amazonaws.com", "airflow.amazonaws.com")
# CloudFormation reference, AWS::MWAA::Environment: another value replaces the environment.
_REPLACED = ("Name", "KmsKey", "EndpointManagement")
_LIMITS_OF_MICRO = {"MinWorkers": 1, "MaxWorkers": 1, "Schedulers": 1, "MinWebservers": 1, "MaxWebservers": 1}


class ValidationError(Exception):
    """MWAA refuses a request: ValidationException."""


@dataclass(frozen=True)
class Request:
    """Hold a request to create or update an environment.

    :param properties: those of AWS::MWAA::Environment, typed.
    :param before: those that the environment has; None for one that is to be created.
    :param around: what is around it.
    """

    properties: dict[str, Any]
    before: dict[str, Any] | None
    around: Surroundings

    @property
    def bucket(self) -> str:
        """Return the name of the bucket."""
        return str(self.properties["SourceBucketArn"]).rpartition(":")[2]

    @property
    def version(self) -> str:
        """Return the version of Airflow."""
        return str(self.properties["AirflowVersion"])


@dataclass(frozen=True)
class Rule:
    """Say what MWAA refuses.

    :param name: what the rule is about.
    :param source: where it is written.
    :param refusal: returns the sentence of a refusal, or None.
    :param own_words: whether the sentence stands alone.
    """

    name: str
    source: str
    refusal: Refusal
    own_words: bool


RULES: list[Rule] = []


def check(request: Request) -> None:
    """Raise at the first rule that a request breaks.

    :raises ValidationError: with the rule's sentence.
    """
    for rule in RULES:
        if sentence := rule.refusal(request):
            raise ValidationError(sentence if rule.own_words else f"Invalid request provided: {sentence}")


def _rule(source: str, *, own_words: bool = False) -> Callable[[Refusal], Refusal]:
    def add(refusal: Refusal) -> Refusal:
        RULES.append(Rule(refusal.__name__.strip("_").replace("_", " "), source, refusal, own_words))
        return refusal

    return add


@_rule("model: patterns, lengths, values, what is required; two subnets, one to five security groups", own_words=True)
def _service_model(request: Request) -> str | None:
    return next(model.violations(request.properties), None)


@_rule("model: endpoints of the service")
def _region(request: Request) -> str | None:
    region = request.around.region
    if region not in _regions():
        return f"Amazon MWAA is not available in the Region {region}."
    return None


@_rule("CloudFormation reference, AWS::MWAA::Environment: 'Update requires: Replacement'")
def _replaced_properties(request: Request) -> str | None:
    if request.before is None:
        return None
    changed = [name for name in _REPLACED if request.before.get(name) != request.properties.get(name)]
    if _subnets(request.before) != _subnets(request.properties):
        changed.append("SubnetIds")
    return f"{', '.join(changed)} of an environment cannot be changed." if changed else None


@_rule("guide, 'Apache Airflow versions'")
def _version_to_create(request: Request) -> str | None:
    if (request.before or {}).get("AirflowVersion") == request.version or request.version in CREATABLE_VERSIONS:
        return None
    return f"Airflow version {request.version} is not supported."


@_rule("guide, 'Changing the Apache Airflow version': within a major version, and between 2.11 and 3")
def _version_to_go_to(request: Request) -> str | None:
    if request.before is None:
        return None
    old, new = str(request.before["AirflowVersion"]), request.version
    majors = {release_of(old)[0], release_of(new)[0]}
    if len(majors) == 1 or any(version.startswith(IN_PLACE_TO_3_FROM) for version in (old, new)):
        return None
    return f"an environment cannot go from Airflow {old} to {new}."


@_rule("API, WebserverAccessMode: PUBLIC_AND_PRIVATE for 3.2 and later")
def _access_mode(request: Request) -> str | None:
    mode = request.properties.get("WebserverAccessMode")
    if mode == "PUBLIC_AND_PRIVATE" and release_of(request.version) < (3, 2):
        return f"webserverAccessMode {mode} is not supported for Airflow {request.version}."
    return None


@_rule("CloudFormation reference, EnvironmentClass")
def _environment_class(request: Request) -> str | None:
    name = request.properties.get("EnvironmentClass", "mw1.small")
    if name not in ENVIRONMENT_CLASSES:
        return f"environmentClass {name} is not one of {', '.join(ENVIRONMENT_CLASSES)}."
    return None


@_rule("API, Schedulers, MinWebservers, MaxWebservers; guide, 'Environment class': mw1.micro has one each")
def _limits_of_mw1_micro(request: Request) -> str | None:
    if request.properties.get("EnvironmentClass") != "mw1.micro":
        return None
    for name, limit in _LIMITS_OF_MICRO.items():
        if request.properties.get(name, limit) != limit:
            return f"{name} of an mw1.micro environment must be {limit}."
    return None


@_rule("API, MinWorkers and MaxWorkers; guide, 'Service quotas': 25 workers")
def _workers(request: Request) -> str | None:
    least, most = request.properties.get("MinWorkers", 1), request.properties.get("MaxWorkers", 10)
    if most > MAX_WORKERS:
        return f"maxWorkers {most} is above the quota of {MAX_WORKERS}."
    if least > most:
        return f"minWorkers {least} is greater than maxWorkers {most}."
    return None


@_rule("API, Schedulers, MinWebservers and MaxWebservers: 2 to 5 above mw1.micro")
def _schedulers_and_web_servers(request: Request) -> str | None:
    if request.properties.get("EnvironmentClass") == "mw1.micro":
        return None
    for name in ("Schedulers", "MinWebservers", "MaxWebservers"):
        if not 2 <= request.properties.get(name, 2) <= 5:  # noqa: PLR2004  (the API's numbers)
            return f"{name} must be a number from 2 to 5."
    if request.properties.get("MinWebservers", 2) > request.properties.get("MaxWebservers", 2):
        return "minWebservers is greater than maxWebservers."
    return None


@_rule("guide, 'Execution role', trust policy; words: idealo/terraform-aws-mwaa #156", own_words=True)
def _trust_of_the_role(request: Request) -> str | None:
    role, name = request.properties["ExecutionRoleArn"], request.properties["Name"]
    for principal in _PRINCIPALS:
        try:
            request.around.credentials(role, principal, name)
        except (PermissionError, ServiceException):
            return (
                f"Failed to assume role {role}. This could be due to the role's trust policy. Please ensure your role "
                f"is assumable by '{principal}' Service Principal and try again."
            )
    return None


@_rule("API, SourceBucketArn; guide, 'Create an Amazon S3 bucket': in the environment's Region")
def _bucket_is_there(request: Request) -> str | None:
    s3 = request.around.client("s3")
    try:
        region = s3.get_bucket_location(Bucket=request.bucket)["LocationConstraint"] or "us-east-1"
    except ClientError:
        return f"Provided bucket {request.bucket} does not exist."
    if region != request.around.region:
        return f"Provided bucket {request.bucket} is in the Region {region}."
    return None


@_rule("guide, 'Create an Amazon S3 bucket': Bucket Versioning enabled")
def _bucket_is_versioned(request: Request) -> str | None:
    if request.around.client("s3").get_bucket_versioning(Bucket=request.bucket).get("Status") != "Enabled":
        return f"Provided bucket {request.bucket} does not have versioning enabled."
    return None


@_rule("guide, 'Create an Amazon S3 bucket': Block all public access; words: 094459/innovateaiml-airflow #1")
def _bucket_is_private(request: Request) -> str | None:
    try:
        answer = request.around.client("s3").get_public_access_block(Bucket=request.bucket)
    except ClientError:
        answer = {"PublicAccessBlockConfiguration": {}}
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    if not all(answer["PublicAccessBlockConfiguration"].get(name) for name in names):
        set_for = f"BlockPublicAccess set for s3 bucket {request.bucket}"
        return f"Provided bucket does not have {set_for}."
    return None


@_rule("words: 094459/innovateaiml-airflow #1, an environment that came before its role's policy")
def _role_reads_the_bucket(request: Request) -> str | None:
    arn, folder = request.properties["SourceBucketArn"], request.properties["DagS3Path"].strip("/")
    role_may, role = request.around.role_may, request.properties["ExecutionRoleArn"]
    if role_may(role, "s3:ListBucket", arn, {}) and role_may(role, "s3:GetObject", f"{arn}/{folder}/any.py", {}):
        return None
    return f"Provided role does not have sufficient permissions for s3 location {request.bucket}/{folder}"


@_rule("API, RequirementsS3ObjectVersion and its like: the version id that Amazon S3 has assigned")
def _files_are_there(request: Request) -> str | None:
    for name in ("Plugins", "Requirements", "StartupScript"):
        key, version = request.properties.get(f"{name}S3Path"), request.properties.get(f"{name}S3ObjectVersion")
        if key is None:
            continue
        versioned = {"VersionId": version} if version else {}
        try:
            request.around.client("s3").head_object(Bucket=request.bucket, Key=key, **versioned)
        except ClientError:
            return f"Unable to read version {version} of s3 location {request.bucket}/{key}"
    return None


@_rule("CloudFormation reference, NetworkConfiguration: private subnets in two different availability zones, one VPC")
def _network(request: Request) -> str | None:
    network, ec2 = request.properties["NetworkConfiguration"], request.around.client("ec2")
    try:
        subnets = ec2.describe_subnets(SubnetIds=network["SubnetIds"])["Subnets"]
        groups = ec2.describe_security_groups(GroupIds=network["SecurityGroupIds"])["SecurityGroups"]
    except ClientError as error:
        return f"{error.response['Error']['Message']}"
    if len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:  # noqa: PLR2004  (two of them)
        return "The subnets must be in two different Availability Zones."
    if len({found["VpcId"] for found in (*subnets, *groups)}) > 1:
        return "The subnets and the security groups must belong to the same VPC."
    return None


@cache
def _regions() -> list[str]:
    return boto3.Session().get_available_regions("mwaa")


def _subnets(properties: dict[str, Any]) -> list[str]:
    return sorted(properties["NetworkConfiguration"]["SubnetIds"])
