"""The references in the pages are correct: links, anchors, verbs of make, and the index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from tests.docs.pages import DOCS, INDEX, anchors, links, name, pages, verbs

if TYPE_CHECKING:
    from pathlib import Path

VERBS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

every_page = pytest.mark.parametrize("page", pages(), ids=name)


@every_page
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    assert [str(path.relative_to(ROOT)) for path, _ in links(page) if not path.exists()] == []


@every_page
def test_every_anchor_is_a_heading(page: Path) -> None:
    wrong = [
        f"{name(path)}#{anchor}"
        for path, anchor in links(page)
        if anchor and path.suffix == ".md" and path.exists() and anchor not in anchors(path)
    ]
    assert wrong == []


@every_page
def test_no_page_is_longer_than_200_lines(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 200


@every_page
def test_every_verb_of_make_exists(page: Path) -> None:
    assert verbs(page) - VERBS == set()


def test_every_page_of_docs_is_in_the_index() -> None:
    listed = {path for path, _ in links(INDEX)}
    assert [name(page) for page in DOCS.glob("*.md") if page != INDEX and page not in listed] == []


def test_the_readme_links_to_the_index() -> None:
    assert INDEX in {path for path, _ in links(ROOT / "README.md")}


def test_links_anchors_and_verbs_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# `make` it: now!\n## Again\n## Again\n"
        "[a](b.md#c), ![d](e.svg), [f](#again-1), [away](https://example.org/)\n"
        "`MAX=5 make deploy`, make sure, `make refresh status`\n\n    make lock  # make it again\n\n"
        "```\n# no heading\n[no](link.md)\nmake test\n```\n"
    )
    assert list(links(page)) == [(tmp_path / "b.md", "c"), (tmp_path / "e.svg", ""), (page, "again-1")]
    assert anchors(page) == {"make-it-now", "again", "again-1"}
    assert verbs(page) == {"deploy", "refresh", "lock", "test"}
