"""Find the Python version of an Airflow version's image on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from infra.mwaa_facts import PYTHON_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

_UV = Path(sys.executable).with_name("uv")
# Airflow needs these modules, which some self-compiled Pythons do not have.
_PROBE = "import sqlite3, ssl, sys; print('%d.%d' % sys.version_info[:2])"
_PROBE_SECONDS = 20


def find(version: str) -> str | None:
    """Return the path of a working interpreter, or None.

    :param version: such as 3.12.
    """
    return next((found for found in _candidates(version) if _version_of(found) == version), None)


def nearest(airflow_version: str) -> tuple[str, str]:
    """Return an interpreter for an Airflow version, and its version: the image's, else that of another image.

    If neither is installed, the interpreter is a version number, which uv downloads.

    :param airflow_version: such as 3.3.1.
    """
    wanted = PYTHON_VERSIONS[airflow_version]
    for version in (wanted, *sorted({*PYTHON_VERSIONS.values()} - {wanted})):
        if found := find(version):
            return found, version
    return wanted, wanted


def version_of_environment(folder: Path) -> str | None:
    """Return the Python version of a virtual environment; None if it, or its interpreter, does not exist.

    :param folder: the environment's.
    """
    if not (folder / "bin" / "python").exists():
        return None
    lines = (folder / "pyvenv.cfg").read_text().splitlines()
    values = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    # uv calls it version_info, the standard library's venv calls it version.
    return ".".join((values.get("version_info") or values.get("version", "")).split(".")[:2]) or None


def _candidates(version: str) -> Iterator[str]:
    yield sys.executable
    for place in os.get_exec_path():
        if found := shutil.which(f"python{version}", path=place):
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted((pyenv / "versions").glob(f"{version}.*"), reverse=True):
        yield str(folder / "bin" / "python")
    ask = [
        str(_UV),
        "python",
        "find",
        "--no-project",
        "--no-config",
        "--no-python-downloads",
        "--managed-python",
        version,
    ]
    answer = subprocess.run(ask, capture_output=True, text=True, check=False)
    if not answer.returncode:
        yield answer.stdout.strip()


def _version_of(interpreter: str) -> str | None:
    """Return an interpreter's version; None if it does not run, such as a shim without a Python."""
    try:
        answer = subprocess.run(
            [interpreter, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if not answer.returncode else None
