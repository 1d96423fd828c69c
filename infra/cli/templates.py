"""What the templates say about their parameters and outputs: the one place where the settings' rules are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from infra import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATES = ROOT / "infra" / "cloudformation"
STACKS = ("network", "repository", "refresher", "mwaa")

# All scalars stay strings, as CloudFormation takes them; !Ref and its kin matter to CloudFormation only.
_LOADER = type("_TemplateLoader", (yaml.BaseLoader,), {})
yaml.add_multi_constructor("!", lambda _loader, _tag, _node: None, _LOADER)


@dataclass(frozen=True)
class Parameter:
    """Hold a template parameter's rules.

    :param name: the parameter's name, in PascalCase.
    :param rules: its definition in the template (AWS CloudFormation user guide: Parameters).
    """

    name: str
    rules: dict[str, Any]

    @property
    def setting(self) -> str:
        """Name the setting that fills the parameter: BucketName is BUCKET_NAME."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name).upper()

    @property
    def default(self) -> str | None:
        """Give the default, None for a required parameter."""
        return self.rules.get("Default")

    def broken_rule(self, value: str) -> str | None:
        """Say which rule a value breaks (`must be …`), None for a good one.

        :param value: the setting's value.
        """
        allowed = self.rules.get("AllowedValues")
        if allowed is not None:
            return None if value in allowed else f"must be one of {', '.join(allowed)}"
        if self._in_range(value) and re.fullmatch(self.rules.get("AllowedPattern", ".*"), value, re.DOTALL):
            return None
        rule: str = self.rules.get("ConstraintDescription", self._range_in_words())
        return rule.strip().rstrip(".")

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


@dataclass(frozen=True)
class Template:
    """Hold what the deployer needs of a template.

    :param path: the template's file.
    :param parameters: its parameters by name.
    :param outputs: its outputs' names.
    """

    path: Path
    parameters: dict[str, Parameter]
    outputs: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> Template:
        """Read a template's file.

        :param path: the YAML file.
        """
        content = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - a BaseLoader: strings only
        parameters = {name: Parameter(name, rules) for name, rules in (content.get("Parameters") or {}).items()}
        return cls(path, parameters, frozenset(content.get("Outputs") or ()))


def read_templates(folder: Path = TEMPLATES) -> dict[str, Template]:
    """Read all templates, in the order of their deployment.

    :param folder: where the templates are.
    """
    return {stack: Template.read(folder / f"{stack}.yaml") for stack in STACKS}
