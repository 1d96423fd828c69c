"""The mutations of a template: everything that may be missing from it, removed one at a time."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cfnlint.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Lists whose members are each a rule of their own, by the property that holds them.
_RULE_LISTS = {
    "Statement": "statement",
    "SecurityGroupIngress": "rule",
    "SecurityGroupEgress": "rule",
}
# Properties without which a resource is another one than it should be; all of them are switches or settings of safety.
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
    """One thing that is removed from a template.

    :param template: the template's name, such as ``network``.
    :param kind: ``resource``, ``statement``, ``endpoint``, ``rule`` or ``switch``.
    :param path: keys and indices that lead to it.
    :param label: a name that stays when things move, such as the Sid of a statement.
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
        """Return a copy of the template without it.

        :param document: the template.
        """
        mutated = copy.deepcopy(document)
        place: Any = mutated
        for key in self.path[:-1]:
            place = place[key]
        del place[self.path[-1]]
        return mutated


def read(template: Path) -> dict[str, Any]:
    """Return a template with its short forms written out, as JSON types.

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
    """Yield the members of a loop's collection, where the template lists them: each is an endpoint or a group."""
    _, collection, _ = loop
    for index, member in enumerate(collection if isinstance(collection, list) else []):
        if isinstance(member, str):
            yield Mutation(template, "endpoint", (*path, 1, index), f"{label}/{member}")
