"""The file to publish: a wheel or a source distribution, or a wheel that is built from a source tree."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from infra.cli.console import say, waiting
from infra.cli.program import CommandError

# The earliest time that a zip can store; with it, the same source always gives the same wheel.
_EPOCH = "315532800"


class PublishError(CommandError):
    """Nothing was published."""


@dataclass(frozen=True)
class Distribution:
    """One file to publish.

    :param path: the wheel or source distribution.
    :param name: the package's, normalized.
    :param version: its version.
    """

    path: Path
    name: str
    version: str

    @classmethod
    def read(cls, path: Path) -> Distribution:
        """Read name and version from a file's name (PyPA specifications: binary and source distribution format).

        :param path: the file.
        :raises PublishError: if the file is neither a wheel nor a source distribution, or its metadata is broken.
        """
        try:
            parse = parse_wheel_filename if path.suffix == ".whl" else parse_sdist_filename
            name, version = parse(path.name)[:2]
        except (InvalidWheelFilename, InvalidSdistFilename) as error:
            raise PublishError(f"DIST={path} is neither a wheel nor a source distribution: {error}.") from error
        _require_metadata(path)
        return cls(path, str(name), str(version))

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the content."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def distribution(dist: str, folder: Path) -> Distribution:
    """Return the distribution that DIST names; the wheel of a source tree is built first.

    :param dist: path of a wheel, a source distribution or a folder with a pyproject.toml.
    :param folder: an empty folder to build a wheel in.
    :raises PublishError: if dist is none of these, or cannot be built.
    """
    path = Path(dist)
    if not dist:
        raise PublishError(
            "DIST is not set: name a wheel, a source distribution or a source tree (make publish DIST=…)."
        )
    if not path.exists():
        raise PublishError(f"DIST={dist} does not exist: name a wheel, a source distribution or a source tree.")
    if path.is_file():
        return Distribution.read(path)
    if not any((path / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise PublishError(f"DIST={dist} contains no pyproject.toml: name the folder of a package's source.")
    return _build(path, folder)


def _require_metadata(path: Path) -> None:
    """Read a file's metadata as twine will, because twine prints a traceback for a broken file."""
    from twine.package import PackageFile  # noqa: PLC0415  (takes half a second, and only `make publish` needs it)

    try:
        PackageFile.from_filename(str(path), comment=None)
    except Exception as error:
        raise PublishError(f"DIST={path} is broken ({error}): build it again, or name its source tree.") from error


def _build(source: Path, folder: Path) -> Distribution:
    uv = str(Path(sys.executable).with_name("uv"))
    environ = {"SOURCE_DATE_EPOCH": _EPOCH, **os.environ}
    environ.pop("PYTHONPATH", None)  # this project's path: the package must build without it
    with waiting(f"building {source}"):
        built = subprocess.run(
            [uv, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(source)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    wheels = list(folder.glob("*.whl"))
    if built.returncode or len(wheels) != 1:
        for line in built.stdout.splitlines():
            say(f"  {line}")
        raise PublishError(f"No wheel could be built from {source}, see above: correct its pyproject.toml.")
    say(f"built {wheels[0].name} from {source}")
    return Distribution.read(wheels[0])
