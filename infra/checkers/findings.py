"""Findings of the checkers, and those that a template accepts, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.cli.program import CommandError
from infra.cli.templates import all_resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

CHECKERS = ("cfn-lint", "checkov", "parliament")


class CheckerError(CommandError):
    """A checker could not do its work."""


@dataclass(frozen=True)
class Place:
    """A rule of a checker, and a resource that breaks it.

    :param checker: one of CHECKERS.
    :param rule: the rule's id, such as CKV_AWS_18.
    :param stack: the template's name, such as refresher.
    :param resource: the resource's logical id; empty for another part of the template.
    """

    checker: str
    rule: str
    stack: str
    resource: str

    def __str__(self) -> str:
        """Return the place in words."""
        where = f"at {self.resource}" if self.resource else "outside the resources"
        return f"{self.checker} {self.rule} {where} of {self.stack}"


@dataclass(frozen=True)
class Finding:
    """A finding of a checker.

    :param place: the rule and the resource.
    :param text: the checker's words.
    :param file: the file that it read.
    """

    place: Place
    text: str
    file: Path


def suppressions(stack: str, template: Mapping[str, Any]) -> dict[Place, str]:
    """Return the findings that a template accepts, with their reasons.

    checkov reads ``checkov: skip:`` (its documentation: Suppressing and Skipping Policies), cfn-lint reads ``cfn-lint:
    config: ignore_checks:`` (its README: Metadata), which has no place for a reason, so ``comments:`` is ours.
    ``parliament: skip:`` is ours too, because parliament reads policies without their template.

    :param stack: the template's name.
    :param template: its content; names in a loop are those of the loop unless it has been expanded.
    :raises CheckerError: if a suppression has no reason.
    """
    found: dict[Place, str] = {}
    for resource, definition in all_resources(template).items():
        for checker, rule, reason in _read(definition.get("Metadata", {})):
            place = Place(checker, rule, stack, resource)
            if not reason:
                raise CheckerError(f"The suppression of {place} has no reason: add one as its comment")
            found[place] = reason
    return found


def _read(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    lint = metadata.get("cfn-lint", {})
    for rule in lint.get("config", {}).get("ignore_checks", []):
        yield "cfn-lint", rule, lint.get("comments", {}).get(rule, "")
    for checker in ("checkov", "parliament"):
        for skip in metadata.get(checker, {}).get("skip", []):
            yield checker, skip["id"], skip.get("comment", "")


def without_suppressions(template: dict[str, Any]) -> dict[str, Any]:
    """Return an expanded template without the Metadata that checkers read.

    :param template: the template; it stays as it is.
    """
    resources = {
        name: {
            **definition,
            "Metadata": {key: each for key, each in definition.get("Metadata", {}).items() if key not in CHECKERS},
        }
        for name, definition in template["Resources"].items()
    }
    return {**template, "Resources": resources}


def unused(accepted: Iterable[Place], found: Iterable[Place]) -> list[str]:
    """Return a sentence for each suppression that suppresses nothing.

    :param accepted: the suppressions.
    :param found: what the checkers find without them.
    """
    return [f"{place}: nothing is suppressed here any more: remove it" for place in {*accepted} - {*found}]
