"""The image of an MWAA container: a virtual environment with the packages that the real image holds."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra import ROOT

_AIRFLOW = "#!{python}\nimport sys\n\nfrom airflow.__main__ import main\n\nsys.exit(main())\n"


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
        """Give the file that the container's AIRFLOW_CONSTRAINTS_FILE names."""
        return ROOT / "requirements" / f"constraints-{self.airflow_version}.txt"

    def new_layer(self, folder: Path) -> Path:
        """Make an environment on top of the image, into which pip installs what the image does not hold.

        So it is on MWAA: the image's packages are there and stay as they are; others land in a place of their own.

        :param folder: where; must not exist.
        :returns: the folder of its programs.
        """
        subprocess.run([str(self._python), "-m", "venv", "--without-pip", str(folder)], check=True)
        programs = folder / "bin"
        python = programs / "python"
        ask = [str(self._python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        image_packages = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
        ask[0] = str(python)
        layer_packages = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
        (Path(layer_packages) / "image.pth").write_text(f"import site; site.addsitedir({image_packages!r})\n")
        airflow = programs / "airflow"
        airflow.write_text(_AIRFLOW.format(python=python))
        airflow.chmod(0o755)
        return programs
