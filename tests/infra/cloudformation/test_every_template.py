"""What holds for all four templates, and between them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.infra.cloudformation.support import FOLDER, STACKS, actions, resources, statements, texts

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
def test_no_lint_rule_is_silenced(stack: str) -> None:
    assert "cfn-lint" not in (FOLDER / f"{stack}.yaml").read_text(encoding="utf-8")


@every_stack
def test_every_parameter_is_described_and_constrained(templates: dict[str, Any], stack: str) -> None:
    for name, parameter in templates[stack]["Parameters"].items():
        constrained = {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)
        assert constrained or parameter["Type"].startswith("AWS::"), name
        assert parameter["Description"].endswith("."), name
        assert re.fullmatch(r"must [^.]+(\.[^.\s][^.]*)*\.", parameter["ConstraintDescription"]), name


@every_stack
def test_every_default_meets_its_own_constraint(templates: dict[str, Any], stack: str) -> None:
    for name, parameter in templates[stack]["Parameters"].items():
        if "Default" in parameter:
            default = parameter["Default"]
            assert re.fullmatch(parameter.get("AllowedPattern", ".*"), str(default)), name
            assert default in parameter.get("AllowedValues", [default]), name


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


def test_no_role_but_the_publisher_may_publish_packages(templates: dict[str, Any]) -> None:
    allowed = {
        (stack, action)
        for stack, template in templates.items()
        for statement in statements(template).values()
        if statement["Effect"] == "Allow"
        for action in actions(statement)
    }
    assert {action for _, action in allowed if action.startswith("codeartifact:")} == {
        "codeartifact:GetAuthorizationToken",
        "codeartifact:GetRepositoryEndpoint",
        "codeartifact:PublishPackageVersion",
        "codeartifact:ReadFromRepository",
    }
    assert [stack for stack, action in allowed if "Publish" in action and action.startswith("codeartifact:")] == [
        "repository"
    ]
    assert not [action for _, action in allowed if action.startswith("*") or action.endswith(":*")]


def test_a_permissions_boundary_is_optional_and_applied_to_every_role(templates: dict[str, Any]) -> None:
    bounded = {"Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    for stack in ("repository", "refresher", "mwaa"):
        (role,) = resources(templates[stack], "AWS::IAM::Role").values()
        assert role["Properties"]["PermissionsBoundary"] == bounded
        assert templates[stack]["Parameters"]["PermissionsBoundary"]["Default"] == ""
        assert templates[stack]["Conditions"]["HasPermissionsBoundary"] == {
            "Fn::Not": [{"Fn::Equals": [{"Ref": "PermissionsBoundary"}, ""]}]
        }


@every_stack
def test_no_template_holds_a_key_of_its_own_or_a_secret(templates: dict[str, Any], stack: str) -> None:
    kinds = {resource["Type"] for resource in templates[stack]["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::KMS::", "AWS::SecretsManager::"))}
    assert "NoEcho" not in json.dumps(templates[stack]["Parameters"])
