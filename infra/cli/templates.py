"""The templates' parameters, outputs and Rules: the only place where the rules of the settings are written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from infra import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TEMPLATES = ROOT / "infra" / "cloudformation"
STACKS = ("network", "repository", "refresher", "mwaa")


class _Loader(yaml.BaseLoader):
    """A loader that reads all scalars as strings, as CloudFormation does, and short forms (!Ref) as their long form."""


def _spell_out(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = node.value
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


yaml.add_multi_constructor("!", _spell_out, _Loader)


def parse(template: str) -> dict[str, Any]:
    """Return a template with all scalars as strings and all short forms in their long form.

    :param template: YAML or JSON.
    """
    content: dict[str, Any] = yaml.load(template, _Loader)  # noqa: S506 - a BaseLoader: strings only
    return content


def all_resources(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resources of a template before its expansion, including those inside Fn::ForEach."""
    found: dict[str, Any] = {}
    for name, resource in template.get("Resources", {}).items():
        found |= all_resources({"Resources": resource[2]}) if name.startswith("Fn::ForEach") else {name: resource}
    return found


@dataclass(frozen=True)
class Parameter:
    """A template parameter.

    :param name: the parameter's name, in PascalCase.
    :param rules: its definition in the template (AWS CloudFormation user guide: Parameters).
    """

    name: str
    rules: dict[str, Any]

    @property
    def setting(self) -> str:
        """Return the name of the setting that fills the parameter: BUCKET_NAME for BucketName."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name).upper()

    @property
    def default(self) -> str | None:
        """Return the default, or None for a required parameter."""
        return self.rules.get("Default")

    def broken_rule(self, value: str) -> str | None:
        """Return the rule that a value breaks (`must be …`), or None.

        :param value: the setting's value.
        """
        broken = self.broken_constraint(value)
        if broken is None:
            return _broken_list(value.split(",")) if self.is_list else None
        if broken == "AllowedValues":
            return f"must be one of {', '.join(self.rules[broken])}"
        rule: str = self.rules.get("ConstraintDescription", self._range_in_words())
        return rule.strip().rstrip(".")

    def broken_constraint(self, value: str) -> str | None:
        """Return the name of the first constraint that a value breaks, such as MaxLength, or None.

        :param value: the setting's value; of a list, each member must satisfy the constraints.
        :returns: Type if a number is required and the value is not one.
        """
        members = value.split(",") if self.is_list else [value]
        return next(filter(None, map(self._broken_by, members)), None)

    @property
    def is_list(self) -> bool:
        """Return whether the value is a list, with members separated by commas, each of which must obey the rules."""
        return "List" in self.rules.get("Type", "String")

    def _broken_by(self, value: str) -> str | None:
        rules, is_number = self.rules, "Number" in self.rules.get("Type", "String")
        if "AllowedValues" in rules and value not in rules["AllowedValues"]:
            return "AllowedValues"
        if is_number and not re.fullmatch(r"-?\d+(\.\d+)?", value):
            return "Type"
        # The whole value must match (user guide, Parameters: AllowedPattern).
        if "AllowedPattern" in rules and not re.fullmatch(rules["AllowedPattern"], value, re.DOTALL):
            return "AllowedPattern"
        size, of = (float(value), "Value") if is_number else (len(value), "Length")
        if size < float(rules.get(f"Min{of}", "-inf")):
            return f"Min{of}"
        return f"Max{of}" if size > float(rules.get(f"Max{of}", "inf")) else None

    def _range_in_words(self) -> str:
        kind = "must be a number" if self.rules.get("Type") == "Number" else "must fit its template parameter"
        limits = [
            f"{rule} {self.rules[rule]}"
            for rule in ("AllowedPattern", "MinValue", "MaxValue", "MinLength", "MaxLength")
            if rule in self.rules
        ]
        return f"{kind} ({', '.join(limits)})" if limits else kind


def _broken_list(members: list[str]) -> str | None:
    """Return the rule of Fn::ForEach that a list breaks: it names resources by each member's letters and digits."""
    if len(members) > 1 and "" in members:
        return "must not contain an empty member: remove the extra comma"
    seen: dict[str, str] = {}
    for member in members:
        logical_id = re.sub(r"[^A-Za-z0-9]", "", member)
        if logical_id in seen:
            again = f"{member} twice" if seen[logical_id] == member else f"both {seen[logical_id]} and {member}"
            return f"must not name {again}, because CloudFormation distinguishes members by letters and digits only"
        seen[logical_id] = member
    return None


@dataclass(frozen=True)
class Template:
    """The parts of a template that the deployer needs.

    :param path: the template's file.
    :param parameters: its parameters by name.
    :param outputs: its outputs' names.
    :param rules: its Rules section.
    """

    path: Path
    parameters: dict[str, Parameter]
    outputs: frozenset[str]
    rules: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Template:
        """Read a template's file; Fn::ForEach loops are not expanded, because they contain no parameter and no output.

        :param path: the YAML file.
        """
        content = parse(path.read_text(encoding="utf-8"))
        parameters = {name: Parameter(name, rules) for name, rules in (content.get("Parameters") or {}).items()}
        return cls(path, parameters, frozenset(content.get("Outputs") or ()), content.get("Rules") or {})


def read_templates(folder: Path = TEMPLATES) -> dict[str, Template]:
    """Read all templates, in the order of their deployment.

    :param folder: where the templates are.
    """
    return {stack: Template.read(folder / f"{stack}.yaml") for stack in STACKS}
