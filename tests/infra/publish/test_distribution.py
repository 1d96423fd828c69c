from __future__ import annotations

import io
import re
import tarfile
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.publish.distribution import PublishError, distribution
from tests.wheels import wheel

if TYPE_CHECKING:
    from pathlib import Path


def test_a_wheel_and_a_source_distribution_are_used_unchanged(tmp_path: Path) -> None:
    wheel_name, built = wheel("acme_tool", "1.0")
    (tmp_path / wheel_name).write_bytes(built)
    metadata = b"Metadata-Version: 2.1\nName: acme-tool\nVersion: 2.0\n"
    with tarfile.open(tmp_path / "acme_tool-2.0.tar.gz", "w:gz") as archive:
        for name, content in {"PKG-INFO": metadata, "pyproject.toml": b""}.items():
            member = tarfile.TarInfo(f"acme_tool-2.0/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    taken = [distribution(str(tmp_path / file), tmp_path / "build") for file in (wheel_name, "acme_tool-2.0.tar.gz")]
    assert [(each.name, each.version) for each in taken] == [("acme-tool", "1.0"), ("acme-tool", "2.0")]
    assert (tmp_path / wheel_name).read_bytes() == built
    assert not (tmp_path / "build").exists()


def test_the_example_builds_to_the_same_bytes_and_leaves_nothing_in_its_folder(tmp_path: Path) -> None:
    example = ROOT / "examples" / "acme-greeting"
    before = sorted(example.rglob("*"))
    built = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        built.append(distribution(str(example), tmp_path / name))
    assert built[0].name == "acme-greeting"
    assert built[0].sha256 == built[1].sha256
    assert sorted(example.rglob("*")) == before


def test_a_path_that_cannot_be_published_is_refused_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "folder").mkdir()
    for dist, sentence in {
        "": "DIST is not set: name a wheel",
        str(tmp_path / "gone"): "does not exist: name a wheel",
        str(tmp_path / "notes.txt"): "is neither a wheel nor a source distribution",
        str(tmp_path / "folder"): "contains no pyproject.toml",
    }.items():
        with pytest.raises(PublishError, match=re.escape(sentence)):
            distribution(dist, tmp_path / "build")


@pytest.mark.parametrize("name", ["acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0.tar.gz"])
def test_a_broken_file_is_refused_with_one_sentence_before_any_aws_call(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(wheel("acme_tool", "1.0")[1][:300])
    with pytest.raises(PublishError, match=r"is broken \(.*\): build it again, or name its source tree\."):
        distribution(str(path), tmp_path / "build")


def test_a_failed_build_shows_its_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n[project]\nname = "acme-broken"\n'
    )
    with pytest.raises(PublishError, match=r"No wheel could be built from .*, see above: correct its pyproject\.toml"):
        distribution(str(tmp_path), tmp_path / "build")
    assert "version" in capsys.readouterr().out
