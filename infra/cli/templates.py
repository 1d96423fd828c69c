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
        allowed = self.rules.get("AllowedValues")
        if allowed is not None:
            return None if value in allowed else f"must be one of {', '.join(allowed)}"
        members = value.split(",") if self.is_list else [value]
        if all(self._in_range(member) and self._fits_pattern(member) for member in members):
            return _broken_list(members) if self.is_list else None
        rule: str = self.rules.get("ConstraintDescription", self._range_in_words())
        return rule.strip().rstrip(".")

    @property
    def is_list(self) -> bool:
        """Whether the value is a list: its members are separated by commas, and each of them has to obey the rules."""
        return bool(self.rules.get("Type") == "CommaDelimitedList")

    def _fits_pattern(self, value: str) -> bool:
        return bool(re.fullmatch(self.rules.get("AllowedPattern", ".*"), value, re.DOTALL))

    def _in_range(self, value: str) -> bool:
        if self.rules.get("Type") != "Number":
            return self._between(len(value), "Length")
        return bool(re.fullmatch(r"-?\d+(\.\d+)?", value)) and self._between(float(value), "Value")

    def _between(self, size: float, of: str) -> bool:
        low, high = self.rules.get(f"Min{of}", "-inf"), self.rules.get(f"Max{of}", "inf")
        return float(low) <= size <= float(high)

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
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a BaseLoader: strings only
        parameters = {name: Parameter(name, rules) for name, rules in (content.get("Parameters") or {}).items()}
        return cls(path, parameters, frozenset(content.get("Outputs") or ()), content.get("Rules") or {})


def read_templates(folder: Path = TEMPLATES) -> dict[str, Template]:
    """Read all templates, in the order of their deployment.

    :param folder: where the templates are.
    """
    return {stack: Template.read(folder / f"{stack}.yaml") for stack in STACKS}
