"""The release files: complete, and the same bytes from every copy of the source."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.build import sources
from infra.dist import dist
from mwaa_codeartifact import __version__

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long

WHEEL = f"mwaa_codeartifact-{__version__}-py3-none-any.whl"


def copy_of_the_source(root: Path, mtime: int) -> Path:
    for folder in ("plugins", "dags", "infra/refresher", "infra/cloudformation"):
        for file in sources(ROOT / folder):
            target = root / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            os.utime(target, (mtime, mtime))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, root / name)
    dist(root)
    return root / "dist"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_source(tmp_path_factory.mktemp("one"), 1_000_000_000)


def test_two_copies_of_the_source_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    other = copy_of_the_source(tmp_path, 1_700_000_000)
    assert {file.name: file.read_bytes() for file in built.iterdir()} == {
        file.name: file.read_bytes() for file in other.iterdir()
    }


def test_every_file_has_the_version_in_its_name_and_its_checksum(built: Path) -> None:
    zips = {f"{name}-{__version__}.zip" for name in ("plugins", "refresher", "templates")}
    lines = (line.split() for line in (built / "SHA256SUMS").read_text().splitlines())
    sums = {name: digest for digest, name in lines}
    assert set(sums) == {*zips, WHEEL, f"sbom-{__version__}.cdx.json"}
    assert {file.name for file in built.iterdir()} == {*sums, "SHA256SUMS"}
    assert all(hashlib.sha256((built / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())


def test_the_wheel_holds_the_plugins_folder_and_the_refresh_dag(built: Path) -> None:
    with zipfile.ZipFile(built / WHEEL) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist() if ".dist-info/" not in name}
        info = f"mwaa_codeartifact-{__version__}.dist-info"
        metadata, entry_points = (
            message_from_bytes(wheel.read(f"{info}/METADATA")),
            wheel.read(f"{info}/entry_points.txt"),
        )
    plugins = ROOT / "plugins"
    expected = {file.relative_to(plugins).as_posix(): file.read_bytes() for file in sources(plugins)}
    del expected[".airflowignore"]
    dag = "refresh_codeartifact_index_url.py"
    expected[f"mwaa_codeartifact/example_dags/{dag}"] = (ROOT / "dags" / dag).read_bytes()
    assert files == expected
    assert metadata["Version"] == __version__
    assert b"[airflow.plugins]\nmwaa_codeartifact = mwaa_codeartifact_plugin:MwaaCodeArtifactPlugin\n" in entry_points


def test_the_sbom_connects_the_project_with_its_dependencies(built: Path) -> None:
    bom = json.loads((built / f"sbom-{__version__}.cdx.json").read_text())
    project = bom["metadata"]["component"]
    assert (bom["bomFormat"], project["name"], project["version"]) == ("CycloneDX", "mwaa-codeartifact", __version__)
    names = {component["bom-ref"]: component["name"] for component in bom["components"]}
    (needed,) = [each["dependsOn"] for each in bom["dependencies"] if each["ref"] == project["bom-ref"]]
    assert {names[ref] for ref in needed} == {"apache-airflow", "apache-airflow-providers-amazon", "boto3"}


def test_a_build_backend_that_cannot_be_fetched_is_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    environ = os.environ | {"UV_INDEX_URL": "http://127.0.0.1:9/simple/", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}
    program = "import sys; from pathlib import Path; from infra.cli.program import run; from infra.dist import dist\n"
    program += "sys.exit(run(lambda: dist(Path(sys.argv[1]))))"
    for name in ("plugins", "dags", "infra", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).symlink_to(ROOT / name)
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "uv failed, see above: if no index answered, check the one that pip is set up with" in ended.stderr
    assert "Traceback" not in ended.stderr
