"""The VPC of an environment: its programs reach an AWS service only if the VPC has a route or endpoint for it.

Its programs use AWS's own address as forward proxy, with the VPC as the user name. Where there is no way, the proxy
closes the connection without a response, instead of a time-out. Sources: MWAA user guide, "Creating the required
VPC service endpoints in an Amazon VPC with private routing"; VPC user guide (PrivateLink), "Access an AWS service using
an interface VPC endpoint".
"""

from __future__ import annotations

import re
from functools import cache
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.datastructures import Authorization
from werkzeug.wrappers import Request

from infra.local.moto import iam, requested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIEnvironment

INDEX_PATH = re.compile(r"/[a-z0-9-]+-\d{12}\.[a-z0-9-]+/pypi/")
_INTERNET, _EVERYWHERE, _HTTPS = "the internet", ["0.0.0.0/0"], 443
# The WSGI environ's key of the VPC from which a request came.
_VPC = "infra.local.vpc"


class Vpc:
    """The services that network interfaces in these subnets, with these security groups, can reach now."""

    def __init__(self, subnet_ids: tuple[str, ...], group_ids: tuple[str, ...]) -> None:
        self.subnet_ids, self.group_ids = subnet_ids, group_ids
        zones = [zone for ec2 in list(ec2_backends[DEFAULT_ACCOUNT_ID].values()) for zone in list(ec2.subnets.values())]
        self._subnets: list[Any] = [zone[subnet] for zone in zones for subnet in subnet_ids if subnet in zone]
        self._ec2: Any = self._subnets[0].ec2_backend if self._subnets else None
        self._vpc: Any = self._ec2.get_vpc(self._subnets[0].vpc_id) if self._subnets else None
        self._tables: list[Any] = []
        for subnet in self._subnets:
            own = [table for table in self._ec2.route_tables.values() if table.vpc_id == subnet.vpc_id]
            associated = [table for table in own if subnet.id in table._associations.values()]
            # A subnet without a table of its own uses the VPC's main table.
            self._tables += associated or [table for table in own if table.main_association_id]

    def refusal(self, service: str) -> str | None:
        """Return why an endpoint service, such as sqs or codeartifact.api, cannot be reached; None if it can."""
        if self.has_way_out:
            return None
        if service == _INTERNET:
            return f"no route of {', '.join(self.subnet_ids)} leads to a NAT gateway"
        if missing := set(self.subnet_ids) - {subnet.id for subnet in self._subnets}:
            return f"there is no subnet {', '.join(sorted(missing))}"
        if strangers := [group for group in self.group_ids if group not in self._ec2.groups[self._vpc.id]]:
            return f"{', '.join(strangers)} is not a security group of {self._vpc.id}"
        name = f"com.amazonaws.{self._ec2.region_name}.{service}"
        wanted, endpoints = (self._vpc.id, "available", name), list(self._ec2.vpc_end_points.values())
        ways = [one for one in endpoints if (one.vpc_id, one.state, one.service_name) == wanted]
        refusals = [self._refusal(endpoint) for endpoint in ways]
        return None if None in refusals else next(iter(refusals), f"the VPC has no endpoint {name}")

    @property
    def has_way_out(self) -> bool:
        """Return whether every subnet can reach the internet. MWAA guide, "About networking"."""
        # An internet gateway is not enough, because these interfaces have no public address.
        routes = [{route.destination_cidr_block: route for route in table.routes} for table in self._tables]
        ways = [table.get("0.0.0.0/0") for table in routes]
        lead_out = [bool(way and (way.nat_gateway or way.transit_gateway)) for way in ways]
        return bool(lead_out) and all(lead_out) and self._allows("egress", self.group_ids, [], _EVERYWHERE)

    @property
    def closed_to_itself(self) -> str | None:
        """Return why scheduler, workers, web server and database cannot reach one another; None if they can.

        MWAA guide, "Security in your VPC": the group has an inbound rule for itself, for all traffic or these ports.
        """
        own = self.group_ids
        closed = [port for port in (_HTTPS, 5432) if not self._allows("ingress", own, own, [], port)]
        why = f"no inbound rule of {', '.join(own)} allows its own members at port"
        return f"{why} {closed[0]}" if closed else None

    def _refusal(self, endpoint: Any) -> str | None:
        """Return the first reason why an endpoint cannot be used, or None."""
        interface, subnets = endpoint.vpc_endpoint_type == "Interface", endpoint.subnet_ids or []
        tables = [table.id for table in self._tables if table.id not in (endpoint.route_table_ids or [])]
        beyond = [subnet for subnet in self.subnet_ids if subnet not in subnets]
        default = self._ec2.get_security_group_from_name("default", vpc_id=self._vpc.id)
        groups = endpoint.security_group_ids or [default.id]
        ranges = [self._ec2.get_subnet(subnet).cidr_block for subnet in subnets] if interface else _EVERYWHERE
        lets_out = self._allows("egress", self.group_ids, groups if interface else [], ranges)
        lets_in = self._allows("ingress", groups, self.group_ids, [subnet.cidr_block for subnet in self._subnets])
        clients = ", ".join(self.group_ids)
        rules = [
            # VPC guide, "Gateway endpoints": the VPC resolves the names, and a route table has the route.
            (not self._vpc.enable_dns_support, "the VPC does not resolve names (EnableDnsSupport)"),
            (not interface and tables, f"it is not on the route table {', '.join(tables)}"),
            # PrivateLink guide, "Private DNS": without it the name resolves to the public address.
            (interface and not endpoint.private_dns_enabled, "its private DNS is off"),
            (interface and not self._vpc.enable_dns_hostnames, "the VPC assigns no host names (EnableDnsHostnames)"),
            # MWAA guide: "Ensure that your two private subnets in different Availability Zones are selected". AWS
            # routes traffic between zones, but only until the zone with the one interface fails.
            (interface and beyond, f"it has no interface in {', '.join(beyond)}"),
            (not lets_out, f"no outbound rule of {clients} leads to it at port 443"),
            (interface and not lets_in, f"no inbound rule of {', '.join(groups)} allows {clients} at port 443"),
        ]
        return next((f"{endpoint.id} ({endpoint.service_name}): {why}" for broken, why in rules if broken), None)

    def _allows(self, direction: str, group_ids: Any, peers: Any, ranges: list[str], port: int = _HTTPS) -> bool:
        """Return whether the groups' rules allow TCP at a port, to members of the peers or to all of the ranges."""
        groups = [self._ec2.get_security_group_from_id(group_id) for group_id in group_ids]
        rules = [rule for group in groups if group for rule in getattr(group, f"{direction}_rules")]
        tcp = [rule for rule in rules if rule.ip_protocol == "tcp"]
        through = [rule for rule in tcp if (rule.from_port or 0) <= port <= (rule.to_port or 0)]
        through += [rule for rule in rules if rule.ip_protocol == "-1"]
        open_to = [ip_network(rule.cidr_ipv4) for rule in through if rule.cidr_ipv4]
        covered = [any(ip_network(one).subnet_of(each) for each in open_to) for one in ranges]
        return (bool(ranges) and all(covered)) or any(rule.source_group.get("GroupId") in peers for rule in through)


