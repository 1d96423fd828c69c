from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.preflight import PreflightSettings, Report, check
from tests.infra.local.codeartifact.support import serve_folder
from tests.infra.preflight.support import NOWHERE, Shelf, constrain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """Serve an index."""
    folder = tmp_path / "public"
    folder.mkdir()
    with serve_folder(folder) as public:
        yield Shelf(public)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project's directory with the folders that a check reads."""
    root = tmp_path / "project"
    for folder in ("dags", "plugins", "requirements"):
        (root / folder).mkdir(parents=True)
    (root / "requirements" / "constraints-3.0.6.txt").write_text("# pinned\npinned==1.0\n")
    return root


@pytest.fixture
def settings(shelf: Shelf, root: Path) -> PreflightSettings:
    """Return the settings of a check against the index, without the internet."""
    return PreflightSettings("3.0.6", shelf.url, root=root, official_url=NOWHERE)


@pytest.fixture
def checked(root: Path, settings: PreflightSettings) -> Callable[..., Report]:
    """Return a function that checks a file with the first line of the shipped one, and with these constraints."""

    def checked(
        *lines: str, head: str = "-r ${AIRFLOW_HOME}/dags/codeartifact.txt", constraints: Sequence[str] = ()
    ) -> Report:
        path = root / "requirements" / "requirements.txt"
        path.write_text("\n".join([head, *lines, ""]))
        return check(path, constrain(settings, *constraints) if constraints else settings)

    return checked
