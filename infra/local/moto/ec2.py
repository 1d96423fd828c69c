"""What moto's EC2 lacks: deleting what a network stack made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.ec2.models import ec2_backends
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.subnets import SubnetRouteTableAssociation
from moto.ec2.models.vpcs import VPCEndPoint

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend


def install() -> None:
    """Add what is lacking."""
    RouteTable.delete = _delete_route_table
    SubnetRouteTableAssociation.delete = _delete_association
    VPCEndPoint.delete = _delete_endpoint


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
