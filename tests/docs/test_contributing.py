"""CONTRIBUTING.md names files and commands that exist."""

from __future__ import annotations

import re

from infra import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """Return the text below a heading, up to the next."""
    return TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_every_task_names_a_file_that_exists() -> None:
    rows = [row for row in section("Where do I change …").splitlines() if row.startswith("|")][2:]
    assert len(rows) >= 5
    for row in rows:
        files = re.findall(r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|yaml|html|md|example)|\.env\.example)`", row)
        assert files, row
        assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_test_command_names_tests_that_exist() -> None:
    named = re.findall(r"tests/[\w/.]+", section("Test one part"))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_folder_of_the_layout_exists() -> None:
    layout = re.findall(r"^ {4}( *)((?:[\w.]+/? ?)+?)(?:  |$)", section("Layout"), re.MULTILINE)
    parents: list[str] = []
    for indent, names in layout:
        if len(indent) > 8:
            continue  # the rest of a description
        del parents[len(indent) // 2 :]
        for each in names.split():
            found = [*ROOT.glob("/".join([*parents, each.rstrip("/")]))]
            assert found, each
        parents.append(names.split()[0].rstrip("/"))
