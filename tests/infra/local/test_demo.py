from __future__ import annotations

import subprocess
import sys

import pytest

from infra import ROOT


@pytest.mark.long
def test_the_demo_proves_the_main_job_from_deployment_to_an_expired_token() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "infra.local", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stdout[-10_000:] + ended.stderr[-5_000:]
    assert ended.stdout.endswith("All of it holds.\n")
