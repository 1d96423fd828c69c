"""Additions to moto's EC2, IAM, Logs and S3: properties that its CloudFormation ignores, rules, and deletion."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends, security_groups, subnets
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.vpcs import VPC, VPCBackend, VPCEndPoint
from moto.iam.access_control import PermissionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, Role
from moto.logs.models import LogGroup
from moto.s3.models import FakeBucket, s3_backends
from moto.utilities.utils import str2bool

if TYPE_CHECKING:
    from collections.abc import Callable

_put_role_policy, _create_role = Role.put_policy, IAMBackend.create_role
_create_association = subnets.SubnetBackend.create_subnet_association
_create_endpoint = VPCBackend.create_vpc_endpoint


@cache
def install() -> None:
    """Add them to moto."""
    _finish(VPC, _set_dns)
    _finish(security_groups.SecurityGroup, _set_egress)
    _finish(FakeBucket, _set_up)
    subnets.SubnetBackend.create_subnet_association = _associate
    subnets.SubnetRouteTableAssociation.delete = _delete_association
    RouteTable.delete = lambda table, account, region: ec2_backends[account][region].delete_route_table(table.id)
    VPCBackend.create_vpc_endpoint = _create_valid_endpoint
    VPCEndPoint.delete = _delete_endpoint
    Role.put_policy = _put_policy
    Role.update_from_cloudformation_json = classmethod(_update_role)
    IAMBackend.create_role = _create_bounded_role
    # The ARN includes all streams. CloudFormation, AWS::Logs::LogGroup, "Return values".
    LogGroup.get_cfn_attribute = lambda group, _: f"{group.arn}:*"
    # Iam.guard has evaluated the bucket's policy already, with conditions and principals.
    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL


def _finish(model: Any, finish: Callable[[Any, dict[str, Any]], None]) -> None:
    """Call finish with the resource and its properties after moto's CloudFormation has created it."""
    create = model.create_from_cloudformation_json.__func__

    def create_and_finish(cls: Any, name: str, cloudformation_json: dict[str, Any], *args: Any, **kw: Any) -> Any:
        made = create(cls, name, cloudformation_json, *args, **kw)
        finish(made, cloudformation_json["Properties"])
        return made

    model.create_from_cloudformation_json = classmethod(create_and_finish)


def _set_dns(vpc: VPC, properties: dict[str, Any]) -> None:
    """Set a VPC's DNS attributes. Defaults: CloudFormation, AWS::EC2::VPC."""
    vpc.enable_dns_support = str2bool(properties.get("EnableDnsSupport", True))
    vpc.enable_dns_hostnames = str2bool(properties.get("EnableDnsHostnames", False))


def _set_egress(group: security_groups.SecurityGroup, properties: dict[str, Any]) -> None:
    """Replace the outbound rule that allows everything by the group's own rules."""
    rules = []
    for rule in properties.get("SecurityGroupEgress", []):
        cidr, peer = rule.get("CidrIp"), rule.get("DestinationSecurityGroupId")
        names = {"CidrIp": cidr} if cidr else None, {"GroupId": peer} if peer else None
        traffic = rule["IpProtocol"], group.id, rule.get("FromPort"), rule.get("ToPort")
        rules.append(security_groups.SecurityGroupRule(group.ec2_backend, *traffic, *names))
    group.egress_rules = rules or group.egress_rules


def _set_up(bucket: FakeBucket, properties: dict[str, Any]) -> None:
    backend = s3_backends[bucket.account_id]["aws"]
    if "VersioningConfiguration" in properties:
        backend.put_bucket_versioning(bucket.name, properties["VersioningConfiguration"]["Status"])
    if "PublicAccessBlockConfiguration" in properties:
        backend.put_public_access_block(bucket.name, properties["PublicAccessBlockConfiguration"])
    if "LifecycleConfiguration" in properties:
        rules = [{"ID": rule.get("Id"), **rule} for rule in properties["LifecycleConfiguration"]["Rules"]]
        backend.put_bucket_lifecycle_configuration(bucket.name, rules)


