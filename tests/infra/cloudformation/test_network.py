"""The network: private subnets, no route to the internet, and endpoints of the services that are called."""

from __future__ import annotations

import re
from ipaddress import ip_network

import pytest

from infra.mwaa_facts import CODEARTIFACT_ENDPOINTS, MWAA_ENDPOINTS
from tests.infra.cloudformation.support import REGION, Stack

REQUIRED = (*MWAA_ENDPOINTS, *CODEARTIFACT_ENDPOINTS)


@pytest.fixture(scope="module")
def network() -> Stack:
    return Stack("network", EnvironmentName="demo")


def reachable(network: Stack) -> set[str]:
    """Return the services that a member of the environment's group reaches by their usual names from both subnets."""
    environment = {"Fn::GetAtt": ["EnvironmentSecurityGroup", "GroupId"]}
    admitting = [
        {"Fn::GetAtt": [name, "GroupId"]}
        for name, group in network.of("AWS::EC2::SecurityGroup").items()
        for ingress in group.get("SecurityGroupIngress", [])
        if ingress["SourceSecurityGroupId"] == environment
        and ingress["IpProtocol"] == "tcp"
        and ingress["FromPort"] <= 443 <= ingress["ToPort"]
    ]
    vpc = network.resources["Vpc"]["Properties"]
    subnets = [{"Ref": name} for name in network.of("AWS::EC2::Subnet")]
    return {
        endpoint["ServiceName"].removeprefix(f"com.amazonaws.{REGION}.")
        for endpoint in network.of("AWS::EC2::VPCEndpoint").values()
        if endpoint["VpcEndpointType"] == "Interface"
        and endpoint["SubnetIds"] == subnets
        and any(group in admitting for group in endpoint["SecurityGroupIds"])
        and endpoint["PrivateDnsEnabled"] is vpc["EnableDnsSupport"] is vpc["EnableDnsHostnames"] is True
    }


def test_no_resource_of_the_network_leads_to_the_internet(network: Stack) -> None:
    # Without AWS::EC2::Route a table has only the local route, and S3's.
    ways_out = re.compile(r"Gateway|::Route$|VPCPeering|VPNConnection|EIP")
    assert not [each["Type"] for each in network.resources.values() if ways_out.search(each["Type"])]
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in network.of("AWS::EC2::Subnet").values())


def test_the_subnets_lie_in_the_first_two_zones_or_in_those_that_are_given(network: Stack) -> None:
    def zones(stack: Stack) -> list[object]:
        return [subnet["AvailabilityZone"] for subnet in stack.of("AWS::EC2::Subnet").values()]

    assert zones(network) == [{"Fn::Select": [place, {"Fn::GetAZs": ""}]} for place in (0, 1)]
    given = Stack("network", AvailabilityZone1=f"{REGION}c", AvailabilityZone2=f"{REGION}a")
    assert zones(given) == [f"{REGION}c", f"{REGION}a"]


def test_every_subnet_uses_the_route_table_that_leads_to_s3(network: Stack) -> None:
    associations = network.of("AWS::EC2::SubnetRouteTableAssociation").values()
    assert {association["SubnetId"]["Ref"] for association in associations} == set(network.of("AWS::EC2::Subnet"))
    (table,) = {association["RouteTableId"]["Ref"] for association in associations}
    (gateway,) = [e for e in network.of("AWS::EC2::VPCEndpoint").values() if e["VpcEndpointType"] == "Gateway"]
    assert gateway["ServiceName"] == f"com.amazonaws.{REGION}.s3"
    assert gateway["RouteTableIds"] == [{"Ref": table}]


def test_the_default_subnets_lie_in_the_vpc_and_do_not_overlap(network: Stack) -> None:
    vpc = ip_network(network.resources["Vpc"]["Properties"]["CidrBlock"])
    first, second = (ip_network(subnet["CidrBlock"]) for subnet in network.of("AWS::EC2::Subnet").values())
    assert first.subnet_of(vpc)  # type: ignore[arg-type]  # both are IPv4
    assert second.subnet_of(vpc)  # type: ignore[arg-type]  # the same
    assert not first.overlaps(second)


@pytest.mark.parametrize(
    ("additional", "services"),
    [("", ()), ("sts", ("sts",)), ("ecr.api,ecr.dkr,sts", ("ecr.api", "ecr.dkr", "sts"))],
)
def test_the_services_of_mwaa_of_pip_and_of_the_setting_are_reachable(
    additional: str, services: tuple[str, ...]
) -> None:
    without, found = reachable(Stack("network")), reachable(Stack("network", AdditionalEndpoints=additional))
    assert without >= set(REQUIRED)
    assert found - without == set(services)


def test_the_environment_admits_only_its_own_members(network: Stack) -> None:
    own = {"Fn::GetAtt": ["EnvironmentSecurityGroup", "GroupId"]}
    assert "SecurityGroupIngress" not in network.resources["EnvironmentSecurityGroup"]["Properties"]
    (ingress,) = network.of("AWS::EC2::SecurityGroupIngress").values()
    assert ingress["GroupId"] == own
    assert ingress["SourceSecurityGroupId"] == own
    assert ingress["IpProtocol"] == "-1"


def test_the_endpoints_admit_only_the_environment(network: Stack) -> None:
    (ingress,) = network.resources["EndpointSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert not {"CidrIp", "CidrIpv6"} & set(ingress)
