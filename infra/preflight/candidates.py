"""The versions of a package in an index, and which of them pip would install in a container."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

    from infra.preflight.container import Container


@dataclass(frozen=True)
class Trouble:
    """The reason why pip would not take a version as it is.

    :param sentence: the rest of a sentence that begins with name and version; it says what to do.
    :param source_only: whether pip would try to build the version from source (default: no).
    """

    sentence: str
    source_only: bool = False

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


def versions(files: list[DistributionPackage]) -> dict[Version, list[DistributionPackage]]:
    """Return wheels and source distributions by version, without those that pip cannot read.

    :param files: of one project.
    """
    found: dict[Version, list[DistributionPackage]] = {}
    for file in files:
        if file.package_type in {"wheel", "sdist"} and file.version:
            with suppress(InvalidVersion):
                found.setdefault(Version(file.version), []).append(file)
    return found


def is_exact(specifier: SpecifierSet) -> bool:
    """Return whether a specifier allows one version only.

    :param specifier: any.
    """
    return any(each.operator == "===" or (each.operator == "==" and "*" not in each.version) for each in specifier)


def trouble_with(files: list[DistributionPackage], container: Container, *, exact: bool) -> Trouble | None:
    """Return why pip would not take a version as it is, or None if it would.

    :param files: of that version.
    :param container: the container that would install it.
    :param exact: whether this very version is required; pip then takes a yanked one, too (PEP 592).
    """
    python = container.python_version
    fitting = [file for file in files if _allows(file.requires_python, f"{python}.0")]
    if not fitting:
        needs, airflow = files[0].requires_python, container.airflow_version
        return Trouble(f"needs Python {needs}, but Airflow {airflow} has {python}: choose another version")
    live = fitting if exact else [file for file in fitting if not file.is_yanked]
    if not live:
        return Trouble(f"is yanked ({fitting[0].yanked_reason or 'no reason given'}): choose another version")
    if any(fits(container, file) for file in live):
        return None
    if any(file.package_type == "sdist" for file in live):
        sentence = (
            "is available as source only, which the container would have to build: publish a wheel of it to the "
            "repository, or choose a version that has one"
        )
        return Trouble(sentence, source_only=True)
    kinds = {file.filename.removesuffix(".whl").partition("-")[2].partition("-")[2] for file in live}
    only = ", ".join(sorted(kinds)[:3])
    return Trouble(f"has no wheel for Python {python} on Linux x86-64 (only {only}): choose a version that has one")


def fits(container: Container, file: DistributionPackage) -> bool:
    """Return whether a file is a wheel for the container's Python and platform.

    :param container: any.
    :param file: of any project.
    """
    try:
        return not container.tag_set.isdisjoint(parse_wheel_filename(file.filename)[3])
    except InvalidWheelFilename:
        return False


def _allows(requires_python: str | None, python: str) -> bool:
    with suppress(InvalidSpecifier):
        return SpecifierSet(requires_python or "").contains(python)
    return True
