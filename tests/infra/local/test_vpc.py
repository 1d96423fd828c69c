"""Programs in an environment reach a service only if its VPC has a route or endpoint, as on AWS."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError, ProxyConnectionError

from infra.local.moto.iam import assume_role
from infra.local.moto.vpc import Vpc
from infra.local.server import REGION, Server
from mwaa_codeartifact.core.connections import http_get
from mwaa_codeartifact.core.index_url import Token
from tests.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Change = Callable[[Any, "Network"], object]

SERVICES = ("sqs", "codeartifact.api", "codeartifact.repositories")


@dataclass
class Network:
    """The ids of a valid private network; each test has its own and may break a rule."""

    vpc: str
    subnets: list[str]
    table: str
    associations: list[str]
    group: str
    endpoint_group: str
    endpoints: dict[str, str]

    @property
    def out_of(self) -> Vpc:
        return Vpc(tuple(self.subnets), (self.group,))


@cache
def ec2_of(server: Server) -> Any:
    """Return one client for all tests, because creating it takes longer than its calls."""
    return server.client("ec2")


def open_to(port: int, group: str) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": group}]}]


@pytest.fixture
def network(server: Server) -> Network:
    ec2 = ec2_of(server)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    zones = {"a": "10.0.1.0/24", "b": "10.0.2.0/24"}
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=REGION + zone)["Subnet"]["SubnetId"]
        for zone, block in zones.items()
    ]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    associations = [
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"] for subnet in subnets
    ]
    group, endpoint_group = (
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("environment", "endpoints")
    )
    ec2.authorize_security_group_ingress(GroupId=endpoint_group, IpPermissions=open_to(443, group))
    found = Network(vpc, subnets, table, associations, group, endpoint_group, {})
    for service in SERVICES:
        found.endpoints[service] = interface(ec2, found, service)
    gateway = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[table])
    found.endpoints["s3"] = gateway["VpcEndpoint"]["VpcEndpointId"]
    return found


def interface(ec2: Any, network: Network, service: str, **changed: Any) -> str:
    endpoint = {
        "VpcEndpointType": "Interface",
        "VpcId": network.vpc,
        "ServiceName": f"com.amazonaws.{REGION}.{service}",
        "SubnetIds": network.subnets,
        "SecurityGroupIds": [network.endpoint_group],
        "PrivateDnsEnabled": True,
    }
    created: str = ec2.create_vpc_endpoint(**endpoint | changed)["VpcEndpoint"]["VpcEndpointId"]
    return created


def replace_sqs(**changed: Any) -> Change:
    """Replace the endpoint of SQS."""

    def change(ec2: Any, network: Network) -> None:
        ec2.delete_vpc_endpoints(VpcEndpointIds=[network.endpoints["sqs"]])
        interface(ec2, network, "sqs", **changed)

    return change


def narrow_egress(**allowed: Any) -> Change:
    def change(ec2: Any, network: Network) -> None:
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        ec2.revoke_security_group_egress(GroupId=network.group, IpPermissions=everything)
        if allowed:
            ec2.authorize_security_group_egress(
                GroupId=network.group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **allowed}]
            )

    return change


def test_a_private_network_reaches_what_it_has_endpoints_for_and_nothing_else(network: Network) -> None:
    assert [network.out_of.refusal(service) for service in ("s3", *SERVICES)] == [None] * 4
    assert network.out_of.refusal("sts") == f"the VPC has no endpoint com.amazonaws.{REGION}.sts"
    assert not network.out_of.has_way_out


@pytest.mark.parametrize(
    ("service", "change", "why"),
    [
        ("sqs", lambda ec2, n: ec2.delete_vpc_endpoints(VpcEndpointIds=[n.endpoints["sqs"]]), "has no endpoint"),
        ("sqs", replace_sqs(PrivateDnsEnabled=False), "its private DNS is off"),
        ("sqs", replace_sqs(SecurityGroupIds=[]), "no inbound rule of sg-"),  # the VPC's default group
        (
            "sqs",
            lambda ec2, n: ec2.modify_vpc_endpoint(VpcEndpointId=n.endpoints["sqs"], RemoveSubnetIds=[n.subnets[1]]),
            "it has no interface in subnet-",
        ),
        (
            "sqs",
            lambda ec2, n: ec2.revoke_security_group_ingress(
                GroupId=n.endpoint_group, IpPermissions=open_to(443, n.group)
            ),
            "no inbound rule of sg-",
        ),
        ("sqs", narrow_egress(), "no outbound rule of sg-"),
        ("s3", narrow_egress(IpRanges=[{"CidrIp": "10.0.0.0/16"}]), "no outbound rule of sg-"),
        (
            "sqs",
            lambda ec2, n: ec2.modify_vpc_attribute(VpcId=n.vpc, EnableDnsHostnames={"Value": False}),
            "EnableDnsHostnames",
        ),
        (
            "s3",
            lambda ec2, n: ec2.modify_vpc_attribute(VpcId=n.vpc, EnableDnsSupport={"Value": False}),
            "EnableDnsSupport",
        ),
        ("s3", lambda ec2, n: ec2.disassociate_route_table(AssociationId=n.associations[1]), "not on the route table"),
        ("s3", lambda ec2, n: ec2.delete_vpc_endpoints(VpcEndpointIds=[n.endpoints["s3"]]), "has no endpoint"),
    ],
)
def test_each_broken_rule_makes_the_service_unreachable(
    server: Server, network: Network, service: str, change: Change, why: str
) -> None:
    change(ec2_of(server), network)
    assert why in (network.out_of.refusal(service) or "")


@pytest.mark.parametrize("allowed", [{"IpRanges": [{"CidrIp": "10.0.0.0/16"}]}, "endpoints"])
def test_outbound_rules_to_the_endpoint_alone_are_enough(server: Server, network: Network, allowed: Any) -> None:
    rule = {"UserIdGroupPairs": [{"GroupId": network.endpoint_group}]} if allowed == "endpoints" else allowed
    narrow_egress(**rule)(ec2_of(server), network)
    assert network.out_of.refusal("sqs") is None


def test_everything_is_reached_through_a_nat_gateway_and_nothing_through_an_internet_gateway(
    server: Server, network: Network
) -> None:
    ec2 = ec2_of(server)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.create_route(RouteTableId=network.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    assert network.out_of.refusal("sts")
    nat = ec2.create_nat_gateway(SubnetId=network.subnets[0], ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    ec2.replace_route(RouteTableId=network.table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    assert network.out_of.has_way_out
    assert network.out_of.refusal("sts") is None


def test_a_group_of_another_vpc_reaches_nothing(server: Server, network: Network) -> None:
    stranger = ec2_of(server).create_security_group(GroupName="x", Description="x")["GroupId"]
    assert "is not a security group of vpc-" in (Vpc(network.out_of.subnet_ids, (stranger,)).refusal("sqs") or "")


def test_the_members_of_a_group_reach_one_another_only_by_a_rule_that_names_it(
    server: Server, network: Network
) -> None:
    assert "allows its own members at port 443" in (network.out_of.closed_to_itself or "")
    own = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": network.group}]}]
    ec2_of(server).authorize_security_group_ingress(GroupId=network.group, IpPermissions=own)
    assert network.out_of.closed_to_itself is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, "conflicting DNS domain"),
        ({"PrivateDnsEnabled": False, "SubnetIds": "twice"}, "same zone"),
        ({"PrivateDnsEnabled": False, "SecurityGroupIds": ["sg-1"]}, "different networks"),
    ],
)
def test_an_endpoint_that_ec2_refuses_is_refused(
    server: Server, network: Network, changed: dict[str, Any], why: str
) -> None:
    if "SubnetIds" in changed:
        changed = changed | {"SubnetIds": [network.subnets[0]] * 2}
    with pytest.raises(ClientError, match=why):
        interface(ec2_of(server), network, "sqs", **changed)


def test_private_dns_needs_a_vpc_with_dns_host_names(server: Server, network: Network) -> None:
    ec2 = ec2_of(server)
    ec2.modify_vpc_attribute(VpcId=network.vpc, EnableDnsHostnames={"Value": False})
    with pytest.raises(ClientError, match="enableDnsSupport and enableDnsHostnames"):
        interface(ec2, network, "kms")


# --- the forward proxy


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    """Create an execution role that may do everything, so that only the network stops it."""
    name, iam = f"execution-{uuid4().hex[:12]}", server.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "airflow-env.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    yield iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.delete_role_policy(RoleName=name, PolicyName="all")
    iam.delete_role(RoleName=name)


@pytest.fixture
def inside(server: Server, network: Network, role: str) -> dict[str, str]:
    """Return the environment variables of a program inside."""
    may = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    server.client("iam").put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="all", PolicyDocument=may)
    proxy = server.proxy_url(network.subnets, [network.group])
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "1",
        "HTTP_PROXY": proxy,
        "http_proxy": proxy,
        "HTTPS_PROXY": proxy,
        **assume_role(role, "airflow-env.amazonaws.com", REGION),
    }


def client(inside: dict[str, str], service: str, *, proxied: bool = True) -> Any:
    session: Any = boto3.Session(
        inside["AWS_ACCESS_KEY_ID"],
        inside["AWS_SECRET_ACCESS_KEY"],
        inside["AWS_SESSION_TOKEN"],
        region_name=REGION,
    )
    proxies = {"http": inside["HTTP_PROXY"]} if proxied else {}
    config = Config(proxies=proxies, retries={"total_max_attempts": 1}, inject_host_prefix=False)
    return session.client(service, endpoint_url=inside["AWS_ENDPOINT_URL"], config=config)


def test_boto3_reaches_s3_and_sqs_but_not_sts(inside: dict[str, str], server: Server) -> None:
    name = f"vpc-{uuid4().hex[:12]}"
    server.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3 = client(inside, "s3")
    s3.put_object(Bucket=name, Key="a b/ü+?.txt", Body=b"x" * 100_000)
    assert s3.get_object(Bucket=name, Key="a b/ü+?.txt")["Body"].read() == b"x" * 100_000
    assert client(inside, "sqs").create_queue(QueueName=name)["QueueUrl"]
    with pytest.raises(ProxyConnectionError):
        client(inside, "sts").get_caller_identity()


def test_an_unreachable_service_is_printed_once(tmp_path: Path) -> None:
    told: list[str] = []
    with Server(tmp_path / "aws", 0, 0, lambda who, line: told.append(f"{who}: {line}")) as server:
        ec2 = ec2_of(server)
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="x", Description="x", VpcId=vpc)["GroupId"]
        keys = server.environ | {"HTTP_PROXY": server.proxy_url([subnet], [group]), "AWS_SESSION_TOKEN": ""}
        for _ in range(2):
            with pytest.raises(ProxyConnectionError):
                client(keys, "kms").list_keys()
    assert told == [
        f"vpc: the environment does not reach kms: the VPC has no endpoint com.amazonaws.{REGION}.kms",
    ]


def test_mwaas_three_endpoints_are_distinguished(inside: dict[str, str], server: Server, network: Network) -> None:
    interface(ec2_of(server), network, "airflow.api")
    mwaa = client(inside, "mwaa")
    assert "Environments" in mwaa.list_environments()
    with pytest.raises(ProxyConnectionError):
        mwaa.create_web_login_token(Name="any")


def test_the_roles_credentials_are_refused_without_the_proxy(inside: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="came without its VPC's proxy"):
        client(inside, "sqs", proxied=False).list_queues()


def test_the_aws_cli_goes_through_the_proxy(inside: dict[str, str]) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("aws")), *arguments]
        return subprocess.run(command, env=inside, capture_output=True, text=True, check=False)

    listed, refused = run("s3api", "list-buckets"), run("sts", "get-caller-identity")
    assert listed.returncode == 0, listed.stderr
    assert refused.returncode
    assert "Failed to connect to proxy" in refused.stderr


@pytest.fixture
def index(inside: dict[str, str], server: Server) -> tuple[str, Token]:
    """Create a repository with one package; return its index and a token that was minted inside."""
    name = f"vpc-{uuid4().hex[:12]}"
    server.codeartifact.create_domain(name)
    server.codeartifact.create_repository(name, name)
    codeartifact = client(inside, "codeartifact")
    minted = codeartifact.get_authorization_token(domain=name)
    endpoint = codeartifact.get_repository_endpoint(domain=name, repository=name, format="pypi")["repositoryEndpoint"]
    token = Token(minted["authorizationToken"], minted["expiration"])
    file_name, content = wheel("mine", "1.0")
    form = {":action": "file_upload", "protocol_version": "1"}
    files = {"content": (file_name, content)}
    requests.post(endpoint, data=form, files=files, auth=("aws", token.value), timeout=10).raise_for_status()
    return f"{endpoint}simple/", token


@pytest.mark.long
def test_pip_installs_through_the_repositories_endpoint_only(
    inside: dict[str, str], server: Server, network: Network, index: tuple[str, Token], tmp_path: Path
) -> None:
    def install() -> subprocess.CompletedProcess[str]:
        url = index[0].replace("://", f"://aws:{index[1].value}@")
        command = [sys.executable, "-m", "pip", "install", "--no-deps", "--retries=0", "--isolated"]
        command += ["--index-url", url, "--target", str(tmp_path), "mine"]
        environ = inside | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    installed = install()
    assert installed.returncode == 0, installed.stderr
    ids = [network.endpoints["codeartifact.repositories"]]
    ec2_of(server).delete_vpc_endpoints(VpcEndpointIds=ids)
    assert install().returncode


def test_the_cores_own_get_goes_through_the_proxy(
    inside: dict[str, str], server: Server, network: Network, index: tuple[str, Token], monkeypatch: pytest.MonkeyPatch
) -> None:
    ec2 = ec2_of(server)
    monkeypatch.setenv("http_proxy", inside["http_proxy"])
    monkeypatch.setenv("no_proxy", "")
    assert http_get(f"{index[0]}mine/", index[1]) == 200
    with monkeypatch.context() as outside:
        outside.delenv("http_proxy")
        ec2.delete_vpc_endpoints(VpcEndpointIds=[network.endpoints["codeartifact.repositories"]])
    with pytest.raises(OSError, match=r"ProxyError|ProtocolError|RemoteDisconnected"):
        http_get(f"{index[0]}mine/", index[1])


@pytest.mark.parametrize("request_line", ["CONNECT example.org:443 HTTP/1.1", "GET http://example.org/ HTTP/1.1"])
@pytest.mark.parametrize("named", ["with its VPC", "without"])
def test_the_proxy_forwards_only_to_aws(inside: dict[str, str], request_line: str, named: str) -> None:
    proxy = urlsplit(inside["HTTP_PROXY"])
    user = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    header = f"Proxy-Authorization: Basic {user}\r\n" if named == "with its VPC" else ""
    with socket.create_connection((proxy.hostname or "", proxy.port or 0), timeout=10) as connection:
        connection.sendall(f"{request_line}\r\nHost: example.org\r\n{header}\r\n".encode())
        assert connection.recv(100) == b""
