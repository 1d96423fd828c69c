"""An environment's surroundings in the local AWS, with everything that MWAA requires."""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from infra.local.moto.vpc import Vpc
from infra.local.mwaa.configuration import Surroundings
from infra.local.mwaa.environments import Environments
from infra.local.server import REGION
from infra.mwaa_facts import MWAA_ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.local.server import Server

TRUSTED = ["airflow-env.amazonaws.com", "airflow.amazonaws.com"]
PRIVATE = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


class Open(Vpc):
    """A network that is open except for the way to the internet."""

    has_way_out = False
    closed_to_itself: str | None = None

    def refusal(self, service: str) -> str | None:
        del service
        return None


@dataclass
class Account:
    """Everything that an environment needs, created through AWS's own APIs."""

    server: Server
    folder: Path
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = f"mwaa-{uuid.uuid4().hex[:8]}"
        client = cache(self.server.client)
        self.s3, self.ec2, self.iam = (client(service) for service in ("s3", "ec2", "iam"))
        self._third_octet = itertools.count()
        self.vpc = self.ec2.create_vpc(CidrBlock="10.192.0.0/16")["Vpc"]["VpcId"]
        self.around = Surroundings(
            folder=self.folder / "environments",
            endpoint_url=lambda: self.server.endpoint_url,
            client=client,
            say=self.said.append,
            region=REGION,
            role_may=lambda *_: True,
            network=Open,
            proxy_url=lambda *_: None,
        )
        self.make_bucket(self.name)
        self.properties: dict[str, Any] = {
            "Name": self.name,
            "AirflowVersion": "3.3.1",
            "ExecutionRoleArn": self.role(self.name, TRUSTED),
            "SourceBucketArn": f"arn:aws:s3:::{self.name}",
            "DagS3Path": "dags",
            "EnvironmentClass": "mw1.small",
            "MinWorkers": "1",
            "MaxWorkers": "2",
            "WebserverAccessMode": "PUBLIC_AND_PRIVATE",
            "NetworkConfiguration": {
                "SubnetIds": [self.subnet("a"), self.subnet("b")],
                "SecurityGroupIds": [self.group()],
            },
            "LoggingConfiguration": {
                module: {"Enabled": "true", "LogLevel": "INFO"}
                for module in ("DagProcessingLogs", "SchedulerLogs", "TaskLogs", "WebserverLogs", "WorkerLogs")
            },
        }

    def make_bucket(self, name: str, region: str = REGION) -> None:
        environ = self.server.environ
        keys = (environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"])
        session: Any = boto3.Session(*keys, region_name=region)
        s3 = self.s3 if region == REGION else session.client("s3", endpoint_url=self.server.endpoint_url)
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=PRIVATE)

    def role(self, name: str, trusted: list[str]) -> str:
        statement = {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        arn = str(self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"])
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        self.iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=policy)
        return arn

    def subnet(self, zone: str) -> str:
        cidr = f"10.192.{next(self._third_octet)}.0/24"
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=REGION + zone)
        return str(made["Subnet"]["SubnetId"])

    def group(self, vpc: str = "") -> str:
        name = f"group-{uuid.uuid4().hex[:8]}"
        return str(self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc or self.vpc)["GroupId"])

    def connect(self) -> None:
        """Create all that MWAA needs in a VPC without a way out, and make environments use it."""
        network = self.properties["NetworkConfiguration"]
        subnets, (group,) = network["SubnetIds"], network["SecurityGroupIds"]
        itself = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[itself])
        self.ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        for subnet in subnets:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        service = f"com.amazonaws.{REGION}."
        self.ec2.create_vpc_endpoint(VpcId=self.vpc, ServiceName=f"{service}s3", RouteTableIds=[table])
        interface = {"VpcId": self.vpc, "SubnetIds": subnets, "SecurityGroupIds": [group], "PrivateDnsEnabled": True}
        for name in MWAA_ENDPOINTS:
            self.ec2.create_vpc_endpoint(ServiceName=service + name, VpcEndpointType="Interface", **interface)
        self.around = replace(
            self.around, network=Vpc, proxy_url=self.server.proxy_url, role_may=self.server.iam.role_may
        )

    def upload(self, key: str, body: bytes) -> str:
        return str(self.s3.put_object(Bucket=self.name, Key=key, Body=body)["VersionId"])

    def environments(self, *, run_airflow: bool = False, **around: Any) -> Environments:
        return Environments(replace(self.around, **around), run_airflow=run_airflow)


def denying(action: str) -> Callable[..., bool]:
    """Return a `role_may` that allows every action but one."""
    return lambda _role, asked, _resource, _context: asked != action