def _associate(backend: Any, route_table_id: str, subnet_id: str) -> Any:
    """Associate a table with a subnet; moto's CloudFormation only records it and does not change the table."""
    backend.associate_route_table(route_table_id, subnet_id=subnet_id)
    return _create_association(backend, route_table_id, subnet_id)


def _create_valid_endpoint(backend: Any, vpc_id: str, service_name: str, *args: Any, **endpoint: Any) -> Any:
    """Create a valid endpoint, or refuse it. EC2 API, CreateVpcEndpoint; PrivateLink guide, "Prerequisites"."""
    vpc, endpoint["route_table_ids"] = backend.get_vpc(vpc_id), endpoint.get("route_table_ids") or []
    endpoint["endpoint_type"] = endpoint.get("endpoint_type") or "Gateway"
    zones = [backend.get_subnet(subnet).availability_zone for subnet in endpoint.get("subnet_ids") or []]
    strangers = [each for each in endpoint.get("security_group_ids") or [] if each not in backend.groups[vpc_id]]
    private_dns = endpoint["endpoint_type"] == "Interface" and str2bool(endpoint.get("private_dns_enabled"))
    others = backend.vpc_end_points.values()
    named = [(each.vpc_id, each.state, each.service_name) for each in others if each.private_dns_enabled]
    if len(zones) > len(set(zones)):
        raise EC2ClientError("DuplicateSubnetsInSameZone", "Found another subnet of the endpoint in the same zone.")
    why = None
    if strangers:
        why = f"Security group {strangers[0]} and {vpc_id} are different networks."
    elif private_dns and not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
        why = "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames of the VPC"
    elif private_dns and (vpc_id, "available", service_name) in named:
        why = f"private-dns-enabled cannot be set: there is already a conflicting DNS domain for {service_name}"
    if why:
        raise EC2ClientError("InvalidParameter", why)
    return _create_endpoint(backend, vpc_id, service_name, *args, **endpoint)


def _delete_association(association: subnets.SubnetRouteTableAssociation, account: str, region: str) -> None:
    table = ec2_backends[account][region].get_route_table(association.route_table_id)
    table._associations = {name: one for name, one in table._associations.items() if one != association.subnet_id}


def _delete_endpoint(endpoint: VPCEndPoint, account: str, region: str) -> None:
    ec2_backends[account][region].delete_vpc_endpoints([endpoint.id])
    del ec2_backends[account][region].vpc_end_points[endpoint.id]


def _put_policy(role: Role, name: str, document: Any) -> None:
    """Store a policy as JSON (moto's CloudFormation stores it as a dictionary) and the time of the change."""
    _put_role_policy(role, name, document if isinstance(document, str) else json.dumps(document))
    role.__dict__.setdefault("put", {}).setdefault(name, []).append((time.monotonic(), role.policies[name]))


def _update_role(_: type[Role], original_resource: Role, cloudformation_json: dict[str, Any], **__: Any) -> Role:
    """Update a role's policies, trust and boundary; moto updates only its description."""
    role, properties = original_resource, cloudformation_json["Properties"]
    role.assume_role_policy_document = json.dumps(properties["AssumeRolePolicyDocument"])
    role.permissions_boundary_arn = properties.get("PermissionsBoundary", "")
    role.description, role.policies = properties.get("Description", ""), {}
    for policy in properties.get("Policies", []):
        role.put_policy(policy["PolicyName"], policy["PolicyDocument"])
    return role


def _create_bounded_role(iam: IAMBackend, *args: Any, **kw: Any) -> Any:
    """Create a role, or refuse one whose boundary does not exist. IAM API, CreateRole: NoSuchEntity."""
    role = _create_role(iam, *args, **kw)
    boundary = role.permissions_boundary_arn
    if boundary and boundary not in iam.managed_policies:
        iam.delete_role(role.name)
        raise NotFoundException(f"Scope ARN: {boundary} does not exist or is not attachable.")
    return role
