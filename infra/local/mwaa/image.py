"""The image of an MWAA container: a virtual environment with the packages that the real image holds."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from infra import ROOT
from infra.mwaa_facts import ESSENTIAL_CONSTRAINTS, NOT_ESSENTIAL

_AIRFLOW = "#!{python}\nimport sys\n\nfrom airflow.__main__ import main\n\nsys.exit(main())\n"


def image_python(airflow_version: str) -> Path:
    """Return the interpreter of the image of an Airflow version, which `make setup` has built.

    :raises LookupError: when there is no such image here.
    """
    python = ROOT / ".local" / f"image-{airflow_version}" / "bin" / "python"
    if not python.exists():
        raise LookupError(
            f"There is no image of Airflow {airflow_version} here: "
            f"run `make setup AIRFLOW_VERSION={airflow_version}` first"
        )
    return python


def constraints_file(airflow_version: str) -> Path:
    """Return the file that the container's AIRFLOW_CONSTRAINTS_FILE names."""
    return ROOT / "requirements" / f"constraints-{airflow_version}.txt"


def essential_constraints(airflow_version: str) -> str:
    """Return the constraints that no requirements.txt lifts, with the versions that are pinned here."""
    names = ESSENTIAL_CONSTRAINTS - NOT_ESSENTIAL.get(airflow_version, frozenset())
    lines = constraints_file(airflow_version).read_text().splitlines()
    pins = (line for line in lines if line.partition("==")[0].lower().replace("_", "-") in names)
    return "".join(f"{pin}\n" for pin in pins)


def new_layer(airflow_version: str, folder: Path) -> Path:
    """Make an environment on top of the image, into which pip installs what the image does not hold.

    So it is on MWAA: the image's packages are there and stay as they are; others land in a place of their own.

    :param folder: where; must not exist.
    :returns: the folder of its programs.
    """
    python = image_python(airflow_version)
    subprocess.run([str(python), "-m", "venv", "--without-pip", str(folder)], check=True)
    programs, packages = folder / "bin", _packages(python)
    layer = folder / packages.relative_to(python.parent.parent)
    (layer / "image.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")
    airflow = programs / "airflow"
    airflow.write_text(_AIRFLOW.format(python=programs / "python"))
    airflow.chmod(0o755)
    return programs


@cache
def _packages(python: Path) -> Path:
    """Return the folder of the packages of a virtual environment."""
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip())
