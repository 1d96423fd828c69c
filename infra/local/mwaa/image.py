"""The image of an MWAA container: a virtual environment with the packages that the real image holds."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from infra import ROOT
from infra.mwaa_facts import ESSENTIAL_CONSTRAINTS, NOT_ESSENTIAL

_AIRFLOW = "#!{python}\nimport sys\n\nfrom airflow.__main__ import main\n\nsys.exit(main())\n"
_PIN = re.compile(r"([A-Za-z0-9._-]+)==.+")


@dataclass(frozen=True)
class Image:
    """Find the image of one Airflow version; `make setup` has built it.

    :param airflow_version: such as 3.0.6.
    :raises LookupError: when there is no such image here.
    """

    airflow_version: str

    def __post_init__(self) -> None:
        """Check that the image is there."""
        if not self._python.exists():
            raise LookupError(
                f"There is no image of Airflow {self.airflow_version} here: "
                f"run `make setup AIRFLOW_VERSION={self.airflow_version}` first"
            )

    @property
    def _python(self) -> Path:
        return ROOT / ".local" / f"image-{self.airflow_version}" / "bin" / "python"

    @property
    def constraints_file(self) -> Path:
        """Return the file that the container's AIRFLOW_CONSTRAINTS_FILE names."""
        return ROOT / "requirements" / f"constraints-{self.airflow_version}.txt"

    @property
    def essential_constraints(self) -> str:
        """Return the constraints that no requirements.txt lifts, with the versions that are pinned here."""
        names = ESSENTIAL_CONSTRAINTS - NOT_ESSENTIAL.get(self.airflow_version, frozenset())
        pins = (_PIN.match(line) for line in self.constraints_file.read_text().splitlines())
        return "".join(f"{pin[0]}\n" for pin in pins if pin and pin[1].lower().replace("_", "-") in names)

    def new_layer(self, folder: Path) -> Path:
        """Make an environment on top of the image, into which pip installs what the image does not hold.

        So it is on MWAA: the image's packages are there and stay as they are; others land in a place of their own.

        :param folder: where; must not exist.
        :returns: the folder of its programs.
        """
        subprocess.run([str(self._python), "-m", "venv", "--without-pip", str(folder)], check=True)
        programs = folder / "bin"
        packages = _packages(self._python)
        layer = folder / packages.relative_to(self._python.parent.parent)
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
