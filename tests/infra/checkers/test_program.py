"""The program with the real checkers, on templates with one error each."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from infra.checkers.__main__ import main
from infra.cli.templates import TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_each_checker_finds_its_error_and_an_unused_suppression_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(TEMPLATES, templates)
    replace(templates / "repository.yaml", "sts:AWSServiceName", "sts:ServiceName")
    replace(templates / "repository.yaml", "        BlockPublicAcls: true\n", "")
    replace(templates / "refresher.yaml", "MaximumRetryAttempts: 2", "MaximumRetryAttempts: 9")
    replace(
        templates / "refresher.yaml",
        "      Timeout: 300\n",
        "      Timeout: 300\n      TracingConfig: {Mode: Active}\n",
    )
    assert main(templates) == 1
    assert [line.partition(": ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "cfn-lint E3034 at RefresherRetries of refresher",
        "cfn-lint WS1000 at Refresher of refresher",
        "checkov CKV_AWS_53 at Bucket of repository",
        "parliament UNKNOWN_CONDITION_FOR_ACTION:MintTokenThroughSts at PublisherRole of repository",
    ]
