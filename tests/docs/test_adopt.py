"""The steps of docs/adopt.md, on a bucket and a domain that no stack of this project created."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.build import build
from infra.local.server import REGION, Server
from tests.infra.cloudformation.support import ACCOUNT, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

ADOPT = ROOT / "examples" / "adopt"
SETTINGS = {"DOMAIN": "theirs", "DOMAIN_OWNER": ACCOUNT, "REPOSITORY": "python", "AWS_DEFAULT_REGION": REGION}
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def run(file: str, folder: Path, **environ: str) -> str:
    """Run a block in a shell that stops at the first error; `make build` has run already."""
    script = (ADOPT / file).read_text(encoding="utf-8").replace("make build\n", "")
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={"PATH": TOOLS, "HOME": str(folder), **SETTINGS, **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "aws", 0, 0, lambda _speaker, _line: None) as server:
        server.codeartifact.create_domain(SETTINGS["DOMAIN"])
        server.codeartifact.create_repository(SETTINGS["DOMAIN"], SETTINGS["REPOSITORY"])
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder that looks like a clone after `make build`."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("plugins", "infra", "dags"):
        (folder / name).symlink_to(ROOT / name)
    build(folder)
    return folder


def test_the_refresher_stack_replaces_the_line_of_the_cdk_sample_in_an_existing_bucket(
    server: Server, project: Path
) -> None:
    bucket = f"theirs-{uuid.uuid4().hex[:8]}"
    s3 = server.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    sample_line = b"--index-url https://aws:old@example.org/simple/"  # without metadata
    s3.put_object(Bucket=bucket, Key="dags/codeartifact.txt", Body=sample_line)
    given = {**server.environ, "ENVIRONMENT": f"e-{bucket}", "BUCKET": bucket}
    printed = run("refresher.sh", project, **given)
    metadata = json.loads(printed[printed.rindex("{") :])
    assert metadata["refreshed-by"] == "lambda"
    assert metadata["repository"] == f"{REGION}/{ACCOUNT}/theirs/python"

    run("plugin.sh", project, **given)
    uploaded = {each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert uploaded >= {"plugins.zip", "dags/refresh_codeartifact_index_url.py", "dags/codeartifact.txt"}


def test_the_aws_cli_accepts_the_update_of_the_environment(tmp_path: Path) -> None:
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\nPATH=${PATH#*:}\nexec aws "$@" --generate-cli-skeleton output\n')
    aws.chmod(0o755)
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    names = {"ENVIRONMENT": "theirs", "BUCKET": "theirs", "plugins": "v1"}
    assert "Arn" in json.loads(run("update.sh", tmp_path, PATH=f"{tmp_path}:{TOOLS}", **keys, **names))


def test_the_policy_of_the_execution_role_grants_the_same_as_the_template() -> None:
    role = Stack("mwaa").resources["ExecutionRole"]["Properties"]
    (refresh,) = (each for each in role["Policies"] if each["PolicyName"] == "refresh-index-url")
    ours = json.loads((ADOPT / "execution-role-policy.json").read_text(encoding="utf-8"))

    def rights(document: dict[str, list[dict[str, object]]]) -> list[tuple[object, object, object]]:
        return [(each["Effect"], each["Action"], each.get("Condition")) for each in document["Statement"]]

    assert rights(ours) == rights(refresh["PolicyDocument"])
