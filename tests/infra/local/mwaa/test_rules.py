"""The requests that MWAA refuses at once: one row for each rule, in which nothing else is wrong."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.moto import template_rules
from infra.local.mwaa.rules import RULES, ValidationError
from infra.local.server import REGION
from tests.infra.local.mwaa.support import denying

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.local.mwaa.support import Account


def network(account: Account, **changed: list[str]) -> dict[str, Any]:
    return {"NetworkConfiguration": {**account.properties["NetworkConfiguration"], **changed}}


def bucket(
    account: Account, *, region: str = "eu-west-1", versioned: bool = True, private: bool = True
) -> dict[str, Any]:
    name = f"other-{uuid.uuid4().hex[:8]}"
    account.make_bucket(name, region)
    if not versioned:
        account.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    if not private:
        blocks = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True}
        account.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=blocks)
    return {"SourceBucketArn": f"arn:aws:s3:::{name}"}


def options(name: str, value: str = "x") -> dict[str, Any]:
    return {"AirflowConfigurationOptions": {name: value}}


def other_vpc(account: Account) -> str:
    return str(account.ec2.create_vpc(CidrBlock="10.193.0.0/16")["Vpc"]["VpcId"])


MICRO = {"EnvironmentClass": "mw1.micro", "MaxWorkers": 1}
REFUSED: list[tuple[str, Callable[[Account], dict[str, Any]], str]] = [
    ("no folder", lambda _: {"DagS3Path": None}, "Invalid type for parameter DagS3Path"),
    ("option", lambda _: options("Core.x"), "'AirflowConfigurationOptions' failed to satisfy constraint"),
    ("option's value", lambda _: options("core.x", "ä"), "'AirflowConfigurationOptions.core.x' failed to satisfy"),
    ("long option", lambda _: options("core." + "x" * 60), "Member must have length less than or equal to 64"),
    ("level", lambda _: {"LoggingConfiguration": {"TaskLogs": {"Enabled": "true"}}}, "Missing required parameter"),
    ("old version", lambda _: {"AirflowVersion": "2.4.3"}, "Airflow version 2.4.3 is not supported"),
    ("mode of 3.0", lambda _: {"AirflowVersion": "3.0.6"}, "PUBLIC_AND_PRIVATE is not supported for Airflow 3.0.6"),
    ("class", lambda _: {"EnvironmentClass": "mw2.huge"}, "mw2.huge is not one of mw1.micro"),
    (
        "workers of micro",
        lambda _: {**MICRO, "MaxWorkers": 2},
        "MaxWorkers of an mw1.micro environment must be a number from 1 to 1",
    ),
    (
        "schedulers of micro",
        lambda _: {**MICRO, "Schedulers": 2},
        "Schedulers of an mw1.micro environment must be a number from 1",
    ),
    ("min above max", lambda _: {"MinWorkers": 9}, "minWorkers 9 is greater than maxWorkers 2"),
    (
        "too many workers",
        lambda _: {"MaxWorkers": 26},
        "MaxWorkers of an mw1.small environment must be a number from 1 to 25",
    ),
    (
        "one scheduler",
        lambda _: {"Schedulers": 1},
        "Schedulers of an mw1.small environment must be a number from 2 to 5",
    ),
    (
        "web servers",
        lambda _: {"MinWebservers": 4, "MaxWebservers": 3},
        "minWebservers 4 is greater than maxWebservers 3",
    ),
    ("no role", lambda _: {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/none"}, "Failed to assume role"),
    (
        "trust",
        lambda a: {"ExecutionRoleArn": a.role(f"half-{uuid.uuid4().hex[:8]}", ["airflow.amazonaws.com"])},
        "assumable by 'airflow-env.amazonaws.com' Service Principal",
    ),
    (
        "half a trust",
        lambda a: {"ExecutionRoleArn": a.role(f"half-{uuid.uuid4().hex[:8]}", ["airflow-env.amazonaws.com"])},
        "assumable by 'airflow.amazonaws.com' Service Principal",
    ),
    ("no bucket", lambda _: {"SourceBucketArn": "arn:aws:s3:::none-at-all"}, "bucket none-at-all does not exist"),
    ("far bucket", lambda a: bucket(a, region="us-west-2"), "is in the Region us-west-2"),
    ("unversioned", lambda a: bucket(a, versioned=False), "does not have versioning enabled"),
    ("public", lambda a: bucket(a, private=False), "does not have BlockPublicAccess set for s3 bucket other-"),
    ("no file", lambda _: {"PluginsS3Path": "plugins.zip"}, "Unable to read version None of s3 location"),
    (
        "no such version",
        lambda a: {"RequirementsS3Path": "r.txt", "RequirementsS3ObjectVersion": a.upload("r.txt", b"")[:-1] + "x"},
        "Unable to read version",
    ),
    ("no subnets", lambda a: network(a, SubnetIds=["subnet-01", "subnet-02"]), "does not exist"),
    ("no group", lambda a: network(a, SecurityGroupIds=["sg-0123"]), "does not exist"),
    (
        "one zone",
        lambda a: network(a, SubnetIds=[a.subnet("a"), a.subnet("a")]),
        "two different Availability Zones",
    ),
    ("group elsewhere", lambda a: network(a, SecurityGroupIds=[a.group(other_vpc(a))]), "must belong to the same VPC"),
]


# These do not reach MWAA: CloudFormation refuses them by the type's schema.
REFUSED_BEFORE: list[tuple[str, dict[str, Any], str]] = [
    ("name", {"Name": "1st"}, "#/Name: '1st' does not match"),
    ("long name", {"Name": "n" * 81}, "#/Name: expected maximum length: 80"),
    ("role", {"ExecutionRoleArn": "admin"}, "#/ExecutionRoleArn: 'admin' does not match"),
    ("mode", {"WebserverAccessMode": "OPEN"}, "#/WebserverAccessMode: 'OPEN' is not one of"),
    ("strategy", {"WorkerReplacementStrategy": "SOON"}, "#/WorkerReplacementStrategy: 'SOON' is not one of"),
    ("type", {"MinWorkers": "two"}, "#/MinWorkers: 'two' is not of type 'integer'"),
    ("no worker", {"MinWorkers": 0}, "#/MinWorkers: 0 is less than the minimum of 1"),
    ("six schedulers", {"Schedulers": 6}, "#/Schedulers: 6 is greater than the maximum of 5"),
    ("one subnet", {"NetworkConfiguration": {"SubnetIds": ["subnet-1"]}}, "#/NetworkConfiguration/SubnetIds: "),
    (
        "six groups",
        {"NetworkConfiguration": {"SecurityGroupIds": [f"sg-{i}" for i in range(6)]}},
        "#/NetworkConfiguration/SecurityGroupIds: ",
    ),
]


@pytest.mark.parametrize(
    ("changed", "words"), [row[1:] for row in REFUSED_BEFORE], ids=[row[0] for row in REFUSED_BEFORE]
)
def test_the_types_schema_refuses_a_malformed_property(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="Properties validation failed") as caught:
        template_rules.check_properties("Mine", "AWS::MWAA::Environment", {"Name": "mine"} | changed, REGION)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["Name", "KmsKey", "EndpointManagement", "SubnetIds"])
def test_a_changed_property_that_cannot_be_updated_replaces_the_environment(name: str) -> None:
    old: dict[str, Any] = {name: "old"}
    new: dict[str, Any] = {name: "new"}
    if name == "SubnetIds":
        old, new = {"NetworkConfiguration": old}, {"NetworkConfiguration": new}
    assert template_rules.replaces("AWS::MWAA::Environment", old, new, REGION)


@pytest.mark.parametrize(("changed", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_creation_is_refused(changed: Callable[[Account], dict[str, Any]], words: str, account: Account) -> None:
    environments = account.environments()
    with pytest.raises(ValidationError) as caught:
        environments.create(account.properties | changed(account))
    assert words in str(caught.value)
    assert not environments


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"AirflowVersion": "2.10.3", "WebserverAccessMode": "PUBLIC_ONLY"},
        {"AirflowVersion": "3.0.6", "WebserverAccessMode": "PUBLIC_ONLY"},  # MWAA accepts it, but no task runs
        {**MICRO, "MinWorkers": 1},
        {"Schedulers": "5", "MinWebservers": "2", "MaxWebservers": "5", "MaxWorkers": "25"},
        options("codeartifact.domain_owner", "123456789012"),
    ],
)
def test_a_creation_that_breaks_no_rule_becomes_available(changed: dict[str, Any], account: Account) -> None:
    environment = account.environments().create(account.properties | changed)
    environment.wait(10)
    assert (environment.status, environment.error) == ("AVAILABLE", "")


def test_a_role_that_cannot_read_the_bucket_is_refused_at_once(account: Account) -> None:
    with pytest.raises(ValidationError, match="sufficient permissions for s3 location mwaa-"):
        account.environments(role_may=denying("s3:GetObject")).create(account.properties)


def test_a_region_without_mwaa_is_refused(account: Account) -> None:
    with pytest.raises(ValidationError, match="not available in the Region xx-east-1"):
        account.environments(region="xx-east-1").create(account.properties)


def test_a_name_cannot_be_used_twice(account: Account) -> None:
    environments = account.environments()
    environments.create(account.properties).wait(10)
    with pytest.raises(ValidationError, match="already exists"):
        environments.create(account.properties)


@pytest.mark.parametrize(
    ("old", "new"),
    [("2.10.3", "2.11.2"), ("2.11.2", "2.10.3"), ("2.11.2", "3.3.1"), ("3.3.1", "2.11.0"), ("3.3.1", "3.2.1")],
)
def test_an_environment_is_updated_to_another_version(old: str, new: str, account: Account) -> None:
    environments, mode = account.environments(), {"WebserverAccessMode": "PRIVATE_ONLY"}
    environments.create(account.properties | mode | {"AirflowVersion": old}).wait(10)
    environments.update(account.name, account.properties | mode | {"AirflowVersion": new}).wait(10)
    assert environments[account.name].describe()["AirflowVersion"] == new


@pytest.mark.parametrize(
    ("old", "changed", "words"),
    [
        ("2.10.3", {"AirflowVersion": "3.3.1"}, "cannot go from Airflow 2.10.3 to 3.3.1"),
        ("3.0.6", {"AirflowVersion": "2.10.3"}, "cannot go from Airflow 3.0.6 to 2.10.3"),
        ("3.3.1", {"AirflowVersion": "2.4.3"}, "Airflow version 2.4.3 is not supported"),
        ("3.3.1", {"MinWorkers": 3}, "minWorkers 3 is greater than maxWorkers 2"),
    ],
)
def test_an_update_is_refused(old: str, changed: dict[str, Any], words: str, account: Account) -> None:
    environments, mode = account.environments(), {"WebserverAccessMode": "PRIVATE_ONLY"}
    environments.create(account.properties | mode | {"AirflowVersion": old}).wait(10)
    with pytest.raises(ValidationError) as caught:
        environments.update(account.name, account.properties | mode | changed)
    assert words in str(caught.value)
    assert environments[account.name].status == "AVAILABLE"


def test_every_rule_names_its_source() -> None:
    assert all(source for source, _ in RULES)
