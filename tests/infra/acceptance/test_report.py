from __future__ import annotations

from typing import TYPE_CHECKING

from infra.acceptance.report import Report
from infra.acceptance.steps import Step

if TYPE_CHECKING:
    from pathlib import Path


def test_a_report_contains_steps_times_versions_and_statuses(tmp_path: Path) -> None:
    report = Report("acceptance-1", "eu-west-1", "AWS", outcome="all of it holds", airflow_version="3.3.1")
    report.steps = [Step("Deploy", ["deployed"], 61.4)]
    report.statuses = [("10:00:00", "CREATING (last update None)")]
    text = report.write(tmp_path / "build").read_text(encoding="utf-8")
    assert text.startswith("# Acceptance of acceptance-1 in eu-west-1: all of it holds\n")
    assert "Airflow 3.3.1" in text
    assert "## Deploy\n\nTook 61 s.\n\n- deployed\n" in text
    assert "- 10:00:00 UTC: CREATING (last update None)\n" in text
