"""The program's verbs and their options, run as make runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from infra import ROOT

pytestmark = pytest.mark.long

SETTINGS = {
    "AWS_REGION": "eu-central-1",
    "ENVIRONMENT_NAME": "absent",
    "BUCKET_NAME": "absent-bucket",
    "DOMAIN_NAME": "absent",
    "REPOSITORY_NAME": "absent",
    "PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}",
}


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.deploy", *arguments]
    return subprocess.run(command, env={**environ, **SETTINGS}, capture_output=True, text=True, check=False)


def test_a_release_without_an_environment_fails_unless_the_option_allows_it(environ: dict[str, str]) -> None:
    alone, in_a_pipeline = run(environ, "release"), run(environ, "release", "--if-deployed")
    assert alone.returncode == 1
    assert alone.stderr.endswith("absent-refresher is not deployed: run `make deploy` first.\n")
    assert in_a_pipeline.returncode == 0
    assert "nothing is released: absent-refresher is not deployed" in in_a_pipeline.stdout


@pytest.mark.parametrize(
    "arguments", [("release-plugins", "--yes"), ("destroy", "--force"), ("rollback", "--requirements", "x")]
)
def test_a_verb_refuses_the_options_of_other_verbs(environ: dict[str, str], arguments: tuple[str, ...]) -> None:
    ended = run(environ, *arguments)
    assert ended.returncode == 2
    assert "unrecognized arguments" in ended.stderr
