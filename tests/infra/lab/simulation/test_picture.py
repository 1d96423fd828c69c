"""The picture."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from infra import ROOT
from infra.lab.simulation.picture import draw

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def picture() -> str:
    return draw(1)


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314  (ours)


def test_it_is_well_formed_and_says_what_it_shows(picture: str) -> None:
    shown = texts(picture)
    assert shown.count("remaining (hours)") == 2
    assert "time (hours)" in shown
    assert {"remaining lifetime", "stale: pip fails", "CodeArtifact or S3 is down", "the DAG is paused"} <= {*shown}


def test_it_is_the_same_for_the_same_seed(picture: str) -> None:
    assert draw(1) == picture != draw(2)


def test_the_published_picture_is_that_of_the_default_seed(picture: str) -> None:
    assert (ROOT / "docs" / "simulation.svg").read_text(encoding="utf-8") == picture


def test_it_is_red_where_the_sample_is_stale_and_nowhere_in_ours(picture: str) -> None:
    ours, sample = picture.split("The sample: one Lambda every 10 hours")
    plot = ours.split("This project: DAG hourly")[1]
    assert '<rect class="stale"' not in plot
    assert '<rect class="stale"' in sample


def test_it_can_be_read_in_the_dark(picture: str) -> None:
    assert "@media (prefers-color-scheme: dark)" in picture
