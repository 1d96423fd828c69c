"""The image of an MWAA container: a virtual environment with the real image's packages."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from infra import ROOT
from infra.mwaa_facts import ESSENTIAL_CONSTRAINTS, NOT_ESSENTIAL

if TYPE_CHECKING:
    from pathlib import Path

_AIRFLOW = "#!{python}\nimport sys\n\nfrom airflow.__main__ import main\n\nsys.exit(main())\n"


def image_python(airflow_version: str) -> Path:
    """Return the interpreter of an Airflow version's image; raise a LookupError if `make setup` has not built it."""
    python = ROOT / ".local" / f"image-{airflow_version}" / "bin" / "python"
    if not python.exists():
        remedy = f"run `make setup AIRFLOW_VERSION={airflow_version}` first"
        raise LookupError(f"There is no image of Airflow {airflow_version} here: {remedy}")
    return python


def constraints_file(airflow_version: str) -> Path:
    """Return the file that the container's AIRFLOW_CONSTRAINTS_FILE names."""
    return ROOT / "requirements" / f"constraints-{airflow_version}.txt"


def essential_constraints(airflow_version: str) -> str:
    """Return the constraints that no requirements.txt can remove, with the versions that are pinned here."""
    names = ESSENTIAL_CONSTRAINTS - NOT_ESSENTIAL.get(airflow_version, frozenset())
    lines = constraints_file(airflow_version).read_text().splitlines()
    pins = (line for line in lines if line.partition("==")[0].lower().replace("_", "-") in names)
    return "".join(f"{pin}\n" for pin in pins)


def new_layer(airflow_version: str, folder: Path) -> Path:
    """Make a virtual environment on top of the image, in a folder that must not exist; return its folder of programs.

    As on MWAA, pip never changes the image's packages: it installs others into a folder of their own.
    """
    python = image_python(airflow_version)
    subprocess.run([str(python), "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(python.parent.parent.glob("lib/python*/site-packages"))
    layer = folder / packages.relative_to(python.parent.parent)
    (layer / "image.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")
    airflow = folder / "bin" / "airflow"
    airflow.write_text(_AIRFLOW.format(python=airflow.with_name("python")))
    airflow.chmod(0o755)
    return airflow.parent
