"""The network: private subnets, no way to the internet, endpoints for what MWAA and pip call."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from tests.infra.cloudformation.support import resources

MANDATORY = {"sqs", "logs", "monitoring", "kms", "codeartifact.api", "codeartifact.repositories"}
EXTRA = {"airflow.api", "airflow.env", "ecr.api", "ecr.dkr"}
SERVICE = "com.amazonaws.${AWS::Region}."


def interface_endpoints(network: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        endpoint["Properties"]["ServiceName"]["Fn::Sub"].removeprefix(SERVICE): endpoint
        for endpoint in resources(network, "AWS::EC2::VPCEndpoint").values()
        if endpoint["Properties"]["VpcEndpointType"] == "Interface"
    }


def test_nothing_in_the_network_leads_to_the_internet(network: dict[str, Any]) -> None:
    assert {resource["Type"] for resource in network["Resources"].values()} == {
        "AWS::EC2::VPC",
        "AWS::EC2::Subnet",
        "AWS::EC2::RouteTable",  # no AWS::EC2::Route, so the local route and S3's are all it holds
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::VPCEndpoint",
    }


def test_there_are_two_private_subnets_in_two_availability_zones_without_public_addresses(
    network: dict[str, Any],
) -> None:
    subnets = [subnet["Properties"] for subnet in resources(network, "AWS::EC2::Subnet").values()]
    assert [subnet["AvailabilityZone"] for subnet in subnets] == [
        {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
        {"Fn::Select": [1, {"Fn::GetAZs": ""}]},
    ]
    assert [subnet["MapPublicIpOnLaunch"] for subnet in subnets] == [False, False]


def test_every_subnet_uses_the_route_table_without_routes(network: dict[str, Any]) -> None:
    associations = resources(network, "AWS::EC2::SubnetRouteTableAssociation").values()
    assert {association["Properties"]["SubnetId"]["Ref"] for association in associations} == set(
        resources(network, "AWS::EC2::Subnet")
    )
    assert {association["Properties"]["RouteTableId"]["Ref"] for association in associations} == {"PrivateRouteTable"}


def test_the_default_subnets_lie_in_the_vpc_and_do_not_overlap(network: dict[str, Any]) -> None:
    vpc, first, second = (
        ip_network(network["Parameters"][name]["Default"])
        for name in ("VpcCidr", "PrivateSubnet1Cidr", "PrivateSubnet2Cidr")
    )
    assert first.subnet_of(vpc)  # type: ignore[arg-type]  # both are IPv4
    assert second.subnet_of(vpc)  # type: ignore[arg-type]  # the same
    assert not first.overlaps(second)


def test_the_vpc_resolves_the_private_names_of_its_endpoints(network: dict[str, Any]) -> None:
    vpc = network["Resources"]["Vpc"]["Properties"]
    assert vpc["EnableDnsSupport"] is True
    assert vpc["EnableDnsHostnames"] is True


def test_s3_is_reached_through_a_gateway_endpoint(network: dict[str, Any]) -> None:
    assert network["Resources"]["S3Endpoint"]["Properties"] == {
        "VpcEndpointType": "Gateway",
        "ServiceName": {"Fn::Sub": SERVICE + "s3"},
        "VpcId": {"Ref": "Vpc"},
        "RouteTableIds": [{"Ref": "PrivateRouteTable"}],
    }


def test_interface_endpoints_exist_for_all_that_mwaa_and_pip_call(network: dict[str, Any]) -> None:
    endpoints = interface_endpoints(network)
    assert set(endpoints) == MANDATORY | EXTRA
    assert not [service for service in MANDATORY if "Condition" in endpoints[service]]


def test_interface_endpoints_are_private_in_both_subnets_and_behind_their_group(network: dict[str, Any]) -> None:
    for endpoint in interface_endpoints(network).values():
        properties = endpoint["Properties"]
        assert properties["PrivateDnsEnabled"] is True
        assert properties["SubnetIds"] == [{"Ref": "PrivateSubnet1"}, {"Ref": "PrivateSubnet2"}]
        assert properties["SecurityGroupIds"] == [{"Fn::GetAtt": ["EndpointSecurityGroup", "GroupId"]}]


def test_extra_endpoints_are_off_unless_asked_for(network: dict[str, Any]) -> None:
    assert network["Parameters"]["ExtraEndpoints"]["Default"] == "false"
    assert network["Conditions"]["HasExtraEndpoints"] == {"Fn::Equals": [{"Ref": "ExtraEndpoints"}, "true"]}
    endpoints = interface_endpoints(network)
    assert {endpoints[service]["Condition"] for service in EXTRA} == {"HasExtraEndpoints"}


def test_the_environment_admits_only_its_own_members(network: dict[str, Any]) -> None:
    own = {"Fn::GetAtt": ["EnvironmentSecurityGroup", "GroupId"]}
    assert "SecurityGroupIngress" not in network["Resources"]["EnvironmentSecurityGroup"]["Properties"]
    (ingress,) = resources(network, "AWS::EC2::SecurityGroupIngress").values()
    assert ingress["Properties"]["GroupId"] == own
    assert ingress["Properties"]["SourceSecurityGroupId"] == own


def test_the_endpoints_admit_https_from_the_environment_only(network: dict[str, Any]) -> None:
    (ingress,) = network["Resources"]["EndpointSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    del (described := dict(ingress))["Description"]
    assert described == {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "SourceSecurityGroupId": {"Fn::GetAtt": ["EnvironmentSecurityGroup", "GroupId"]},
    }
