"""The version is stated once, in the package; every copy of it follows."""

from __future__ import annotations

import re
import subprocess

import pytest

from infra import ROOT
from infra.cli.templates import STACKS
from mwaa_codeartifact import __version__
from tests.infra.cloudformation.support import load


@pytest.mark.parametrize("stack", STACKS)
def test_a_templates_description_ends_with_the_version(stack: str) -> None:
    template = load(stack)
    assert template["Description"].endswith(f" (mwaa-codeartifact {__version__})")


def test_make_help_begins_with_the_version() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines()[0] == f"mwaa-codeartifact {__version__}"


def test_the_documented_answer_of_the_status_page_has_the_version() -> None:
    shown = (ROOT / "docs" / "status-page.md").read_text()
    assert re.findall(r'^  "version": "(.*)",$', shown, re.MULTILINE) == [__version__]
