"""The contents of the zips, which are the same on every machine."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING

from infra import ROOT
from infra.build import build

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "plugins/.airflowignore": "mwaa_codeartifact/\n",
    "plugins/mwaa_codeartifact_plugin.py": "entry = 1\n",
    "plugins/mwaa_codeartifact/__init__.py": "",
    "plugins/mwaa_codeartifact/operators.py": "operators = 1\n",
    "plugins/mwaa_codeartifact/core/__init__.py": "",
    "plugins/mwaa_codeartifact/core/refresh.py": "refresh = 1\n",
    "infra/refresher/handler.py": "handler = 1\n",
}
LEFTOVERS = {
    "plugins/.DS_Store": "x",
    "plugins/mwaa_codeartifact/__pycache__/refresh.cpython-311.pyc": "x",
    "plugins/mwaa_codeartifact/core/__pycache__/refresh.cpython-311.pyc": "x",
    "infra/refresher/__pycache__/handler.cpython-311.pyc": "x",
}


def project(root: Path, files: dict[str, str], *, mode: int, mtime: int) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        os.utime(path, (mtime, mtime))
    build(root)
    return root / "build"


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as reader:
        return reader.namelist()


def test_times_modes_and_caches_do_not_change_a_byte(tmp_path: Path) -> None:
    one = project(tmp_path / "one", FILES, mode=0o644, mtime=1_000_000_000)
    other_order = dict(reversed((FILES | LEFTOVERS).items()))
    other = project(tmp_path / "other", other_order, mode=0o600, mtime=1_700_000_000)
    for name in ("plugins.zip", "refresher.zip"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_the_plugins_zip_contains_the_plugins_folder_with_its_airflowignore(tmp_path: Path) -> None:
    assert names(project(tmp_path, FILES | LEFTOVERS, mode=0o644, mtime=0) / "plugins.zip") == [
        ".airflowignore",
        "mwaa_codeartifact/__init__.py",
        "mwaa_codeartifact/core/__init__.py",
        "mwaa_codeartifact/core/refresh.py",
        "mwaa_codeartifact/operators.py",
        "mwaa_codeartifact_plugin.py",
    ]


def test_the_refresher_zip_contains_handler_and_core_and_nothing_of_airflow(tmp_path: Path) -> None:
    assert names(project(tmp_path, FILES | LEFTOVERS, mode=0o644, mtime=0) / "refresher.zip") == [
        "infra/refresher/handler.py",
        "mwaa_codeartifact/__init__.py",
        "mwaa_codeartifact/core/__init__.py",
        "mwaa_codeartifact/core/refresh.py",
    ]


def test_every_file_in_the_zip_is_readable_for_all(tmp_path: Path) -> None:
    with zipfile.ZipFile(project(tmp_path, FILES, mode=0o600, mtime=0) / "refresher.zip") as reader:
        assert {member.external_attr >> 16 for member in reader.infolist()} == {0o100644}


def test_the_handler_is_where_the_template_names_it(tmp_path: Path) -> None:
    for folder in ("plugins", "infra/refresher"):
        target = tmp_path / folder
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(ROOT / folder)
    build(tmp_path)
    assert "infra/refresher/handler.py" in names(tmp_path / "build" / "refresher.zip")
