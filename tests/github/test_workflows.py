"""The pipeline: it runs nothing but make targets that exist, and holds no long-lived key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infra import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
SETTINGS = "printf '%s\\n' \"$SETTINGS\" >.env"
POSTGRES = "sudo apt-get install --yes postgresql"

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


def test_the_pipeline_runs_the_targets_that_it_is_to_run_and_no_other_command() -> None:
    commands = {step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step}
    ran = {command.split()[1] for command in commands if command.startswith("make ")}
    assert ran == {"check", "test", "preflight", "publish", "release", "deploy", "$VERB"}
    assert {command for command in commands if not command.startswith("make ")} == {SETTINGS, POSTGRES}
    verbs = jobs(ROOT / ".github" / "workflows" / "ci.yml")["rest"]["strategy"]["matrix"]["verb"]
    assert (ran - {"$VERB"}) | {verb.split()[0] for verb in verbs} <= TARGETS


@every_workflow
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []


@every_workflow
def test_no_secret_is_read_and_no_key_is_kept(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "secrets" not in text
    assert not re.search(r"access[-_]key", text, re.IGNORECASE)


@every_workflow
def test_rights_are_given_job_by_job(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {}
    for job in jobs(path).values():
        assert job["permissions"]["contents"] == "read"
        assert set(job["permissions"]) <= {"contents", "id-token"}


def test_only_jobs_with_a_role_get_an_oidc_token() -> None:
    for job in jobs(ROOT / ".github" / "workflows" / "mwaa.yml").values():
        takes_role = any("role-to-assume" in step.get("with", {}) for step in job["steps"])
        assert ("id-token" in job["permissions"]) is takes_role


def test_no_expression_is_pasted_into_a_shell() -> None:
    assert [step["run"] for path in WORKFLOWS for step in steps(path) if "${{" in step.get("run", "")] == []
