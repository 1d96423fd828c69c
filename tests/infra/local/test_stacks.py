"""The templates, deployed by the real AWS CLI to the stand-ins, and their resources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra import ROOT
from infra.build import build
from infra.local.moto.vpc import Vpc

if TYPE_CHECKING:
    from infra.local.server import Server

TEMPLATES = ROOT / "infra" / "cloudformation"


def cloudformation_deploy(server: Server, stack: str, template: str, **parameters: str) -> str:
    """Deploy one stack; return the AWS CLI's output, empty on success."""
    aws = str(Path(sys.executable).with_name("aws"))
    command = [aws, "cloudformation", "deploy", "--stack-name", stack, "--capabilities", "CAPABILITY_IAM"]
    command += ["--template-file", str(TEMPLATES / f"{template}.yaml"), "--parameter-overrides"]
    command += [f"{name}={value}" for name, value in parameters.items()]
    environ = {"PATH": os.environ["PATH"], **server.environ}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return ended.stderr if ended.returncode else ""


def client(server: Server, service: str) -> Any:
    return server.client(service)


def outputs(server: Server, stack: str) -> dict[str, str]:
    found = client(server, "cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


@pytest.fixture(scope="module")
def prefix() -> str:
    """Return new names for each set of stacks, because moto's state outlives a server."""
    return f"stacks-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def network(server: Server, prefix: str) -> dict[str, str]:
    assert not cloudformation_deploy(server, f"{prefix}-network", "network", EnvironmentName=prefix)
    return outputs(server, f"{prefix}-network")


@pytest.fixture(scope="module")
def repository(server: Server, prefix: str) -> dict[str, str]:
    names = {"DomainName": prefix, "RepositoryName": prefix, "BucketName": prefix}
    assert not cloudformation_deploy(server, f"{prefix}-repository", "repository", **names)
    return outputs(server, f"{prefix}-repository")


@pytest.fixture(scope="module")
def refresher(
    server: Server, prefix: str, repository: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    root = tmp_path_factory.mktemp("build")
    for folder in ("plugins", "infra"):
        (root / folder).symlink_to(ROOT / folder)
    build(root)
    s3 = client(server, "s3")
    zipped = (root / "build" / "refresher.zip").read_bytes()
    version = s3.put_object(Bucket=repository["BucketName"], Key="lambda/refresher.zip", Body=zipped)["VersionId"]
    parameters = {**repository, "EnvironmentName": prefix, "RefresherS3ObjectVersion": version}
    del parameters["BucketArn"]
    assert not cloudformation_deploy(server, f"{prefix}-refresher", "refresher", **parameters)
    return {**parameters, **outputs(server, f"{prefix}-refresher")}


def test_no_route_leads_to_the_internet(server: Server, network: dict[str, str]) -> None:
    ec2 = client(server, "ec2")
    in_vpc = [{"Name": "vpc-id", "Values": [network["VpcId"]]}]
    routes = [route for table in ec2.describe_route_tables(Filters=in_vpc)["RouteTables"] for route in table["Routes"]]
    assert routes
    assert not [route for route in routes if "0.0.0.0/0" in route.values() or "::/0" in route.values()]
    attached = [{"Name": "attachment.vpc-id", "Values": [network["VpcId"]]}]
    assert not ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]
    assert not ec2.describe_nat_gateways(Filter=in_vpc)["NatGateways"]


def test_the_environment_reaches_what_it_needs_and_nothing_else(network: dict[str, str]) -> None:
    vpc = Vpc(tuple(network["PrivateSubnetIds"].split(",")), (network["SecurityGroupId"],))
    needed = ("s3", "sqs", "logs", "monitoring", "kms", "codeartifact.api", "codeartifact.repositories")
    assert {service: vpc.refusal(service) for service in needed} == dict.fromkeys(needed)
    assert vpc.closed_to_itself is None
    assert not vpc.has_way_out
    assert vpc.refusal("sts")


def test_the_private_subnets_are_in_two_zones_of_the_region(server: Server, network: dict[str, str]) -> None:
    ids = network["PrivateSubnetIds"].split(",")
    subnets = client(server, "ec2").describe_subnets(SubnetIds=ids)["Subnets"]
    assert {subnet["AvailabilityZone"] for subnet in subnets} == {"eu-west-1a", "eu-west-1b"}


def test_the_endpoints_that_mwaa_and_codeartifact_need_are_there(server: Server, network: dict[str, str]) -> None:
    in_vpc = [{"Name": "vpc-id", "Values": [network["VpcId"]]}]
    endpoints = client(server, "ec2").describe_vpc_endpoints(Filters=in_vpc)["VpcEndpoints"]
    services = {endpoint["ServiceName"].removeprefix("com.amazonaws.eu-west-1.") for endpoint in endpoints}
    assert services == {"s3", "sqs", "logs", "monitoring", "kms", "codeartifact.api", "codeartifact.repositories"}


def test_the_bucket_is_versioned_encrypted_private_and_tls_only(server: Server, repository: dict[str, str]) -> None:
    s3, bucket = client(server, "s3"), repository["BucketName"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_repository_pulls_from_the_public_index(server: Server, repository: dict[str, str]) -> None:
    found = server.codeartifact.repository(repository["DomainName"], repository["RepositoryName"])
    assert found.external_connections == ("public:pypi",)


def test_the_bootstrap_has_written_the_file_before_the_stack_is_complete(
    server: Server, prefix: str, refresher: dict[str, str]
) -> None:
    assert refresher["IndexUrlDestination"] == f"s3://{prefix}/dags/codeartifact.txt"
    head = client(server, "s3").head_object(Bucket=prefix, Key="dags/codeartifact.txt")
    assert head["Metadata"]["refreshed-by"] == "lambda"


def test_an_unchanged_stack_gets_an_empty_change_set(server: Server, prefix: str, network: dict[str, str]) -> None:
    del network
    said = cloudformation_deploy(server, f"{prefix}-network", "network", EnvironmentName=prefix)
    assert "No changes to deploy" in said
    stack = client(server, "cloudformation").describe_stacks(StackName=f"{prefix}-network")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_a_failed_bootstrap_rolls_the_stack_back_with_its_reason(
    server: Server, prefix: str, refresher: dict[str, str]
) -> None:
    failing = f"{prefix}-failing"
    parameters = {name: value for name, value in refresher.items() if name in REFRESHER_PARAMETERS}
    parameters |= {"EnvironmentName": failing, "RepositoryName": "missing"}
    assert "Failed to create/update the stack" in cloudformation_deploy(server, failing, "refresher", **parameters)
    cloudformation = client(server, "cloudformation")
    assert cloudformation.describe_stacks(StackName=failing)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=failing)["StackEvents"]
    (reason,) = [
        event["ResourceStatusReason"]
        for event in events
        if event["ResourceStatus"] == "CREATE_FAILED" and event["LogicalResourceId"] == "Bootstrap"
    ]
    assert "check the settings domain, domain_owner, repository and region" in reason


def test_the_metrics_of_a_refresh_reach_cloudwatch(server: Server, prefix: str, refresher: dict[str, str]) -> None:
    client(server, "lambda").invoke(FunctionName=refresher["RefresherFunctionName"], Payload=b"{}")
    metrics = client(server, "cloudwatch").list_metrics(Namespace="MwaaCodeArtifact")["Metrics"]
    assert {metric["MetricName"] for metric in metrics} == {"RemainingLifetime", "Refreshes", "Fallbacks"}
    assert {dimension["Value"] for metric in metrics for dimension in metric["Dimensions"]} >= {prefix}


def test_the_alarms_watch_the_metrics_that_the_refresher_writes(
    server: Server, prefix: str, refresher: dict[str, str]
) -> None:
    names = [f"{prefix}-{name}" for name in ("index-url-remaining-lifetime", "refresher-errors", "refresher-fallback")]
    alarms = client(server, "cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert {alarm["MetricName"] for alarm in alarms} == {"RemainingLifetime", "Fallbacks", "Errors"}
    assert all(alarm["AlarmActions"] == [refresher["AlarmTopicArn"]] for alarm in alarms)


REFRESHER_PARAMETERS = {
    "EnvironmentName",
    "DomainName",
    "DomainOwner",
    "DomainArn",
    "RepositoryName",
    "RepositoryArn",
    "BucketName",
    "RefresherS3ObjectVersion",
}


def test_a_stack_lists_the_type_of_each_of_its_resources(server: Server, refresher: dict[str, str]) -> None:
    name = f"{refresher['EnvironmentName']}-refresher"
    found = client(server, "cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    types = {resource["LogicalResourceId"]: resource.get("ResourceType") for resource in found}
    assert None not in types.values()
    assert types["Refresher"] == "AWS::Lambda::Function"
    assert types["Schedule"] == "AWS::Events::Rule"
    assert types["Alarms"] == "AWS::SNS::Topic"


def test_a_role_shows_its_policies_as_in_the_template(server: Server, refresher: dict[str, str]) -> None:
    found = client(server, "cloudformation").describe_stack_resource(
        StackName=f"{refresher['EnvironmentName']}-refresher", LogicalResourceId="RefresherRole"
    )
    role = found["StackResourceDetail"]["PhysicalResourceId"]
    policy = client(server, "iam").get_role_policy(RoleName=role, PolicyName="refresh-index-url")["PolicyDocument"]
    assert policy["Statement"][0]["Action"] == "codeartifact:GetAuthorizationToken"
    assert policy["Statement"][0]["Resource"] == refresher["DomainArn"]
