"""Airflow's constraints, from the best available source, and the few that MWAA always applies."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from infra.mwaa_facts import ESSENTIAL_CONSTRAINTS, NOT_ESSENTIAL
from infra.preflight.problems import CannotCheckError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from infra.preflight.container import Container

# Airflow documentation: Installation from PyPI, constraints files.
OFFICIAL_URL = "https://raw.githubusercontent.com/apache/airflow/constraints-{airflow}/constraints-{python}.txt"
_TIMEOUT_SECONDS = 3
_FRESH_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Pin:
    """One constraint.

    :param requirement: the package and its allowed versions.
    :param place: its file and line, in words.
    """

    requirement: Requirement
    place: str

    @property
    def name(self) -> str:
        """Return the normalized name of the package."""
        return canonicalize_name(self.requirement.name)

    def __str__(self) -> str:
        """Return the constraint and its place."""
        return f"{self.requirement.name}{self.requirement.specifier} ({self.place})"


@dataclass(frozen=True)
class Constraints:
    """Airflow's constraints.

    :param source: their source, in words for the report.
    :param pins: all of them.
    :param essential: those that MWAA always applies.
    """

    source: str
    pins: list[Pin]
    essential: list[Pin]


def airflow_constraints(container: Container, local: Path | None, cache: Path, url: str = OFFICIAL_URL) -> Constraints:
    """Read Airflow's constraints: the user's file, else Airflow's official one, else this project's pins.

    :param container: determines Airflow and Python.
    :param local: the user's file (default: none).
    :param cache: the folder that keeps the official file for a day.
    :param url: of the official file, with {airflow} and {python}.
    :raises CannotCheckError: if the file cannot be read.
    """
    pinned = container.root / "requirements" / f"constraints-{container.airflow_version}.txt"
    if local:
        source, label, text = f"{local} (PREFLIGHT_CONSTRAINTS)", local.name, _read(local, "PREFLIGHT_CONSTRAINTS")
    elif (official := _official(container, cache, url)) is not None:
        source = f"Airflow's official constraints-{container.python_version}.txt of {container.airflow_version}"
        label, text = "Airflow's official constraints", official
    else:
        source = (
            f"{pinned.relative_to(container.root)}, core packages only: Airflow's official constraints could not be "
            "reached, and PREFLIGHT_CONSTRAINTS is not set"
        )
        label, text = pinned.name, _read(pinned, "AIRFLOW_VERSION")
    pins = list(_parse(text, label, container))
    core = Pin(Requirement(f"apache-airflow=={container.airflow_version}"), "MWAA's image")
    essential = ESSENTIAL_CONSTRAINTS - NOT_ESSENTIAL.get(container.airflow_version, frozenset())
    return Constraints(source, [*pins, core], [*(pin for pin in pins if pin.name in essential), core])


def _read(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CannotCheckError(
            f"The constraints file {path} cannot be read ({reason}): set {setting} to a readable one."
        ) from error


def _official(container: Container, cache: Path, url: str) -> str | None:
    """Return the official file, from the cache for a day or while the internet cannot be reached; None without it."""
    url = url.format(airflow=container.airflow_version, python=container.python_version)
    kept = cache / f"constraints-{container.airflow_version}-{container.python_version}.txt"
    if kept.exists() and time.time() - kept.stat().st_mtime < _FRESH_SECONDS:
        return kept.read_text(encoding="utf-8")
    try:
        answer = requests.get(url, timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
    except requests.RequestException:
        return kept.read_text(encoding="utf-8") if kept.exists() else None
    if "==" not in answer.text or "<html" in answer.text.lower():  # a proxy's own page
        return None
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=cache, delete=False) as file:
        file.write(answer.text)
    os.replace(file.name, kept)  # noqa: PTH105 - both are names
    return answer.text


def _parse(text: str, label: str, container: Container) -> Iterable[Pin]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            requirement = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            continue  # a comment, or an option for the installation of Airflow itself
        if container.applies(requirement):
            requirement.marker = None
            yield Pin(requirement, f"line {number} of {label}")
