"""The choice of zones, with prepared responses of EC2 and with the real AWS CLI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli.aws import Aws, AwsError
from infra.cli.settings import Settings
from infra.cli.templates import Template
from infra.deploy.stacks import StackError, deploy_stack
from infra.deploy.zones import zones

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = """
Parameters:
  AvailabilityZone1: {Type: String, Default: ""}
  AvailabilityZone2: {Type: String, Default: ""}
  Name: {Type: String, Default: a}
Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Name}}}
"""
OLD = "Resources: {Topic: {Type: AWS::SNS::Topic}}"


class Ec2:
    """An AWS CLI for an account whose services differ in their zones; it expects no other calls.

    :param without: zones that a service does not offer.
    """

    region = "eu-central-1"

    def __init__(self, names: tuple[str, ...], without: dict[str, str]) -> None:
        self._names, self._without = names, without
        self.services: list[str] = []

    def call(self, *arguments: str) -> Any:
        match arguments[:2]:
            case ("cloudformation", "describe-stacks"):
                raise AwsError("does not exist", operation="DescribeStacks", code="ValidationError")
            case ("ec2", "describe-availability-zones"):
                assert "Name=zone-type,Values=availability-zone" in arguments
                assert "Name=state,Values=available" in arguments
                return {"AvailabilityZones": [{"ZoneName": name} for name in reversed(self._names)]}
        assert arguments[:2] == ("ec2", "describe-vpc-endpoint-services")
        self.services = [each for each in arguments if each.startswith("com.amazonaws.")]
        return {"ServiceDetails": [self._service(name) for name in self.services]}

    def _service(self, name: str) -> dict[str, Any]:
        zones_of = [zone for zone in self._names if self._without.get(name.split(".", 3)[3]) != zone]
        return {"ServiceName": name, "AvailabilityZones": zones_of}


@pytest.fixture
def network(tmp_path: Path) -> Template:
    path = tmp_path / "network.yaml"
    path.write_text(NETWORK)
    return Template.read(path)


def settings(name: str = "nothing", **parameters: str) -> Settings:
    return Settings("eu-central-1", name, parameters, {})


def test_two_zones_are_chosen_that_every_service_offers(network: Template, capsys: pytest.CaptureFixture[str]) -> None:
    ec2 = Ec2(("eu-central-1a", "eu-central-1b", "eu-central-1c"), {"codeartifact.api": "eu-central-1a"})
    chosen = zones(ec2, settings(), network)  # type: ignore[arg-type]
    assert chosen == {"AvailabilityZone1": "eu-central-1b", "AvailabilityZone2": "eu-central-1c"}
    assert "Availability Zones: eu-central-1b, eu-central-1c" in capsys.readouterr().out
    assert [name.split(".", 3)[3] for name in ec2.services] == [
        "sqs", "logs", "monitoring", "kms", "codeartifact.api", "codeartifact.repositories",
    ]  # fmt: skip


def test_additional_endpoints_count_as_well(network: Template) -> None:
    ec2 = Ec2(("eu-central-1a", "eu-central-1b", "eu-central-1c"), {"ecr.api": "eu-central-1b"})
    chosen = zones(ec2, settings(AdditionalEndpoints="sts, ecr.api"), network)  # type: ignore[arg-type]
    assert chosen == {"AvailabilityZone1": "eu-central-1a", "AvailabilityZone2": "eu-central-1c"}


def test_a_zone_that_is_set_is_kept_and_the_other_is_chosen(network: Template) -> None:
    ec2 = Ec2(("eu-central-1a", "eu-central-1b", "eu-central-1c"), {})
    chosen = zones(ec2, settings(AvailabilityZone2="eu-central-1a"), network)  # type: ignore[arg-type]
    assert chosen == {"AvailabilityZone1": "eu-central-1b", "AvailabilityZone2": "eu-central-1a"}


def test_too_few_zones_are_one_sentence_that_names_the_service_with_the_fewest(network: Template) -> None:
    ec2 = Ec2(("eu-central-1a", "eu-central-1b"), {"glue": "eu-central-1b"})
    sentence = re.escape("and eu-central-1 has eu-central-1a (the fewest: glue in eu-central-1a, ")
    with pytest.raises(StackError, match=sentence):
        zones(ec2, settings(AdditionalEndpoints="glue"), network)  # type: ignore[arg-type]


def test_a_template_without_zones_needs_no_aws_call(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(OLD)
    assert zones(Ec2((), {}), settings(), Template.read(path)) == {}  # type: ignore[arg-type]


@pytest.mark.long
def test_real_responses_are_understood(aws: Aws, network: Template) -> None:
    chosen = zones(aws, settings(AdditionalEndpoints="sts"), network)
    assert chosen == {"AvailabilityZone1": "eu-central-1a", "AvailabilityZone2": "eu-central-1b"}


@pytest.mark.long
def test_a_service_that_the_region_does_not_have_is_named(aws: Aws, network: Template) -> None:
    with pytest.raises(
        StackError, match=r"com\.amazonaws\.eu-central-1\.nonsense.*Remove it from ADDITIONAL_ENDPOINTS"
    ):
        zones(aws, settings(AdditionalEndpoints="nonsense"), network)


@pytest.mark.long
def test_a_deployed_network_keeps_its_zones(aws: Aws, network: Template, tmp_path: Path) -> None:
    deployed = {"AvailabilityZone1": "eu-central-1c", "AvailabilityZone2": "eu-central-1a"}
    deploy_stack(aws, "kept-network", network, {**deployed, "Name": "kept"}, "kept")
    assert zones(aws, settings("kept"), network) == deployed

    path = tmp_path / "old.yaml"
    path.write_text(OLD)
    deploy_stack(aws, "old-network", Template.read(path), {}, "old")
    assert zones(aws, settings("old"), network) == {"AvailabilityZone1": "", "AvailabilityZone2": ""}
