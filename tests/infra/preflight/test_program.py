"""The exit status fits CI: 0 good, 1 not good, 2 not known."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra import ROOT
from infra.cli.settings import SettingsError
from infra.preflight import Repository, read_settings
from tests.infra.cli.support import GOOD, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.preflight.support import Shelf

pytestmark = pytest.mark.long


def preflight(folder: Path, text: str, **environ: str) -> subprocess.CompletedProcess[str]:
    path = folder / "requirements.txt"
    path.write_text(f"-r ${{AIRFLOW_HOME}}/dags/codeartifact.txt\n{text}\n")
    pins = folder / "airflow.txt"
    pins.write_text("x==1.0\n")
    return subprocess.run(
        [sys.executable, "-m", "infra.preflight", str(path)],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}", "PREFLIGHT_CONSTRAINTS": str(pins), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_good_file_ends_with_status_0(tmp_path: Path, shelf: Shelf) -> None:
    shelf.wheel("tiny", "1.0")
    ended = preflight(tmp_path, "tiny", PREFLIGHT_INDEX_URL=shelf.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "preflight: good"
    assert "airflow.txt (PREFLIGHT_CONSTRAINTS)" in ended.stdout


def test_a_wrong_file_ends_with_status_1(tmp_path: Path, shelf: Shelf) -> None:
    ended = preflight(tmp_path, "tiny", PREFLIGHT_INDEX_URL=shelf.url)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert f"\n{tmp_path / 'requirements.txt'}:2: tiny is not known to the index" in ended.stdout


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"PREFLIGHT_INDEX_URL": "http://127.0.0.1:9/simple/"}, "check the network to it"),
        ({"PREFLIGHT_INDEX_URL": "http://127.0.0.1:9/", "AIRFLOW_VERSION": "1.10"}, 'AIRFLOW_VERSION is "1.10" but'),
        ({**GOOD, "AWS_REGION": "Frankfurt"}, 'AWS_REGION is "Frankfurt"'),
        (GOOD, "The AWS CLI (`aws`) is not on PATH"),
    ],
)
def test_without_a_verdict_the_status_is_2_and_one_sentence_names_the_reason(
    tmp_path: Path, environ: dict[str, str], sentence: str
) -> None:
    ended = preflight(tmp_path, "tiny", **environ)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_come_from_the_file_and_the_environment_wins(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("PREFLIGHT_INDEX_URL=https://me:canary@first.test/simple\nAIRFLOW_VERSION=2.11.2\n")
    settings = read_settings(env_file, {"AIRFLOW_VERSION": "3.2.1", "AWS_CA_BUNDLE": "/etc/ca.pem"})
    assert (settings.airflow_version, settings.ca_bundle) == ("3.2.1", "/etc/ca.pem")
    assert settings.source == "https://me:canary@first.test/simple"
    assert "canary" not in repr(settings)


def test_the_settings_of_a_deployment_name_the_repository(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, PREFLIGHT_CONSTRAINTS="c.txt"), {})
    assert settings.airflow_version == "3.3.1"
    assert isinstance(settings.source, Repository)
    assert (settings.source.domain, settings.source.name) == ("demo-domain", "demo-repository")
    assert settings.source.aws.region == "eu-central-1"


def test_a_misspelt_setting_is_still_refused(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("PREFLIGHT_INDEX=https://first.test/simple\n")
    with pytest.raises(SettingsError, match=r"PREFLIGHT_INDEX in .env is not a setting .*: write PREFLIGHT_INDEX_URL"):
        read_settings(env_file, GOOD)
