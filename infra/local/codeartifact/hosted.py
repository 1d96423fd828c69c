"""Packages published in-house: files in a folder of their own for each repository."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from pypi_simple import DistributionPackage

if TYPE_CHECKING:
    from packaging.utils import NormalizedName


def project_of(filename: str) -> NormalizedName | None:
    """Return the normalized project name in a wheel's or sdist's file name; None if it is neither.

    :param filename: without a folder
    """
    try:
        if Path(filename).name != filename:
            return None
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[0]
        return canonicalize_name(parse_sdist_filename(filename)[0], validate=True)
    except (InvalidWheelFilename, InvalidSdistFilename, ValueError):
        return None


def hosted_files(folder: Path, project: str) -> list[DistributionPackage]:
    """Return the files of a project that were published in a repository.

    :param folder: the repository's
    :param project: normalized name
    """
    return [_described(path, project) for path in sorted(folder.iterdir()) if project_of(path.name) == project]


def _described(path: Path, project: str) -> DistributionPackage:
    content = path.read_bytes()
    digests = {"sha256": hashlib.sha256(content).hexdigest()}
    found = DistributionPackage.from_json_data({"filename": path.name, "url": path.name, "hashes": digests}, project)
    found.size = len(content)
    return found
