"""Check one requirements file, from its text to the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from infra.cli.console import waiting
from infra.preflight import hashes
from infra.preflight.constraints import Constraints, Pin, airflow_constraints
from infra.preflight.container import Container
from infra.preflight.diagnosis import Diagnosis
from infra.preflight.index import Index
from infra.preflight.report import Report, Row, too_large
from infra.preflight.repository import open_repository
from infra.preflight.requirements_file import RequirementsFile, read
from infra.preflight.resolver import Package, Resolved, Resolver, Unsolvable
from infra.preflight.settings import Repository
from infra.preflight.source_only import built_from_source, line_that_brings

if TYPE_CHECKING:
    from pathlib import Path

    from infra.preflight.settings import PreflightSettings

AIRFLOW = "apache-airflow"


def check(requirements: Path, settings: PreflightSettings) -> Report:
    """Resolve a requirements.txt as the containers will, and return the report.

    :param requirements: the file.
    :param settings: the Airflow version and the index.
    :raises CannotCheckError: if there can be no verdict.
    """
    container = Container(settings.airflow_version, settings.root)
    found = read(requirements, container)
    constraints = airflow_constraints(container, settings.constraints, settings.cache, settings.official_url)
    if isinstance(settings.source, Repository):
        index, in_house = open_repository(settings.source, settings.ca_bundle)
        upstream, what = "upstream", f"CodeArtifact repository {settings.source.domain}/{settings.source.name}"
    else:
        index, in_house = Index(settings.source, ca_bundle=settings.ca_bundle), None
        upstream, what = "index", f"index {index.url}"
    report = Report(f"{requirements} for Airflow {settings.airflow_version}, Python {container.python_version}, {what}")
    report.problems += found.problems
    report.notes += map(str, found.notes)
    report.constraints = _source(found, constraints)
    if isinstance(settings.source, Repository) and in_house is None:
        upstream = "index"
        report.notes.append("AWS did not list the in-house packages: allow codeartifact:ListPackages.")
    with index, waiting("resolving the requirements"):
        index.files("pip")  # any name: the request shows whether the index accepts the credentials
        _resolve(
            report, found, constraints, Resolver(index, container, settings.cache / "uv", found.pre, _options(found))
        )
    report.rows = [replace(row, origin=_origin(row.package, in_house or frozenset(), upstream)) for row in report.rows]
    return report


def _source(found: RequirementsFile, constraints: Constraints) -> str:
    if found.airflow_constraints:
        own = " and the file's own" if found.constraints else ""
        return constraints.source + own
    own = "the file's own" if found.constraints else "none"
    return f"{own}; of Airflow's only those that MWAA always applies, from {constraints.source}"


def _options(found: RequirementsFile) -> tuple[str, ...]:
    options = ["--no-index"] if found.no_index else []
    for folder in found.find_links:
        options += ["--find-links", str(folder)]
    return tuple(options)


def _resolve(report: Report, found: RequirementsFile, constraints: Constraints, resolver: Resolver) -> None:
    own = [
        Pin(line.requirement, f"line {line.number} of {line.path}") for line in found.constraints if line.requirement
    ]
    airflow = constraints.pins if found.airflow_constraints else constraints.essential
    diagnosis = Diagnosis(resolver, found.requirements, [*own, *airflow], _image(found, resolver.container))
    result = diagnosis.resolve(diagnosis.lines)
    if isinstance(result, Unsolvable):
        report.problems += diagnosis.explain(result)
        return
    report.rows = [Row(package, "") for package in _sized(result, resolver.index) if package.name != AIRFLOW]
    report.problems += built_from_source(diagnosis, result)
    problems, notes = hashes.judge(found, [row.package for row in report.rows], resolver.index, resolver.container)
    report.problems += problems
    report.notes += notes
    for name, reason in result.yanked.items():
        version = result.packages[name].version
        withdrawn = f"{name} {version} is yanked ({reason})"
        if name in diagnosis.by_name and not diagnosis.pins_of(name):
            line = line_that_brings(diagnosis, name)
            report.problems.append(line.problem(f"{withdrawn}: choose another version."))
        else:
            report.notes.append(f"{withdrawn}, but pinned by a constraint or by what needs it, so pip takes it.")
    if sentence := too_large(report):
        heaviest = max(report.rows, key=lambda row: row.package.size or 0).package.name
        report.problems.append(line_that_brings(diagnosis, heaviest).problem(sentence))


def _image(found: RequirementsFile, container: Container) -> tuple[tuple[str, Version], ...]:
    """Return the packages that the image certainly has: Airflow, whose dependencies the constraints pin."""
    extras = any(
        line.requirement and line.requirement.extras and canonicalize_name(line.requirement.name) == AIRFLOW
        for line in found.requirements
    )
    return ((AIRFLOW, Version(container.airflow_version)),) if found.airflow_constraints and not extras else ()


def _sized(result: Resolved, index: Index) -> list[Package]:
    packages = list(result.packages.values())
    unknown = [package for package in packages if package.size is None and package.url]
    sizes = dict(zip((p.name for p in unknown), index.sizes([p.url for p in unknown]), strict=True))
    return [replace(package, size=sizes.get(package.name, package.size)) for package in packages]


def _origin(package: Package, in_house: frozenset[str], upstream: str) -> str:
    if package.local:
        return "file"
    return "in-house" if package.name in in_house else upstream
