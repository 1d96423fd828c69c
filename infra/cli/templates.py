"""What the templates say about their parameters and outputs: the one place where the settings' rules are written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from infra import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = ROOT / "infra" / "cloudformation"
STACKS = ("network", "repository", "refresher", "mwaa")


class _Loader(yaml.BaseLoader):
    """Read all scalars as strings, as CloudFormation takes them, and short forms (!Ref) as what they stand for."""


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
    """Return a template with all its scalars as strings, and its short forms spelled out.

    :param template: YAML or JSON.
    """
    content: dict[str, Any] = yaml.load(template, _Loader)  # noqa: S506 - a BaseLoader: strings only
    return content


@dataclass(frozen=True)
class Parameter:
    """Describe a template parameter.

    :param name: the parameter's name, in PascalCase.
    :param rules: its definition in the template (AWS CloudFormation user guide: Parameters).
    """

    name: str
    rules: dict[str, Any]

    @property
    def setting(self) -> str:
        """Return the name of the setting that fills the parameter: BucketName is BUCKET_NAME."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name).upper()

    @property
    def default(self) -> str | None:
        """Return the default, None for a required parameter."""
        return self.rules.get("Default")

    def broken_rule(self, value: str) -> str | None:
        """Return the rule that a value breaks (`must be …`), None for a good one.

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
        """Return the name of the first constraint that a value breaks, such as MaxLength, None for a good one.

        :param value: if it is a list, each member has to satisfy them.
        :returns: Type for what is not a number.
        """
        members = value.split(",") if self.is_list else [value]
        return next(filter(None, map(self._broken_by, members)), None)

    @property
    def is_list(self) -> bool:
        """Whether the value is a list: its members are separated by commas, and each of them has to obey the rules."""
        return "List" in self.rules.get("Type", "String")

    def _broken_by(self, value: str) -> str | None:
        rules, is_number = self.rules, "Number" in self.rules.get("Type", "String")
        if "AllowedValues" in rules and value not in rules["AllowedValues"]:
            return "AllowedValues"
        if is_number and not re.fullmatch(r"-?\d+(\.\d+)?", value):
            return "Type"
        # Whole values are matched. Source: user guide, Parameters: AllowedPattern.
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
    """Return what Fn::ForEach cannot take: it names a resource after each member's letters and digits."""
    if len(members) > 1 and "" in members:
        return "must not hold a comma too many"
    seen: dict[str, str] = {}
    for member in members:
        logical_id = re.sub(r"[^A-Za-z0-9]", "", member)
        if logical_id in seen:
            again = f"{member} twice" if seen[logical_id] == member else f"both {seen[logical_id]} and {member}"
            return f"must not name {again}, which CloudFormation tells apart by letters and digits only"
        seen[logical_id] = member
    return None


@dataclass(frozen=True)
class Template:
    """Describe what the deployer needs of a template.

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
        """Read a template's file; loops stay as they are, they hold no parameter and no output.

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
