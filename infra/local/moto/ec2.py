"""What moto's EC2 lacks: properties of a network stack that it passes over, rules of endpoints, and deleting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule
from moto.ec2.models.subnets import SubnetBackend, SubnetRouteTableAssociation
from moto.ec2.models.vpcs import VPC, VPCBackend, VPCEndPoint

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend

_create_vpc: Any = VPC.create_from_cloudformation_json.__func__
_create_group: Any = SecurityGroup.create_from_cloudformation_json.__func__
_create_association = SubnetBackend.create_subnet_association
_create_endpoint = VPCBackend.create_vpc_endpoint


def install() -> None:
    """Add what is lacking."""
    VPC.create_from_cloudformation_json = classmethod(_create_vpc_with_names)
    SecurityGroup.create_from_cloudformation_json = classmethod(_create_group_with_egress)
    SubnetBackend.create_subnet_association = _associate
    VPCBackend.create_vpc_endpoint = _create_valid_endpoint
    RouteTable.delete = _delete_route_table
    SubnetRouteTableAssociation.delete = _delete_association
    VPCEndPoint.delete = _delete_endpoint


def _create_vpc_with_names(
    cls: type[VPC], name: str, cloudformation_json: dict[str, Any], *args: Any, **kw: Any
) -> VPC:
    """Create a VPC with the names that its template says. CloudFormation, AWS::EC2::VPC: support on, hostnames off."""
    vpc: VPC = _create_vpc(cls, name, cloudformation_json, *args, **kw)
    properties = cloudformation_json["Properties"]
    vpc.enable_dns_support = _is_true(properties.get("EnableDnsSupport", True))
    vpc.enable_dns_hostnames = _is_true(properties.get("EnableDnsHostnames", False))
    return vpc


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"


def _create_group_with_egress(
    cls: type[SecurityGroup], name: str, cloudformation_json: dict[str, Any], *args: Any, **kw: Any
) -> SecurityGroup:
    """Create a group with its own outbound rules in place of the one that lets everything out."""
    group: SecurityGroup = _create_group(cls, name, cloudformation_json, *args, **kw)
    if rules := cloudformation_json["Properties"].get("SecurityGroupEgress"):
        group.egress_rules = [
            SecurityGroupRule(
                group.ec2_backend,
                rule["IpProtocol"],
                group.id,
                rule.get("FromPort"),
                rule.get("ToPort"),
                {"CidrIp": rule["CidrIp"]} if "CidrIp" in rule else None,
                {"GroupId": rule["DestinationSecurityGroupId"]} if "DestinationSecurityGroupId" in rule else None,
            )
            for rule in rules
        ]
    return group


def _associate(backend: EC2Backend, route_table_id: str, subnet_id: str) -> SubnetRouteTableAssociation:
    """Associate a table with a subnet: moto's CloudFormation keeps that it should be, and the table does not know."""
    backend.associate_route_table(route_table_id, subnet_id=subnet_id)
    association: SubnetRouteTableAssociation = _create_association(backend, route_table_id, subnet_id)
    return association


def _create_valid_endpoint(backend: EC2Backend, vpc_id: str, service_name: str, *args: Any, **endpoint: Any) -> Any:
    """Create an endpoint, unless EC2 refuses it. EC2 API, CreateVpcEndpoint; PrivateLink guide, "Prerequisites"."""
    vpc, endpoint["route_table_ids"] = backend.get_vpc(vpc_id), endpoint.get("route_table_ids") or []
    endpoint["endpoint_type"] = endpoint.get("endpoint_type") or "Gateway"
    zones = [backend.get_subnet(subnet).availability_zone for subnet in endpoint.get("subnet_ids") or []]
    if len(zones) > len(set(zones)):
        raise EC2ClientError("DuplicateSubnetsInSameZone", "Found another subnet of the endpoint in the same zone.")
    strangers = [each for each in endpoint.get("security_group_ids") or [] if each not in backend.groups[vpc_id]]
    if strangers:
        raise EC2ClientError("InvalidParameter", f"Security group {strangers[0]} and {vpc_id} are different networks.")
    if endpoint["endpoint_type"] == "Interface" and _is_true(endpoint.get("private_dns_enabled")):
        if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
            message = "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames of the VPC"
            raise EC2ClientError("InvalidParameter", message)
        others = [
            each for each in backend.vpc_end_points.values() if each.vpc_id == vpc_id and each.state == "available"
        ]
        if any(other.service_name == service_name and other.private_dns_enabled for other in others):
            message = f"private-dns-enabled cannot be set: there is already a conflicting DNS domain for {service_name}"
            raise EC2ClientError("InvalidParameter", message)
    return _create_endpoint(backend, vpc_id, service_name, *args, **endpoint)


def _backend(account_id: str, region: str) -> EC2Backend:
    return ec2_backends[account_id][region]


def _delete_route_table(route_table: RouteTable, account_id: str, region: str) -> None:
    _backend(account_id, region).delete_route_table(route_table.id)


def _delete_association(association: SubnetRouteTableAssociation, account_id: str, region: str) -> None:
    backend = _backend(account_id, region)
    for known in backend.get_route_table(association.route_table_id).associations:
        if known.get("SubnetId") == association.subnet_id:
            backend.disassociate_route_table(known["RouteTableAssociationId"])


def _delete_endpoint(endpoint: VPCEndPoint, account_id: str, region: str) -> None:
    backend = _backend(account_id, region)
    backend.delete_vpc_endpoints([endpoint.id])
    del backend.vpc_end_points[endpoint.id]
