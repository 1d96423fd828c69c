"""The mutations of a template: each removes one element."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cfnlint.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The properties whose value is a list of rules, and the kind of mutation that removes one.
_RULE_LISTS = {
    "Statement": "statement",
    "SecurityGroupIngress": "rule",
    "SecurityGroupEgress": "rule",
}
# Properties that can be removed without making the template invalid: switches and safety settings.
_SWITCHES = {
    "EnableDnsHostnames",
    "EnableDnsSupport",
    "PrivateDnsEnabled",
    "VersioningConfiguration",
    "BucketEncryption",
    "PublicAccessBlockConfiguration",
    "LifecycleConfiguration",
    "OriginConfiguration",
    "RetentionInDays",
    "DestinationConfig",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
    "DependsOn",
    "Condition",
}

_Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Mutation:
    """One element that is removed from a template.

    :param template: the template's name, such as ``network``.
    :param kind: ``resource``, ``statement``, ``endpoint``, ``rule`` or ``switch``.
    :param path: the keys and indices of the element.
    :param label: a name that does not depend on the order, such as the Sid of a statement.
    """

    template: str
    kind: str
    path: _Path
    label: str

    @property
    def name(self) -> str:
        """Return a name that is the same in every run."""
        return f"{self.template}: {self.kind} {self.label}"

    def apply(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a copy of the template without the element.

        :param document: the template.
        """
        mutated = copy.deepcopy(document)
        place: Any = mutated
        for key in self.path[:-1]:
            place = place[key]
        del place[self.path[-1]]
        return mutated


def read(template: Path) -> dict[str, Any]:
    """Return a template with its short forms expanded, as JSON types.

    :param template: the YAML file.
    :raises ValueError: if cfn-lint cannot read it.
    """
    document, problems = decode(str(template))
    if problems:
        raise ValueError(f"{template}: {problems}")
    plain: dict[str, Any] = json.loads(json.dumps(document))
    return plain


def mutations(template: str, document: dict[str, Any]) -> Iterator[Mutation]:
    """Yield every mutation of a template.

    :param template: its name.
    :param document: its content, see :func:`read`.
    """
    for name in document.get("Rules", {}):
        yield Mutation(template, "rule", ("Rules", name), name)
    for name, resource in document["Resources"].items():
        yield Mutation(template, "resource", ("Resources", name), name)
        yield from _inside(template, ("Resources", name), resource, name)


def _inside(template: str, path: _Path, node: Any, label: str) -> Iterator[Mutation]:
    if isinstance(node, list):
        if str(path[-1]).startswith("Fn::ForEach::"):
            yield from _looped(template, path, node, label)
        for index, member in enumerate(node):
            yield from _inside(template, (*path, index), member, label)
    elif isinstance(node, dict):
        for key, value in node.items():
            here = (*path, key)
            if key in _RULE_LISTS and isinstance(value, list):
                for index, member in enumerate(value):
                    named = f"{label}/{member.get('Sid') or member.get('Description') or f'{key}-{index + 1}'}"
                    yield Mutation(template, _RULE_LISTS[key], (*here, index), named)
                    yield from _inside(template, (*here, index), member, named)
                continue
            if key in _SWITCHES:
                yield Mutation(template, "switch", here, f"{label}/{key}")
            yield from _inside(template, here, value, label)


def _looped(template: str, path: _Path, loop: list[Any], label: str) -> Iterator[Mutation]:
    """Yield the members of a loop's collection if the template lists them: each is an endpoint or a group."""
    _, collection, _ = loop
    for index, member in enumerate(collection if isinstance(collection, list) else []):
        if isinstance(member, str):
            yield Mutation(template, "endpoint", (*path, 1, index), f"{label}/{member}")
