"""The variables that the local deployment passes to make, shown by a make target that prints them."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli.console import Console
from infra.local.demos.deployment import Deployment

if TYPE_CHECKING:
    from pathlib import Path

SERVER: Any = SimpleNamespace(
    environ={"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "local key"}
)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    (tmp_path / "Makefile").write_text("print:\n\t@env\n")
    return Deployment(SERVER, Console(), tmp_path)


def variables(lines: list[str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_neither_the_user_s_env_file_nor_profile_reaches_the_local_stacks(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.org")
    deployment.make("print")
    passed = variables(deployment.lines)
    assert passed["ENV_FILE"] == "/dev/null"
    assert passed["AWS_CONFIG_FILE"] == passed["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert passed["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL_S3"} & passed.keys()


@pytest.mark.parametrize(
    ("version", "mode"), [("3.3.1", "PUBLIC_AND_PRIVATE"), ("3.0.6", "PRIVATE_ONLY"), ("2.10.3", "PUBLIC_ONLY")]
)
def test_the_access_mode_suits_the_version(
    version: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VERSION", version)
    assert Deployment(SERVER, Console(), tmp_path).settings["WEBSERVER_ACCESS_MODE"] == mode


def test_another_shell_acts_on_the_local_aws_whatever_profile_it_had(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "aws.env"
    deployment.write_settings(path)
    assert path.stat().st_mode & 0o777 == 0o600
    ended = subprocess.run(
        ["sh", "-c", f". {path}; env"], env={"AWS_PROFILE": "production"}, capture_output=True, text=True, check=True
    )
    found = variables(ended.stdout.splitlines())
    assert found["AWS_ACCESS_KEY_ID"] == "local key"
    assert found["ENV_FILE"] == "/dev/null"
    assert "AWS_PROFILE" not in found
