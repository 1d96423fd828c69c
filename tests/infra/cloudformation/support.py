"""The four templates as CloudFormation reads them, with short intrinsic forms (!Ref) spelled out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfnlint import decode  # type: ignore[import-untyped]  # cfn-lint ships no types

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[3] / "infra" / "cloudformation"
STACKS = ("network", "repository", "refresher", "mwaa")  # in the order in which they are deployed


def load(stack: str) -> dict[str, Any]:
    template, problems = decode.decode(str(FOLDER / f"{stack}.yaml"))
    assert not problems
    assert isinstance(template, dict)
    return template


def resources(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def statements(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All statements of the template's roles, by their Sid."""
    return {
        statement["Sid"]: statement
        for role in resources(template, "AWS::IAM::Role").values()
        for policy in role["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    }


def actions(statement: dict[str, Any]) -> list[str]:
    action = statement["Action"]
    return [action] if isinstance(action, str) else list(action)


def texts(node: Any) -> Iterator[str]:
    """All strings below a node."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from texts(value)
