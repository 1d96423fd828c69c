"""The first lines of every program that calls AWS."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.cli.announcement import announce, env_file
from infra.cli.aws import Aws, AwsError
from infra.cli.program import CommandError
from infra.cli.templates import read_templates

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATES = read_templates()


class AwsItself(Aws):
    """A runner with a fixed response, because the tests do not call AWS."""

    def call(self, *arguments: str) -> dict[str, str]:
        assert arguments == ("sts", "get-caller-identity")
        return {"Account": "123456789012"}


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_the_account_and_the_region_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    announce(AwsItself("eu-central-1", {}), {"PATH": "/bin"}, TEMPLATES)
    assert capsys.readouterr().out == "acting on the AWS account 123456789012 in eu-central-1\n"


def test_settings_of_the_shell_are_named_without_their_values(capsys: pytest.CaptureFixture[str]) -> None:
    shell = {"AWS_PROFILE": "secret", "MAX_WORKERS": "3", "DOMAIN_NAME": "", "HOME": "/root"}
    announce(AwsItself("eu-central-1", shell), shell, TEMPLATES)
    printed = capsys.readouterr().out
    assert printed.endswith("\nsettings from the shell, which win over .env: AWS_PROFILE, MAX_WORKERS\n")
    assert "secret" not in printed


def test_the_local_aws_is_announced_as_such(listening: int, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{listening}"
    shell = {"AWS_ENDPOINT_URL": url, "ENV_FILE": os.devnull, "BUCKET_NAME": "local-mwaa-bucket"}
    announce(Aws("eu-west-1", shell), shell, TEMPLATES)
    assert capsys.readouterr().out == f"acting on the local AWS at {url} (AWS_ENDPOINT_URL; .env is not read)\n"


def test_a_local_aws_that_no_longer_runs_is_one_sentence_with_the_fix() -> None:
    shell = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(CommandError, match=r"AWS that does not run \(http://127.0.0.1:9\): open a new shell") as found:
        announce(Aws("eu-west-1", shell), shell, TEMPLATES)
    assert not isinstance(found.value, AwsError)


@pytest.mark.parametrize("program", [["infra.deploy", "status"], ["infra.publish", "DIST"], ["infra.preflight"]])
def test_every_program_fails_before_any_other_output_if_the_local_aws_does_not_run(
    program: list[str], tmp_path: Path
) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}",
        "ENV_FILE": os.devnull,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "eu-west-1",
        "ENVIRONMENT_NAME": "local",
        "BUCKET_NAME": "local-bucket",
        "DOMAIN_NAME": "local-domain",
        "REPOSITORY_NAME": "local-repository",
    }
    command = [sys.executable, "-m", *program]
    ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode
    assert ended.stdout == ""
    assert ended.stderr.startswith("AWS_ENDPOINT_URL of this shell points to a local AWS that does not run")


def test_another_file_of_settings_can_be_named() -> None:
    assert env_file({}) == ROOT / ".env"
    assert env_file({"ENV_FILE": "/elsewhere/env"}) == Path("/elsewhere/env")
