"""The four templates as CloudFormation reads them, and the stacks that it would create from them."""

from __future__ import annotations

from copy import deepcopy
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfnlint import decode
from cfnlint.template import Template
from cfnlint.template.transforms.transform import Transform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = Path(__file__).parents[3] / "infra" / "cloudformation"
STACKS = ("network", "repository", "refresher", "mwaa")  # in the order in which they are deployed
REGION, ACCOUNT = "eu-central-1", "123456789012"
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = {"Ref": "AWS::NoValue"}


def load(stack: str) -> dict[str, Any]:
    """Return a template with short intrinsic forms (!Ref) spelled out, and loops as they are."""
    template, problems = decode.decode(str(FOLDER / f"{stack}.yaml"))
    assert not problems
    assert isinstance(template, dict)
    return template


def expand(stack: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a template without loops, as AWS::LanguageExtensions makes it, by cfn-lint's own code.

    An empty list has one empty member in CloudFormation (aws-cloudformation/cfn-language-discussion #102).
    """
    template = deepcopy(load(stack))
    for name, parameter in template["Parameters"].items():
        value = parameters.get(name, parameter.get("Default"))
        if parameter["Type"] == "CommaDelimitedList":
            parameter["Default"] = value or " "  # cfn-lint strips it, and passes over what is empty
    expanded = Template(stack, template, [REGION])
    assert Transform().transform(expanded) == []
    assert "Fn::ForEach" not in str(expanded.template)
    result: dict[str, Any] = expanded.template
    return result


class Stack:
    """A template that is evaluated with parameters: the resources that CloudFormation would create.

    :param stack: which template.
    :param region: where the stack is.
    :param parameters: values; defaults need not be given.
    """

    def __init__(self, stack: str, region: str = REGION, **parameters: str) -> None:
        template = expand(stack, parameters)
        self._pseudo = PSEUDO | {"AWS::Region": region}
        self._values: dict[str, Any] = {
            name: given.split(",") if parameter["Type"] == "CommaDelimitedList" else given
            for name, parameter in template["Parameters"].items()
            if (given := str(parameters.get(name, parameter.get("Default", name))).strip()) is not None
        }
        self._conditions, self._mappings = template.get("Conditions", {}), template.get("Mappings", {})
        self.resources: dict[str, dict[str, Any]] = {
            name: self._resolve(resource)
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self._resolve({"Condition": resource["Condition"]})
        }

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of all resources of a type."""
        return {name: each["Properties"] for name, each in self.resources.items() if each["Type"] == kind}

    def waits_for(self, name: str) -> set[str]:
        """Return the resources that must exist before one can be created."""
        resource = self.resources[name]
        depends = resource.get("DependsOn", [])
        direct = {depends} if isinstance(depends, str) else set(depends)
        direct |= {each for each in _references(resource) if each in self.resources}
        return direct.union(*(self.waits_for(each) for each in direct))

    def _resolve(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._resolve(each) for each in node if each != NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if (
                function == "Ref"
                or function.startswith("Fn::")
                or (function == "Condition" and isinstance(argument, str))
            ):
                return self._call(function, argument, node)
        resolved = {key: self._resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value != NO_VALUE}

    def _call(self, function: str, argument: Any, node: dict[str, Any]) -> Any:  # noqa: C901, PLR0911  (a table of functions)
        match function:
            case "Ref":
                return (self._pseudo | self._values).get(argument, node)
            case "Condition":
                return self._resolve(self._conditions[argument])
            case "Fn::If":
                return self._resolve(argument[1 if self._call("Condition", argument[0], node) else 2])
            case "Fn::Sub":
                return self._substitute(argument)
            case "Fn::FindInMap":
                first, second, third = argument
                return self._mappings[first][second][third]
        arguments = self._resolve(argument)
        match function:
            case "Fn::Equals":
                return arguments[0] == arguments[1]
            case "Fn::Not":
                return not arguments[0]
            case "Fn::Join":
                separator, parts = arguments
                return separator.join(parts) if all(isinstance(part, str) for part in parts) else node
            case "Fn::Split":
                return arguments[1].split(arguments[0])
            case "Fn::Select":
                return arguments[1][int(arguments[0])] if isinstance(arguments[1], list) else node
        return {function: arguments}

    def _substitute(self, text: str) -> str:
        for name, value in (self._pseudo | self._values).items():
            text = text.replace("${" + name + "}", str(value))
        return text


def statements(stack: Stack, role: str) -> list[dict[str, Any]]:
    """Return all statements of a role's own policies."""
    policies = stack.resources[role]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def may(statements: list[dict[str, Any]], action: str, resource: str, **context: str) -> bool:
    """Return whether statements allow a request (IAM user guide: Policy evaluation logic).

    :param context: condition keys, with `_` for `:`.
    """
    effects = {
        statement["Effect"]
        for statement in statements
        if any(fnmatchcase(action, pattern) for pattern in _listed(statement["Action"]))
        and _covers(statement, resource)
        and _holds(statement.get("Condition", {}), {key.replace("_", ":"): value for key, value in context.items()})
    }
    return effects == {"Allow"}


def may_assume(stack: Stack, role: str, principal: str, **context: str) -> bool:
    """Return whether a role trusts a principal: a service's name or an ARN (see may)."""
    properties = stack.resources[role]["Properties"]
    return any(
        statement["Effect"] == "Allow"
        and statement["Action"] == "sts:AssumeRole"
        and principal in [name for names in statement["Principal"].values() for name in _listed(names)]
        and _holds(statement.get("Condition", {}), {key.replace("_", ":"): value for key, value in context.items()})
        for statement in properties["AssumeRolePolicyDocument"]["Statement"]
    )


def _covers(statement: dict[str, Any], resource: str) -> bool:
    key = "Resource" if "Resource" in statement else "NotResource"
    matches = any(fnmatchcase(resource, _arn(pattern)) for pattern in _listed(statement[key]))
    return matches is (key == "Resource")


def _holds(condition: dict[str, dict[str, str]], context: dict[str, str]) -> bool:
    return all(
        key in context and fnmatchcase(context[key], pattern)
        for keys in condition.values()
        for key, pattern in keys.items()
    )


def _arn(pattern: Any) -> str:
    """Return the pattern of an ARN; a GetAtt becomes RESOURCE.ATTRIBUTE."""
    return pattern if isinstance(pattern, str) else ".".join(pattern["Fn::GetAtt"])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"Ref", "Fn::GetAtt"}:
                yield value if isinstance(value, str) else value[0]
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def texts(node: Any) -> Iterator[str]:
    """Yield all strings below a node."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from texts(value)
