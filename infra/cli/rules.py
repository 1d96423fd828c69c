"""Evaluate a template's Rules before any AWS call, so that each rule is written only once, in the template.

Source: AWS CloudFormation user guide, "Rules section syntax" and "Rule-specific intrinsic functions".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True)
class Broken:
    """An assertion that does not hold.

    :param description: the assertion's own sentence.
    :param parameters: names of the parameters that the rule compares, in the order in which it names them.
    """

    description: str
    parameters: tuple[str, ...]


def broken_rules(rules: Mapping[str, Any], values: Mapping[str, str]) -> list[Broken]:
    """Return the assertions that do not hold.

    A rule is skipped if it uses a parameter that has no value yet.

    :param rules: the template's Rules section, with short forms spelled out.
    :param values: values by parameter name.
    :raises KeyError: if a rule uses a function that Rules do not have; it names the function.
    """
    broken = []
    for name, rule in rules.items():
        parameters = tuple(dict.fromkeys(references(rule)))
        if set(parameters) <= set(values) and _evaluate(rule.get("RuleCondition", True), values):
            broken += [
                Broken(" ".join(assertion.get("AssertDescription", f"{name} does not hold").split()), parameters)
                for assertion in rule["Assertions"]
                if not _evaluate(assertion["Assert"], values)
            ]
    return broken


def in_settings_words(description: str, settings: Mapping[str, str]) -> str:
    """Return an assertion's sentence with the settings' names in place of the parameters'.

    :param description: the sentence.
    :param settings: the setting's name by parameter name.
    """
    return re.sub(r"\w+", lambda word: settings.get(word[0], word[0]), description).rstrip(".")


def references(node: object) -> Iterator[str]:
    """Yield the names of the parameters that a rule refers to.

    :param node: a rule, or a part of one.
    """
    if isinstance(node, dict):
        if "Ref" in node:
            yield node["Ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


_FUNCTIONS: dict[str, Callable[..., bool]] = {
    "Fn::And": lambda *conditions: all(conditions),
    "Fn::Or": lambda *conditions: any(conditions),
    "Fn::Not": lambda condition: not condition,
    "Fn::Equals": lambda one, other: one == other,
    "Fn::Contains": lambda allowed, value: value in allowed,
    "Fn::EachMemberEquals": lambda members, value: all(member == value for member in members),
    "Fn::EachMemberIn": lambda members, allowed: set(members) <= set(allowed),
}


def _evaluate(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_evaluate(child, values) for child in node]
    if not isinstance(node, dict):
        return node
    ((function, argument),) = node.items()
    return values[argument] if function == "Ref" else _FUNCTIONS[function](*_evaluate(argument, values))
