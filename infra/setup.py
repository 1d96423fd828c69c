"""Build the environments that the make targets use: tools, the image of an MWAA container, and Airflow's tests.

Run by the interpreter of ``.venv``, into which the Makefile has installed uv.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

from infra import ROOT
from infra.local.codeartifact.pip_settings import PipSettingsError, read_pip_settings

_REQUIREMENTS = ROOT / "requirements"
_UV = Path(sys.executable).with_name("uv")
# The Pythons of MWAA's images.
_AIRFLOW_PYTHON = ">=3.11,<3.13"
_HEARTBEAT_SECONDS = 8


class SetupError(Exception):
    """An environment could not be built."""


def main(what: str, airflow_version: str = "") -> int:
    """Build what is missing or out of date.

    :param what: ``tools`` or ``airflow``.
    :param airflow_version: such as 3.0.6; for ``airflow`` only.
    :returns: exit status.
    """
    try:
        if what == "tools":
            _build(ROOT / ".venv", "the tools", ["-r", _REQUIREMENTS / "dev.txt"])
        else:
            _check_path()
            constraints = _constraints(airflow_version)
            for name, requirements, use in (
                ("image", "airflow.in", "as in the image"),
                ("airflow", "airflow-test.in", "for the tests"),
            ):
                folder = ROOT / ".local" / f"{name}-{airflow_version}"
                _build(
                    folder,
                    f"Airflow {airflow_version}, {use}",
                    ["-r", _REQUIREMENTS / requirements, "-c", constraints],
                )
            _lambda_runtime()
    except (SetupError, PipSettingsError) as error:
        print(error, file=sys.stderr)  # noqa: T201  (a command line program's output)
        return 1
    return 0


def _lambda_runtime() -> None:
    """Build the environment in which the local Lambda runs functions: Python 3.12 where one is installed."""
    folder = ROOT / ".local" / "lambda-runtime"
    installed = sorted(Path(os.environ.get("PYENV_ROOT", "/")).glob("versions/3.12*/bin/python"))
    python = installed[-1] if installed else shutil.which("python3.12") or sys.executable
    what = "the libraries of Lambda's runtime python3.12"
    if not (folder / "bin" / "python").exists():
        if python == sys.executable:
            print(f"setup: no Python 3.12 was found; {python} runs the Lambda", flush=True)  # noqa: T201  (as below)
        _run([_UV, "venv", "--quiet", "--python", str(python), folder], what)
    _build(folder, what, ["-r", _REQUIREMENTS / "lambda-runtime.txt"])


def known_versions() -> list[str]:
    """List the versions of Airflow that have a pinned environment, the oldest first."""
    found = [path.stem.removeprefix("constraints-") for path in _REQUIREMENTS.glob("constraints-*.txt")]
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def _check_path() -> None:
    """Refuse a folder in which containers could not run: pip reads ``${AIRFLOW_HOME}`` in their requirements.txt."""
    if re.search(r"\s", str(ROOT)):
        raise SetupError(
            f"The path of this folder holds a space ({ROOT}), and pip cannot follow such a path from a requirements "
            "file: move the folder to where no name on the way holds one"
        )


def _constraints(airflow_version: str) -> Path:
    if airflow_version not in known_versions():
        raise SetupError(f"AIRFLOW_VERSION is {airflow_version!r}: give one of {', '.join(known_versions())}")
    return _REQUIREMENTS / f"constraints-{airflow_version}.txt"


def _build(folder: Path, what: str, arguments: list[str | Path]) -> None:
    """Install requirements into an environment, unless they are there already."""
    files = [argument for argument in arguments if isinstance(argument, Path)]
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    stamp = folder / "requirements.sha256"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"setup: installing {what} into {folder.relative_to(ROOT)}", flush=True)  # noqa: T201  (as above)
    python = folder / "bin" / "python"
    if not python.exists():
        suitable = sys.version_info < (3, 13)
        _run([_UV, "venv", "--quiet", "--python", sys.executable if suitable else _AIRFLOW_PYTHON, folder], what)
    _run([_UV, "pip", "install", "--quiet", "--python", python, *arguments], what)
    stamp.write_text(wanted)


def _run(command: list[str | Path], what: str) -> None:
    """Run uv with the package index that pip is set up with."""
    settings = read_pip_settings()
    environ = os.environ | {"UV_DEFAULT_INDEX": settings.index_url}
    if settings.credentials:
        user, password = map(quote, settings.credentials)
        environ["UV_DEFAULT_INDEX"] = settings.index_url.replace("://", f"://{user}:{password}@", 1)
    if settings.ca_bundle:
        environ["SSL_CERT_FILE"] = settings.ca_bundle
    done = threading.Event()
    threading.Thread(target=_heartbeat, args=(done,), daemon=True).start()
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    done.set()
    if ended.returncode:
        raise SetupError(
            f"Could not install {what}: check the network to the package index that pip is set up with "
            f"(`pip config list`). The installer says: {ended.stderr.strip()}"
        )


def _heartbeat(done: threading.Event) -> None:
    while not done.wait(_HEARTBEAT_SECONDS):
        print("setup: …", flush=True)  # noqa: T201  (a command line program's output)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
