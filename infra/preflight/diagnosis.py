"""Explain why requirements cannot be installed: by facts from the index and the constraints, else in uv's words."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from infra.preflight.candidates import is_exact, trouble_with, versions
from infra.preflight.problems import CannotCheckError
from infra.preflight.resolver import Resolved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.version import Version

    from infra.preflight.constraints import Pin
    from infra.preflight.problems import Problem
    from infra.preflight.requirements_file import Line
    from infra.preflight.resolver import Resolver, Stub, Unsolvable

# The one further resolution that an explanation may cost ends after this time.
_EXTRA_SECONDS = 30
_QUOTED_CHARACTERS = 500


@dataclass
class Diagnosis:
    """The explanations for one file.

    :param resolver: with the file's options.
    :param lines: the requirements.
    :param pins: the constraints.
    :param stubs: the image's packages: Airflow.
    """

    resolver: Resolver
    lines: list[Line]
    pins: list[Pin]
    stubs: tuple[Stub, ...]

    @cached_property
    def by_name(self) -> dict[str, list[Line]]:
        """Return the lines by the package that they name."""
        found = defaultdict(list)
        for line in self.lines:
            if line.requirement:
                found[line.name].append(line)
        return found

    def pins_of(self, name: str) -> list[Pin]:
        """Return the constraints on a package.

        :param name: normalized.
        """
        return [pin for pin in self.pins if pin.name == name]

    def is_pinned(self, name: str) -> bool:
        """Return whether a constraint allows one version of a package only.

        :param name: normalized.
        """
        return any(is_exact(pin.requirement.specifier) for pin in self.pins_of(name))

    def resolve(self, lines: Iterable[Line], stubs: Iterable[Stub] = ()) -> Resolved | Unsolvable:
        """Resolve some of the lines with all constraints.

        :param lines: which.
        :param stubs: names and versions to treat as installable, besides the image's (default: none).
        """
        pins = [str(pin.requirement) for pin in self.pins]
        return self.resolver.resolve([line.text for line in lines], pins, [*self.stubs, *stubs])

    def explain(self, unsolvable: Unsolvable) -> list[Problem]:
        """Return every line's problem that the index and the constraints show, or else one with uv's reason.

        :param unsolvable: the resolver's answer for all lines.
        """
        facts = [problem for name, lines in self.by_name.items() if (problem := self._judge(name, lines))]
        return facts or [self._conflict(unsolvable.reason)]

    def _judge(self, name: str, lines: list[Line]) -> Problem | None:
        """Return the problem of the lines that name one package, without looking at its dependencies."""
        if (name in {stub for stub, _ in self.stubs}) or self.resolver.options:
            return None  # it does not come from the index, or not only
        files = self.resolver.index.files(name)
        if not files:
            return lines[0].problem(
                f"{name} is not known to the index: correct the name, or publish the package to the repository."
            )
        there = versions(files)
        wanted = SpecifierSet(",".join(str(line.requirement.specifier) for line in lines if line.requirement))
        matching = list(wanted.filter(sorted(there, reverse=True), prereleases=self.resolver.pre or None))
        if not matching:
            other = "".join(f", with line {line.number}" for line in lines[:-1])
            allowed = [version for version in there if all(_allows(pin, version) for pin in self.pins_of(name))]
            newest = max(allowed or there, key=lambda version: (not version.is_prerelease, version))
            return lines[-1].problem(
                f"no version of {name} fits {wanted}{other}: choose one that the index has, such as {newest}."
            )
        allowed = matching
        for pin in self.pins_of(name):
            left = [version for version in allowed if _allows(pin, version)]
            if not left:
                asked = " and ".join(dict.fromkeys(line.text for line in lines))
                return lines[0].problem(_excluded(asked, wanted, pin))
            allowed = left
        exact = is_exact(wanted) or self.is_pinned(name)
        troubles = [trouble_with(there[version], self.resolver.container, exact=exact) for version in allowed]
        return None if None in troubles else lines[0].problem(f"{name} {allowed[0]} {troubles[0]}.")

    def _conflict(self, reason: str) -> Problem:
        """Return a problem that lies deeper than the lines' own names, at the last line that uv's reason names."""
        named = [line for line in self.lines if line.name and _mentions(reason, line.name)] or self.lines[:1]
        line = named[-1]
        asked, own = line.requirement or line.text, line.requirement.name if line.requirement else "it"
        obstacles = self._obstacles(reason)
        if len(obstacles) == 1:
            return line.problem(
                f"{asked} needs another {obstacles[0].name} than the constraint {obstacles[0]} allows: "
                f"choose a version of {own} that is compatible with it."
            )
        others = [f"line {other.number}" for other in named[:-1]] + [f"the constraint {pin}" for pin in obstacles]
        with_others = f" with {' and '.join(others)}" if others else ""
        quote = textwrap.shorten(reason, _QUOTED_CHARACTERS, placeholder=" …")
        return line.problem(f"{asked} cannot be installed{with_others}. uv says: {quote}")

    def _obstacles(self, reason: str) -> list[Pin]:
        """Return constraints without which all lines can be installed; none if they are not known.

        The constraints that uv names are left out of one further resolution. Its result is the proof: it satisfies all
        constraints but those that are returned.
        """
        blamed = [pin for pin in self.pins if _mentions(reason, pin.name) and pin.name not in self.by_name]
        if not blamed:
            return []
        names = {pin.name for pin in blamed}
        index = self.resolver.index
        # The image's packages in any version, because the constraints that fix them are left out.
        stubs = [(name, each) for name, _ in self.stubs if name in names for each in versions(index.files(name) or [])]
        others = [str(pin.requirement) for pin in self.pins if pin.name not in names]
        with suppress(CannotCheckError):
            lines = [line.text for line in self.lines]
            result = self.resolver.attempt(lines, others, [*self.stubs, *stubs], seconds=_EXTRA_SECONDS)
            if isinstance(result, Resolved):
                taken = {name: package.version for name, package in result.packages.items()}
                return [pin for pin in blamed if pin.name in taken and not _allows(pin, taken[pin.name])]
        return []


def _excluded(asked: str, wanted: SpecifierSet, pin: Pin) -> str:
    fixed = next((each.version for each in pin.requirement.specifier if each.operator == "=="), "")
    if fixed and wanted.contains(fixed, prereleases=True):
        return f"{pin} allows only a version that the index does not have: publish it, or use other constraints."
    return (
        f"{asked} is excluded by the constraint {pin}: write a version that it allows, or only {pin.requirement.name}."
    )


def _mentions(reason: str, name: str) -> bool:
    """Return whether a text names a package; uv writes normalized names."""
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", reason) is not None


def _allows(pin: Pin, version: Version) -> bool:
    return pin.requirement.specifier.contains(version, prereleases=True)
