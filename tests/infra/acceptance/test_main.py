from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.acceptance.__main__ import temporary_settings
from infra.cli.program import CommandError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_settings_have_their_own_temporary_name_and_take_only_aws_and_the_version_from_the_shell() -> None:
    environ = {"AWS_REGION": "eu-west-1", "AWS_PROFILE": "me", "AIRFLOW_VERSION": "3.2.1", "MAX_WORKERS": "9"}
    settings = temporary_settings(environ)
    assert settings.items() >= {("AWS_REGION", "eu-west-1"), ("AWS_PROFILE", "me"), ("AIRFLOW_VERSION", "3.2.1")}
    assert "MAX_WORKERS" not in settings
    assert settings["ENVIRONMENT_NAME"] != temporary_settings(environ)["ENVIRONMENT_NAME"]


def test_the_error_without_a_region_names_the_setting() -> None:
    with pytest.raises(CommandError, match="AWS_REGION is not set: set it to the AWS Region"):
        temporary_settings({})


def test_nothing_is_deployed_unless_the_user_agrees_to_the_named_price(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "infra.acceptance"],
        cwd=ROOT,
        env={"PATH": "/nowhere", "AWS_REGION": "eu-west-1", "HOME": str(tmp_path), "PYTHONPATH": f"{ROOT}/plugins"},
        input="no\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "costs about 1.30 USD" in ended.stdout
    assert ended.stderr == "Nothing was deployed.\n"
