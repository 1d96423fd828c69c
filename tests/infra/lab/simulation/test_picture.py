"""The picture."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from infra import ROOT
from infra.lab.simulation.picture import draw

if TYPE_CHECKING:
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return drawn(tmp_path_factory.mktemp("picture"), seed=1)


def drawn(folder: Path, seed: int) -> bytes:
    path = folder / "picture.svg"
    draw(seed, path)
    return path.read_bytes()


def stale_bars(picture: bytes) -> list[int]:
    groups = [each for each in ET.fromstring(picture).iter(f"{SVG}g") if each.get("id", "").startswith("stale-")]  # noqa: S314  (ours)
    return [sum(each.tag == f"{SVG}path" for each in group.iter()) for group in groups]


def test_it_names_what_it_shows(picture: bytes) -> None:
    shown = [element.text for element in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314  (ours)
    assert shown.count("remaining (hours)") == 2
    assert {"time (hours)", "remaining lifetime", "stale: pip fails"} <= {*shown}
    assert {"CodeArtifact or S3 is down", "the DAG is paused"} <= {*shown}


def test_the_published_picture_has_the_same_bytes_again(picture: bytes) -> None:
    assert picture == (ROOT / "docs" / "simulation.svg").read_bytes()


def test_another_seed_gives_another_picture(picture: bytes, tmp_path: Path) -> None:
    assert drawn(tmp_path, seed=2) != picture


def test_only_the_sample_is_stale(picture: bytes) -> None:
    ours, sample = stale_bars(picture)
    assert ours == 0
    assert sample > 0
