"""Each block of code that a page takes from a file is that file, word for word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from tests.docs.pages import name, pages

if TYPE_CHECKING:
    from pathlib import Path

# A comment that names the file, then the block.
_INCLUDED = re.compile(r"^<!-- from (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^( *)```python\n", re.MULTILINE)

INCLUDED = [(page, *found) for page in pages() for found in _INCLUDED.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "file", "block"), INCLUDED, ids=lambda value: "" if "\n" in str(value) else None)
def test_a_block_is_the_file_that_it_names(page: Path, file: str, block: str) -> None:
    assert block == (ROOT / file).read_text(encoding="utf-8"), f"copy {file} into {name(page)}"


@pytest.mark.parametrize("page", pages(), ids=name)
def test_all_python_in_the_pages_comes_from_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    included = [match[0] for match in _INCLUDED.finditer(text) if "```python\n" in match[0]]
    assert len(_PYTHON.findall(text)) == len(included)


def test_every_example_is_shown_by_a_page() -> None:
    shown = {file for _, file, _ in INCLUDED}
    examples = {
        file.relative_to(ROOT).as_posix()
        for folder in ("adopt", "dags", "outside-mwaa")
        for file in (ROOT / "examples" / folder).glob("*.*")
    }
    assert examples - shown == set()
