"""Choose the network's two Availability Zones once, among those that every endpoint service offers, and keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.cli.aws import AwsError
from infra.cli.console import say
from infra.deploy.stacks import STILLBORN, StackError, parameters_of, settle
from infra.mwaa_facts import CODEARTIFACT_ENDPOINTS, MWAA_ENDPOINTS

if TYPE_CHECKING:
    from infra.cli.aws import Aws
    from infra.cli.settings import Settings
    from infra.cli.templates import Template

_PARAMETERS = ("AvailabilityZone1", "AvailabilityZone2")


def zones(aws: Aws, settings: Settings, template: Template) -> dict[str, str]:
    """Return the zones as parameters of the network stack.

    CloudFormation's own choice, the account's first two zones, may include a zone that an endpoint service does not
    offer. An existing stack keeps its zones, because other zones would replace its subnets.

    :param aws: the runner.
    :param settings: the settings; a zone that is set there is kept.
    :param template: the network's template.
    :raises StackError: if fewer than two zones have every service.
    """
    if not set(_PARAMETERS) <= template.parameters.keys():
        return {}
    given = {name: settings.parameters[name] for name in _PARAMETERS if settings.parameters.get(name)}
    if len(given) == len(_PARAMETERS):
        return given
    name = settings.stack_name("network")
    stack = settle(aws, name)
    if stack and stack["StackStatus"] not in STILLBORN:
        deployed = parameters_of(aws, name)
        return {each: deployed.get(each, "") for each in _PARAMETERS} | given
    extra = settings.parameters.get("AdditionalEndpoints", "")
    offered = _offered(aws, [*MWAA_ENDPOINTS, *CODEARTIFACT_ENDPOINTS, *filter(None, map(str.strip, extra.split(",")))])
    common = [zone for zone in _available(aws) if all(zone in each for each in offered.values())]
    free = [zone for zone in common if zone not in given.values()]
    missing = [each for each in _PARAMETERS if each not in given]
    if len(free) < len(missing):
        raise StackError(_too_few(aws.region, common, offered))
    chosen = given | dict(zip(missing, free, strict=False))
    say(f"Availability Zones: {', '.join(chosen[each] for each in _PARAMETERS)} (all endpoint services offer them)")
    return chosen


def _offered(aws: Aws, services: list[str]) -> dict[str, list[str]]:
    """Return the zones of each endpoint service (EC2 API: DescribeVpcEndpointServices).

    :raises StackError: if the Region has no such service.
    """
    prefix = f"com.amazonaws.{aws.region}."
    options = ["--service-names", *dict.fromkeys(prefix + each for each in services)]
    options += ["--filters", "Name=service-type,Values=Interface"]
    try:
        found = aws.call("ec2", "describe-vpc-endpoint-services", *options)["ServiceDetails"]
    except AwsError as error:
        if error.code != "InvalidServiceName":
            raise
        raise StackError(f"{error} Remove it from ADDITIONAL_ENDPOINTS, or choose another AWS_REGION.") from error
    return {each["ServiceName"].removeprefix(prefix): each["AvailabilityZones"] for each in found}


def _available(aws: Aws) -> list[str]:
    """Return the account's zones in their order, without Local and Wavelength Zones."""
    filters = ["Name=state,Values=available", "Name=zone-type,Values=availability-zone"]
    found = aws.call("ec2", "describe-availability-zones", "--filters", *filters)["AvailabilityZones"]
    return sorted(each["ZoneName"] for each in found)


def _too_few(region: str, common: list[str], offered: dict[str, list[str]]) -> str:
    scarce = sorted(offered, key=lambda service: len(offered[service]))[:3]
    offers = ", ".join(f"{service} in {', '.join(offered[service]) or 'none'}" for service in scarce)
    return (
        f"The network needs two Availability Zones that every endpoint service offers, and {region} has "
        f"{' and '.join(common) or 'none'} (the fewest: {offers}): remove services from ADDITIONAL_ENDPOINTS, or "
        "choose another AWS_REGION."
    )
