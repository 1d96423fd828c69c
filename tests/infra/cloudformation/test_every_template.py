"""The rules for each of the four templates, and between them."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra.cli.rules import broken_rules
from infra.cli.templates import read_templates
from infra.mwaa_facts import PYTHON_VERSIONS, access_modes
from tests.infra.cloudformation.support import FOLDER, STACKS, Stack, expand, load, may, statements, texts

TEMPLATES = read_templates()
FROM_DOTENV = {"EnvironmentName", "BucketName", "DomainName", "RepositoryName"}
FROM_UPLOADS = {
    "RefresherS3ObjectVersion",
    "PluginsS3ObjectVersion",
    "RequirementsS3ObjectVersion",
    "StartupScriptS3ObjectVersion",
}

every_stack = pytest.mark.parametrize("stack", STACKS)


@every_stack
def test_a_template_fits_into_a_request(stack: str) -> None:
    assert len((FOLDER / f"{stack}.yaml").read_bytes()) < 51_200


@every_stack
def test_every_parameter_is_described_and_constrained(templates: dict[str, Any], stack: str) -> None:
    for name, parameter in templates[stack]["Parameters"].items():
        constrained = {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)
        assert constrained or parameter["Type"].startswith("AWS::"), name
        assert parameter["Description"].endswith("."), name
        assert re.fullmatch(r"must [^.]+(\.[^.\s][^.]*)*\.", parameter["ConstraintDescription"]), name


@every_stack
def test_every_default_meets_its_own_constraint_and_the_rules(stack: str) -> None:
    template = TEMPLATES[stack]
    defaults = {name: each.default for name, each in template.parameters.items() if each.default is not None}
    assert [name for name, value in defaults.items() if template.parameters[name].broken_rule(value)] == []
    assert broken_rules(template.rules, defaults) == []


@pytest.mark.parametrize("mode", ["PUBLIC_ONLY", "PRIVATE_ONLY", "PUBLIC_AND_PRIVATE"])
@pytest.mark.parametrize("version", PYTHON_VERSIONS)
def test_the_rules_accept_a_version_and_an_access_mode_exactly_if_tasks_run(version: str, mode: str) -> None:
    values = {"AirflowVersion": version, "WebserverAccessMode": mode}
    broken = broken_rules(TEMPLATES["mwaa"].rules, values)
    assert (broken == []) is (mode in access_modes(version))


@pytest.mark.parametrize(
    ("values", "good"),
    [
        ({"EnvironmentClass": "mw1.micro", "MaxWorkers": "2"}, False),
        ({"EnvironmentClass": "mw1.micro", "MaxWorkers": "1"}, True),
        ({"EnvironmentClass": "mw1.small", "MaxWorkers": "2"}, True),
    ],
)
def test_mw1_micro_runs_one_worker(values: dict[str, str], *, good: bool) -> None:
    assert (broken_rules(TEMPLATES["mwaa"].rules, values) == []) is good


@pytest.mark.parametrize(
    ("zones", "good"),
    [(("", ""), True), (("a", "b"), True), (("a", ""), False), (("", "b"), False), (("a", "a"), False)],
)
def test_zones_come_in_pairs(zones: tuple[str, str], *, good: bool) -> None:
    values = dict(zip(("AvailabilityZone1", "AvailabilityZone2"), zones, strict=True))
    assert (broken_rules(TEMPLATES["network"].rules, values) == []) is good


@every_stack
def test_the_interface_groups_and_labels_every_parameter_once(templates: dict[str, Any], stack: str) -> None:
    interface = templates[stack]["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(templates[stack]["Parameters"])
    assert sorted(interface["ParameterLabels"]) == sorted(grouped)


@every_stack
def test_every_output_is_described(templates: dict[str, Any], stack: str) -> None:
    for name, output in templates[stack]["Outputs"].items():
        assert output["Description"].endswith("."), name


@every_stack
def test_every_required_parameter_comes_from_settings_uploads_or_an_earlier_stack(
    templates: dict[str, Any], stack: str
) -> None:
    earlier = STACKS[: STACKS.index(stack)]
    known = FROM_DOTENV | FROM_UPLOADS | {output for name in earlier for output in templates[name]["Outputs"]}
    required = {name for name, parameter in templates[stack]["Parameters"].items() if "Default" not in parameter}
    assert required <= known


def test_a_parameter_means_the_same_in_every_stack(templates: dict[str, Any]) -> None:
    seen: dict[str, tuple[Any, ...]] = {}
    for template in templates.values():
        for name, parameter in template["Parameters"].items():
            constraint = tuple(str(parameter.get(key)) for key in ("Type", "AllowedPattern", "MaxLength", "Default"))
            assert seen.setdefault(name, constraint) == constraint, name


@every_stack
def test_no_arn_names_a_partition_an_account_or_a_region(templates: dict[str, Any], stack: str) -> None:
    for value in texts(templates[stack]["Resources"]):
        if value.startswith("arn:"):
            assert value.startswith("arn:${AWS::Partition}:"), value
            assert not re.search(r"\d{12}|[a-z]{2}-[a-z]+-\d", value), value


ROLES = {"repository": "PublisherRole", "refresher": "RefresherRole", "mwaa": "ExecutionRole"}


def test_only_the_publisher_may_publish_packages_and_no_role_has_a_wildcard_action() -> None:
    publishing = set()
    for stack, role in ROLES.items():
        for statement in statements(Stack(stack), role):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not [action for action in actions if action == "*" or action.endswith(":*")]
            publishing |= {role for action in actions if fnmatchcase("codeartifact:PublishPackageVersion", action)}
    assert publishing == {"PublisherRole"}


@pytest.mark.parametrize(("stack", "role"), ROLES.items())
def test_the_bearer_token_of_each_role_is_for_codeartifact_only(stack: str, role: str) -> None:
    granted = statements(Stack(stack), role)
    assert may(granted, "sts:GetServiceBearerToken", "*", sts_AWSServiceName="codeartifact.amazonaws.com")
    assert not may(granted, "sts:GetServiceBearerToken", "*", sts_AWSServiceName="ecr.amazonaws.com")


@pytest.mark.parametrize(("stack", "role"), ROLES.items())
def test_a_role_has_no_policies_but_its_own(stack: str, role: str) -> None:
    assert "ManagedPolicyArns" not in Stack(stack).resources[role]["Properties"]


@pytest.mark.parametrize("parameter", sorted(FROM_UPLOADS))
def test_any_version_id_is_accepted_except_that_of_an_unversioned_bucket(parameter: str) -> None:
    (rule,) = (each.parameters[parameter].broken_rule for each in TEMPLATES.values() if parameter in each.parameters)
    assert [rule(version) for version in ("3sL4kqtJlcpXroDTDmJ+rm", "3/L4kqtJlcpX", "x._-~!=")] == [None] * 3
    assert all(rule(version) for version in ("null", "", "with a blank", "ümlaut"))


@pytest.mark.parametrize("stack", ["refresher", "mwaa"])
def test_one_setting_decides_how_long_the_logs_are_kept(stack: str) -> None:
    groups = Stack(stack, LogRetentionDays="7").of("AWS::Logs::LogGroup").values()
    assert {group["RetentionInDays"] for group in groups} == {"7"}


def test_a_permissions_boundary_is_optional_and_applied_to_every_role() -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    for stack in STACKS:
        for bounded in Stack(stack, PermissionsBoundary=boundary).of("AWS::IAM::Role").values():
            assert bounded["PermissionsBoundary"] == boundary
        for free in Stack(stack).of("AWS::IAM::Role").values():
            assert "PermissionsBoundary" not in free


@every_stack
def test_lists_may_be_empty_and_their_loops_create_unique_names(stack: str) -> None:
    lists = [name for name, each in load(stack)["Parameters"].items() if each["Type"] == "CommaDelimitedList"]
    empty = Stack(stack)
    filled = Stack(stack, **dict.fromkeys(lists, "a.b-c,9-x"))
    assert len(filled.resources) >= len(empty.resources) + 2 * len(lists)
    assert all(name.isalnum() for name in filled.resources)
    # Neither a parameter nor a loop may have a resource's name (template reference: Fn::ForEach, UniqueLoopName).
    prefix = "Fn::ForEach::"
    loops = {name.removeprefix(prefix) for name in load(stack)["Resources"] if name.startswith(prefix)}
    unnamed = set(expand(stack, {})["Resources"])
    assert not (unnamed | set(filled.resources)) & (loops | set(load(stack)["Parameters"]))


@every_stack
def test_no_template_contains_a_key_of_its_own_or_a_secret(templates: dict[str, Any], stack: str) -> None:
    kinds = {resource["Type"] for resource in Stack(stack).resources.values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::KMS::", "AWS::SecretsManager::"))}
    assert "NoEcho" not in json.dumps(templates[stack]["Parameters"])
