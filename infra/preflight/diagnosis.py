"""Find out why requirements cannot be resolved, from what the index has, and say it so that a person can act on it."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from infra.preflight.candidates import is_exact, trouble_with, versions
from infra.preflight.reason import names_in, plain
from infra.preflight.resolver import Resolved, Unsolvable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.version import Version
    from pypi_simple import DistributionPackage

    from infra.preflight.candidates import Trouble
    from infra.preflight.constraints import Pin
    from infra.preflight.problems import Problem
    from infra.preflight.requirements_file import Line
    from infra.preflight.resolver import Resolver, Stub

# So many constraints are tried for being the one to blame; each takes the resolver a moment.
_TRIES = 8
# After so long the resolver's own reason has to do.
_PATIENCE_SECONDS = 60


@dataclass
class Diagnosis:
    """Explain one file's trouble.

    :param resolver: as the file needs it.
    :param lines: the requirements.
    :param pins: the constraints.
    :param stubs: what the image has.
    """

    resolver: Resolver
    lines: list[Line]
    pins: list[Pin]
    stubs: tuple[Stub, ...]
    _begun: float = field(default=0, init=False)

    def resolve(self, lines: Iterable[Line], pins: Iterable[Pin], stubs: Sequence[Stub] = ()) -> Resolved | Unsolvable:
        """Resolve some of the lines with some of the constraints.

        :param stubs: beside what the image has.
        """
        return self.resolver.resolve(
            [line.text for line in lines], [str(pin.requirement) for pin in pins], [*self.stubs, *stubs]
        )

    def attempt(self, line: Line, pins: Iterable[Pin], stubs: Sequence[Stub] = ()) -> Resolved | Unsolvable:
        """Resolve one line, the quick way.

        :param stubs: beside what the image has.
        """
        return self.resolver.attempt([line.text], [str(pin.requirement) for pin in pins], [*self.stubs, *stubs])

    @cached_property
    def by_name(self) -> dict[str, list[Line]]:
        """Group the lines by the package that they name."""
        found = defaultdict(list)
        for line in self.lines:
            if line.requirement:
                found[str(canonicalize_name(line.requirement.name))].append(line)
        return found

    def _pins_of(self, name: str) -> list[Pin]:
        return [pin for pin in self.pins if pin.name == name]

    # --- Nothing can be installed

    def explain(self, unsolvable: Unsolvable) -> list[Problem]:
        """Say why the lines cannot be installed.

        :param unsolvable: what the resolver says of all of them.
        """
        self._begun = time.monotonic()
        named = [problem for name, lines in self.by_name.items() if (problem := self._judge(name, lines))]
        if named:
            return named
        alone = [
            self._explain_line(line, result.reason)
            for line in self.lines
            if isinstance(result := self._alone(line, unsolvable), Unsolvable)
        ]
        return alone or [self._explain_together(unsolvable.reason)]

    def _alone(self, line: Line, together: Unsolvable) -> Resolved | Unsolvable:
        return together if self.lines == [line] else self.resolve([line], self.pins)

    def _judge(self, name: str, lines: list[Line]) -> Problem | None:
        """Judge what the lines ask for by name, without what that needs in turn."""
        if (name in {stub for stub, _ in self.stubs}) or self.resolver.options:
            return None  # it does not come from the index, or not only
        files = self.resolver.index.files(name)
        if not files:
            return lines[0].problem(
                f"{name} is not known to the index: correct the name, or publish the package to the repository."
            )
        there = versions(files)
        wanted = SpecifierSet(",".join(str(line.requirement.specifier) for line in lines if line.requirement))
        asked = " and ".join(dict.fromkeys(line.text for line in lines))
        matching = list(wanted.filter(sorted(there, reverse=True), prereleases=self.resolver.pre or None))
        if not matching:
            other = "".join(f", with line {line.number}" for line in lines[:-1])
            allowed = [version for version in there if all(_goes_with(version, pin) for pin in self._pins_of(name))]
            newest = _newest(allowed or there)
            return lines[-1].problem(
                f"no version of {name} fits {wanted}{other}: choose one that is there, such as {newest}."
            )
        allowed = matching
        for pin in self._pins_of(name):
            left = [version for version in allowed if _goes_with(version, pin)]
            if not left:
                return lines[0].problem(self._excluded(asked, wanted, pin))
            allowed = left
        exact = is_exact(wanted) or self._is_pinned(name)
        troubles = [self._trouble_with(there[version], exact=exact) for version in allowed]
        if None in troubles:
            return None
        return lines[0].problem(f"{name} {allowed[0]} {troubles[0]}.")

    def _excluded(self, asked: str, wanted: SpecifierSet, pin: Pin) -> str:
        fixed = next((each.version for each in pin.requirement.specifier if each.operator == "=="), "")
        if fixed and wanted.contains(fixed, prereleases=True):
            return f"{pin} allows only a version that the index does not have: publish it, or have other constraints."
        return f"{asked} is excluded by the constraint {pin}: write what that allows, or only {pin.requirement.name}."

    def _trouble_with(self, files: list[DistributionPackage], *, exact: bool) -> Trouble | None:
        return trouble_with(files, self.resolver.container, exact=exact)

    def _explain_line(self, line: Line, reason: str) -> Problem:
        """Say which of the packages that a line brings along is the trouble."""
        asked = str(line.requirement or line.text)
        own = line.requirement.name if line.requirement else "it"
        stubs: dict[Stub, Trouble] = {}
        said = reason
        for _ in range(_TRIES):  # what is let pass for a try can uncover more of the kind
            pages = self._pages(said, {name for name, _ in stubs})
            for name, files in pages.items():
                if not files and f"{name} was not found" in said:
                    return line.problem(
                        f"{asked} needs {name}, which the index does not know: publish it to the repository, or choose "
                        f"another version of {own}."
                    )
            unusable = self._unusable_versions(pages)
            if not unusable or self._is_late():
                break
            stubs |= unusable
            result = self.attempt(line, self.pins, list(stubs))
            if isinstance(result, Resolved):
                taken = ((name, package.version) for name, package in result.packages.items())
                troubles = [
                    f"{name} {version} {stubs[name, version]}" for name, version in taken if (name, version) in stubs
                ]
                if not troubles:
                    break
                more = f" ({len(troubles) - 1} more like this)" if troubles[1:] else ""
                return line.problem(f"{asked} needs {troubles[0].split()[0]}, but {troubles[0]}{more}.")
            said = result.reason
        return line.problem(self._contradicted(line, asked, reason) or self._as_the_resolver_says(asked, reason))

    def _as_the_resolver_says(self, asked: str, reason: str) -> str:
        names = set(names_in(reason)) - set(self.by_name)
        pins = [str(pin) for pin in self.pins if pin.name in names][:3]
        if pins:
            return f"{asked} cannot be installed, perhaps for the constraint {' or '.join(pins)}: {plain(reason)}."
        return f"{asked} cannot be installed: {plain(reason)}."

    def _pages(self, reason: str, known: set[str]) -> dict[str, list[DistributionPackage]]:
        """Read the project pages of the packages that a reason names, but for those that are known to be in order."""
        if self.resolver.options:
            return {}
        known = known | set(self.by_name) | {name for name, _ in self.stubs}
        return {name: self.resolver.index.files(name) or [] for name in names_in(reason) if name not in known}

    def _unusable_versions(self, pages: dict[str, list[DistributionPackage]]) -> dict[Stub, Trouble]:
        return {
            (name, version): trouble
            for name, files in pages.items()
            for version, its_files in versions(files).items()
            if (trouble := self._trouble_with(its_files, exact=self._is_pinned(name)))
        }

    def _is_pinned(self, name: str) -> bool:
        return any(is_exact(pin.requirement.specifier) for pin in self._pins_of(name))

    def _is_late(self) -> bool:
        return time.monotonic() > self._begun + _PATIENCE_SECONDS

    def _contradicted(self, line: Line, asked: str, reason: str) -> str | None:
        """Find the constraint without which a line could be installed."""
        # What the image has could be there in any version, for all that the line says.
        any_version = [
            (name, version) for name, _ in self.stubs for version in versions(self.resolver.index.files(name) or [])
        ]
        if self._is_late():
            return None
        free = self.attempt(line, [], any_version)
        if isinstance(free, Unsolvable):
            return None
        against = [
            pin
            for pin in self.pins
            if pin.name in free.packages and not _goes_with(free.packages[pin.name].version, pin)
        ]
        named = names_in(reason)
        for pin in sorted(against, key=lambda pin: pin.name not in named)[:_TRIES]:
            if not self._is_late() and isinstance(self.attempt(line, [pin], any_version), Unsolvable):
                return (
                    f"{asked} needs another {pin.name} than the constraint {pin} allows: choose a version of "
                    f"{line.requirement.name if line.requirement else 'it'} that goes with it."
                )
        return None

    def _explain_together(self, reason: str) -> Problem:
        """Say which lines exclude one another, each being good alone."""
        names = names_in(reason)
        lines = [line for name, lines in self.by_name.items() if name in names for line in lines] or self.lines
        numbers = " and ".join(f"line {line.number}" for line in lines[:-1]) or "the others"
        return lines[-1].problem(f"{lines[-1].text} cannot be installed with {numbers}: {plain(reason)}.")

    # --- Everything can be installed, but not as it is

    def built_from_source(self, resolved: Resolved) -> list[Problem]:
        """Find what pip would take in a newer version and build from source, where the resolver takes a wheel.

        :param resolved: what the resolver takes.
        """
        asked = {name for name, lines in self.by_name.items() if any(map(_asks_for_one_version, lines))}
        free = {
            name: package
            for name, package in resolved.packages.items()
            if package.url and name not in asked and not self._is_pinned(name)
        }
        self.resolver.index.read_ahead(free)
        stubs: dict[Stub, str] = {}
        for name, package in free.items():
            for version, files in versions(self.resolver.index.files(name) or []).items():
                if version <= package.version or (version.is_prerelease and not self.resolver.pre):
                    continue
                if (trouble := self._trouble_with(files, exact=False)) and trouble.source_only:
                    stubs[name, version] = str(package.version)
        result = self.resolve(self.lines, self.pins, list(stubs)) if stubs else None
        if not isinstance(result, Resolved):
            return []
        return [
            self.line_that_brings(name).problem(
                f"{name} {package.version} is there as source only, and pip would build it rather than take "
                f"{stubs[name, package.version]}: write {name}=={stubs[name, package.version]}."
            )
            for name, package in result.packages.items()
            if (name, package.version) in stubs
        ]

    def line_that_brings(self, name: str) -> Line:
        """Find the line by which a package is installed.

        :param name: normalized.
        """
        if name in self.by_name:
            return self.by_name[name][0]
        for line in self.lines[:-1]:
            result = self.resolve([line], self.pins)
            if isinstance(result, Resolved) and name in result.packages:
                return line
        return self.lines[-1]


def _asks_for_one_version(line: Line) -> bool:
    return bool(line.requirement and is_exact(line.requirement.specifier))


def _goes_with(version: Version, pin: Pin) -> bool:
    return pin.requirement.specifier.contains(version, prereleases=True)


def _newest(found: Iterable[Version]) -> Version:
    return max(found, key=lambda version: (not version.is_prerelease, version))