class Handler(MotoRequestHandler):
    """A handler that logs no request, because a URL can contain a secret, and closes unanswered connections."""

    def log_request(self, *_: object) -> None:
        """Log nothing."""

    def connection_dropped(self, *_: object) -> None:
        """Close the connection."""
        self.close_connection = True


class Proxy:
    """A forward proxy in front of AWS for requests from VPCs; it prints once why a service cannot be reached."""

    def __init__(self, aws: str, say: Callable[[str], None]) -> None:
        self._aws, self._say_once = aws, cache(say)

    def url(self, subnet_ids: Iterable[str], group_ids: Iterable[str]) -> str:
        """Return the URL of the proxy for programs in these subnets with these security groups."""
        return self._aws.replace("//", f"//{'.'.join(subnet_ids)}:{'.'.join(group_ids)}@")

    def enter(self, environ: WSGIEnvironment) -> None:
        """Check a request through the proxy; raise ConnectionAbortedError if its VPC cannot reach the service."""
        target = environ["RAW_URI"]
        if target.startswith("/"):
            return
        user = Authorization.from_header(environ.get("HTTP_PROXY_AUTHORIZATION")) or Authorization("basic", {})
        vpc = environ[_VPC] = Vpc(*(tuple(str(user.get(key)).split(".")) for key in ("username", "password")))
        environ["RAW_URI"] = environ["REQUEST_URI"] = target.removeprefix(self._aws)  # as it was signed
        if not target.startswith(self._aws + "/"):  # CONNECT, too
            service = _INTERNET
        elif INDEX_PATH.match(environ["PATH_INFO"]):
            service = "codeartifact.repositories"
        else:
            service = requested.endpoint_of(Request(environ))
        if why := vpc.refusal(service) or (service == _INTERNET and "the local AWS has no way to the internet"):
            line = f"the environment does not reach {service}: {why}"
            self._say_once(line)
            raise ConnectionAbortedError(line)


def expect_proxy(environ: WSGIEnvironment, caller: iam.Caller) -> None:
    """Refuse a request from inside an environment that did not use its VPC's proxy: a fault of this machine."""
    # The session name that iam.assume_role uses for airflow-env.amazonaws.com.
    if caller.arn.endswith("/airflow-env") and _VPC not in environ:
        why = f"{caller.arn} came without its VPC's proxy: set HTTP_PROXY and http_proxy"
        raise iam.RefusedError("AccessDenied", why)
