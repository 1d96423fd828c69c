"""The Markdown pages of the project, and their references."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.MULTILINE)
_VERB = re.compile(r"(?<![\w-])make (?:[A-Z_]+=\S+ )*([a-z]+(?:-[a-z]+)*)")


def pages() -> list[Path]:
    """Return every Markdown page of the project, sorted."""
    folders = ("docs", "examples", ".github", "infra", "plugins", "dags", "requirements", "tests")
    found = [*ROOT.glob("*.md"), *(page for folder in folders for page in (ROOT / folder).rglob("*.md"))]
    return sorted(found)


def name(page: Path) -> str:
    """Return the path of a page below the project's folder."""
    return page.relative_to(ROOT).as_posix()


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the anchor of each link that stays in the project.

    :param page: where the links are.
    """
    for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page.

    :param page: a Markdown file.
    """
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(anchor)
    return found


def verbs(page: Path) -> set[str]:
    """Return the verbs V of each ``make V`` in code: a span in backquotes, a fenced block or an indented block.

    :param page: a Markdown file.
    """
    text = page.read_text(encoding="utf-8")
    blocks = [match[0] for match in _FENCE.finditer(text)]
    rest = _FENCE.sub("", text)
    indented = re.findall(r"^ {4}.*$", rest, re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", rest)
    # "make … again" in a comment of a shell block is prose.
    lines = [line.partition(" #")[0] for code in (*blocks, *indented, *spans) for line in code.splitlines()]
    return {verb for line in lines for verb in _VERB.findall(line)}
