"""Newer versions without a wheel: pip would build them in the container, where the resolver takes an older wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.preflight.candidates import is_exact, trouble_with, versions
from infra.preflight.resolver import Resolved

if TYPE_CHECKING:
    from infra.preflight.diagnosis import Diagnosis
    from infra.preflight.problems import Problem
    from infra.preflight.requirements_file import Line
    from infra.preflight.resolver import Stub


def built_from_source(diagnosis: Diagnosis, resolved: Resolved) -> list[Problem]:
    """Return a problem for each package of which pip would take a newer version and build it from source.

    :param diagnosis: of the file.
    :param resolved: what the resolver takes: wheels only.
    """
    resolver = diagnosis.resolver
    asked = {name for name, lines in diagnosis.by_name.items() if any(map(_asks_for_one_version, lines))}
    free = {
        name: package
        for name, package in resolved.packages.items()
        if package.url and name not in asked and not diagnosis.is_pinned(name)
    }
    resolver.index.read_ahead(free)
    stubs: dict[Stub, str] = {}
    for name, package in free.items():
        for version, files in versions(resolver.index.files(name) or []).items():
            if version <= package.version or (version.is_prerelease and not resolver.pre):
                continue
            if (trouble := trouble_with(files, resolver.container, exact=False)) and trouble.source_only:
                stubs[name, version] = str(package.version)
    result = diagnosis.resolve(diagnosis.lines, list(stubs)) if stubs else None
    if not isinstance(result, Resolved):
        return []
    return [
        line_that_brings(diagnosis, name).problem(
            f"{name} {package.version} is available as source only, and pip would build it instead of taking "
            f"{stubs[name, package.version]}: write {name}=={stubs[name, package.version]}."
        )
        for name, package in result.packages.items()
        if (name, package.version) in stubs
    ]


def line_that_brings(diagnosis: Diagnosis, name: str) -> Line:
    """Return the line because of which a package is installed.

    :param diagnosis: of the file.
    :param name: normalized.
    """
    if name in diagnosis.by_name:
        return diagnosis.by_name[name][0]
    for line in diagnosis.lines[:-1]:
        result = diagnosis.resolve([line])
        if isinstance(result, Resolved) and name in result.packages:
            return line
    return diagnosis.lines[-1]


def _asks_for_one_version(line: Line) -> bool:
    return bool(line.requirement and is_exact(line.requirement.specifier))
