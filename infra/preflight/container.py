"""A container as pip sees it: its Python, platform and folders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from packaging.tags import Tag, compatible_tags, cpython_tags

from infra.mwaa_facts import AIRFLOW_HOME, PYTHON_VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.markers import Environment
    from packaging.requirements import Requirement

# The image's constraints file; its real path does not matter here.
CONSTRAINTS_FILE = f"{AIRFLOW_HOME}/AIRFLOW_CONSTRAINTS_FILE"
INDEX_URL_FILE = f"{AIRFLOW_HOME}/dags/codeartifact.txt"
# Amazon Linux 2023 has glibc 2.34.
UV_PLATFORM = "x86_64-manylinux_2_34"
_GLIBC_MINOR = 34
_MANYLINUX_ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True)
class Container:
    """The containers of one environment.

    :param airflow_version: such as 3.0.6.
    :param root: the project's directory; the containers have its dags/ and plugins/ in AIRFLOW_HOME.
    """

    airflow_version: str
    root: Path

    @property
    def python(self) -> tuple[int, int]:
        """Return the major and minor version of the image's Python."""
        major, minor = PYTHON_VERSIONS[self.airflow_version].split(".")
        return int(major), int(minor)

    @property
    def python_version(self) -> str:
        """Return the Python version as text, such as 3.12."""
        return ".".join(map(str, self.python))

    def tags(self) -> list[Tag]:
        """Return the tags of compatible wheels, the best first (PEP 425, PEP 600)."""
        platforms = []
        for minor in range(_GLIBC_MINOR, 4, -1):
            platforms.append(f"manylinux_2_{minor}_x86_64")
            if minor in _MANYLINUX_ALIASES:
                platforms.append(f"{_MANYLINUX_ALIASES[minor]}_x86_64")
        platforms.append("linux_x86_64")
        interpreter = f"cp{self.python[0]}{self.python[1]}"
        return [*cpython_tags(self.python, platforms=platforms), *compatible_tags(self.python, interpreter, platforms)]

    @cached_property
    def tag_set(self) -> frozenset[Tag]:
        """Return the same tags as a set."""
        return frozenset(self.tags())

    def markers(self) -> Environment:
        """Return the values of environment markers (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python_version}.0",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python_version}.0",
            "python_version": self.python_version,
            "sys_platform": "linux",
        }

    def applies(self, requirement: Requirement) -> bool:
        """Return whether a requirement applies in a container: it has no marker, or the marker is true.

        :param requirement: any.
        """
        return requirement.marker is None or requirement.marker.evaluate(cast("dict[str, str]", self.markers()))

    def here(self, path: str) -> Path | None:
        """Return the local file or folder that a container has at a path, or None.

        :param path: in the container, absolute.
        """
        for folder in ("dags", "plugins"):
            inside = path.removeprefix(f"{AIRFLOW_HOME}/{folder}/")
            if inside != path or path == f"{AIRFLOW_HOME}/{folder}":
                local = self.root / folder / (inside if inside != path else "")
                return local if local.exists() else None
        return None
