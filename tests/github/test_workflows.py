"""The pipeline runs only make targets that exist, and contains no long-lived key."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infra import ROOT
from mwaa_codeartifact import __version__

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
SETTINGS = "printf '%s\\n' \"$SETTINGS\" >.env"
POSTGRES = "sudo apt-get install --yes postgresql"
RELEASE = ROOT / ".github" / "workflows" / "release.yml"

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


def run_of(name: str) -> str:
    """Return the command of a step of the release."""
    (command,) = [step["run"] for step in steps(RELEASE) if step.get("name") == name]
    return str(command)


def shell(command: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does."""
    bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
    return subprocess.run(bash, cwd=cwd, env=os.environ | environ, capture_output=True, text=True, check=False)


def test_the_pipeline_runs_the_expected_targets_and_no_other_command() -> None:
    commands = {step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step}
    ran = {command.split()[1] for command in commands if command.startswith("make ")}
    assert ran == {"check", "test", "preflight", "publish", "release", "deploy", "dist", "$VERB"}
    others = {SETTINGS, POSTGRES, run_of("Check that the tag is the version"), run_of("Publish the release")}
    assert {command for command in commands if not command.startswith("make ")} == others
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
def test_permissions_are_granted_to_each_job_separately(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {}
    for name, job in jobs(path).items():
        may_write = (path, name) == (RELEASE, "release")
        assert job["permissions"]["contents"] == ("write" if may_write else "read")
        assert set(job["permissions"]) <= {"contents", "id-token"}


def test_only_jobs_with_a_role_get_an_oidc_token() -> None:
    for job in jobs(ROOT / ".github" / "workflows" / "mwaa.yml").values():
        takes_role = any("role-to-assume" in step.get("with", {}) for step in job["steps"])
        assert ("id-token" in job["permissions"]) is takes_role


def test_no_expression_is_pasted_into_a_shell() -> None:
    assert [step["run"] for path in WORKFLOWS for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize(("tag", "code"), [(f"v{__version__}", 0), (__version__, 1), (f"v{__version__}.1", 1)])
def test_a_release_needs_a_tag_that_is_the_version(tag: str, code: int) -> None:
    ended = shell(run_of("Check that the tag is the version"), ROOT, GITHUB_REF_NAME=tag)
    assert ended.returncode == code
    assert bool(code) is (f"The tag is {tag}, but the version is {__version__}" in ended.stderr)


def test_a_release_is_checked_and_tested_before_its_files_are_published(tmp_path: Path) -> None:
    release = jobs(RELEASE)
    assert release["release"]["needs"] == "check"
    assert [step["run"] for step in release["check"]["steps"] if "run" in step][1:] == ["make check", "make test"]
    assert next(step["run"] for step in release["release"]["steps"] if "run" in step) == "make dist"
    gh = tmp_path / "gh"  # prints its arguments
    gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    gh.chmod(0o755)
    (tmp_path / "dist").mkdir()
    files = ["dist/SHA256SUMS", "dist/plugins-1.zip"]
    for file in files:
        (tmp_path / file).touch()
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ended = shell(run_of("Publish the release"), tmp_path, PATH=path, GITHUB_REF_NAME="v1")
    arguments = ended.stdout.splitlines()
    assert arguments[:4] == ["release", "create", "v1", "--verify-tag"]
    assert arguments[-2:] == files


def test_only_the_last_step_of_a_release_gets_the_token() -> None:
    with_token = [step.get("name") for step in steps(RELEASE) if "github.token" in str(step)]
    assert with_token == ["Publish the release"]
