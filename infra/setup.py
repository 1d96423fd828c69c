"""Build the virtual environments that the make targets use: tools, the image of an MWAA container, Airflow's tests.

The interpreter of ``.venv``, into which the Makefile has installed uv, runs this program.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from infra import ROOT, pythons
from infra.cli.console import say, waiting
from infra.cli.pip_settings import read_pip_settings
from infra.cli.program import CommandError, run
from infra.mwaa_facts import PYTHON_VERSIONS

_REQUIREMENTS = ROOT / "requirements"
_UV = Path(sys.executable).with_name("uv")
# What to do for each text in uv's output; the first that is found counts.
_FIXES = {
    "No space left on device": "make room on the disk (an Airflow takes about 1 GB)",
    "Read-only file system": "copy this folder to a disk that can be written",
    "Permission denied": "allow this user to write to the path that it names",
    "": "check the network to the package index that pip uses (`pip config list`)",
}


class SetupError(CommandError):
    """An environment could not be built."""


def main(what: str, airflow_version: str = "") -> int:
    """Build the environments that are missing or out of date.

    :param what: ``tools`` or ``airflow``.
    :param airflow_version: such as 3.0.6; for ``airflow`` only.
    :returns: the exit status.
    """
    return run(_tools if what == "tools" else lambda: build_airflow(airflow_version))


def _tools() -> None:
    _install(ROOT / ".venv", "the tools", ["-r", _REQUIREMENTS / "dev.txt"])


def build_airflow(version: str) -> None:
    """Build the environments of one Airflow version and the local Lambda's, unless they are up to date.

    :param version: such as 3.0.6.
    :raises SetupError: if the version is unknown, or its packages cannot be installed.
    """
    constraints = _constraints(version)
    wanted = PYTHON_VERSIONS[version]
    environments = {
        ROOT / ".local" / f"image-{version}": (f"Airflow {version}, as in the image", "airflow.in"),
        ROOT / ".local" / f"airflow-{version}": (f"Airflow {version}, for the tests", "airflow-test.in"),
    }
    interpreter, python = "", wanted
    if any(pythons.version_of_environment(folder) != wanted for folder in environments):
        interpreter, python = pythons.nearest(version)
    if python != wanted:
        say(f"setup: Airflow {version} has Python {wanted} on MWAA; none was found here, so it gets {python}")
    for folder, (what, requirements) in environments.items():
        if pythons.version_of_environment(folder) != python:
            _make(folder, what, interpreter)
        _install(folder, what, ["-r", _REQUIREMENTS / requirements, "-c", constraints])
    _lambda_runtime()


def build_checkers() -> Path:
    """Build the environment of the template checkers that do not fit into .venv, unless it is up to date.

    :returns: the folder of its programs.
    :raises SetupError: if its packages cannot be installed.
    """
    folder, what = ROOT / ".local" / "checkers", "the checkers of the templates"
    if pythons.version_of_environment(folder) is None:
        _make(folder, what, sys.executable)
    _install(folder, what, ["-r", _REQUIREMENTS / "checkers.txt"])
    return folder / "bin"


def _lambda_runtime() -> None:
    """Build the environment in which the local Lambda runs functions, with Python 3.12 if it is installed."""
    folder, what = ROOT / ".local" / "lambda-runtime", "the libraries of Lambda's runtime python3.12"
    if pythons.version_of_environment(folder) is None:
        found = pythons.find("3.12")
        if not found:
            say(f"setup: no Python 3.12 was found, so the local Lambda runs {sys.executable}")
        _make(folder, what, found or sys.executable)
    _install(folder, what, ["-r", _REQUIREMENTS / "lambda-runtime.txt"])


def known_versions() -> list[str]:
    """Return the Airflow versions that have pinned requirements, the oldest first."""
    found = [path.stem.removeprefix("constraints-") for path in _REQUIREMENTS.glob("constraints-*.txt")]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def _constraints(airflow_version: str) -> Path:
    if airflow_version not in known_versions():
        raise SetupError(f"AIRFLOW_VERSION is {airflow_version!r}: set it to one of {', '.join(known_versions())}")
    return _REQUIREMENTS / f"constraints-{airflow_version}.txt"


def _make(folder: Path, what: str, interpreter: str) -> None:
    """Create an empty environment; an old one with another Python, or without one, is replaced."""
    say(f"setup: creating {folder.relative_to(ROOT)} with Python {interpreter}")
    if folder.is_symlink():
        folder.unlink()  # the folder that it points to must not be cleared
    _run([_UV, "venv", "--quiet", "--clear", "--python", interpreter, folder], what)


def _install(folder: Path, what: str, arguments: list[str | Path]) -> None:
    """Install requirements into an environment, unless the same ones have been installed."""
    files = [argument for argument in arguments if isinstance(argument, Path)]
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    stamp = folder / "requirements.sha256"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"setup: installing {what} into {folder.relative_to(ROOT)}")
    _run([_UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *arguments], what)
    stamp.write_text(wanted)


def _run(command: list[str | Path], what: str) -> None:
    """Run uv with the package index that pip uses.

    :raises SetupError: with uv's reason first.
    """
    settings = read_pip_settings()
    environ = os.environ | {"UV_DEFAULT_INDEX": settings.index_url}
    if settings.credentials:
        user, password = map(quote, settings.credentials)
        environ["UV_DEFAULT_INDEX"] = settings.index_url.replace("://", f"://{user}:{password}@", 1)
    if settings.ca_bundle:
        environ["SSL_CERT_FILE"] = settings.ca_bundle
    with waiting(f"installing {what}"):
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if ended.returncode:
        output = ended.stderr.strip()
        reason, fix = next((reason, fix) for reason, fix in _FIXES.items() if reason in output)
        sentence = f"Could not install {what}" + (f" ({reason})" if reason else "")
        raise SetupError(f"{sentence}: {fix}. uv says: {output}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
