from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from infra import ROOT
from infra.cli.settings import Settings
from infra.deploy import destroy, environment, install_log, polling, stacks
from infra.deploy.install_log import Patience
from tests.infra.deploy import waiting_cli as waiting_cli_module
from tests.infra.deploy.waiting_cli import WaitingCli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.cli.aws import Aws

REGION = "eu-central-1"


@pytest.fixture
def order(endpoint: str) -> Callable[..., None]:
    """Return a function that orders AWS's next responses; see tests/infra/scripted_aws.py."""

    def send(**orders: Any) -> None:
        body = json.dumps(orders).encode()
        request = urllib.request.Request(  # noqa: S310  (a fixed http:// address)
            f"{endpoint}/_script", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310

    return send


@pytest.fixture(scope="session")
def waiting_cli() -> Iterator[subprocess.Popen[str]]:
    """Run the AWS CLI's waiting process."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "AWS_DEFAULT_OUTPUT": "json"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, waiting_cli_module.__file__], env=environ, **pipes) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def cli_without_retries(waiting_cli: subprocess.Popen[str], environ: dict[str, str]) -> Aws:
    """Return a fast AWS CLI without retries of its own: one throttled call is one failed command."""
    mine = {"AWS_MAX_ATTEMPTS": "1", "AWS_RETRY_MODE": "standard", "AWS_DISABLE_HOST_PREFIX_INJECTION": "true"}
    return WaitingCli(waiting_cli, REGION, {**environ, **mine})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits for slow operations of AWS."""
    monkeypatch.setattr(install_log, "PATIENCE", Patience(missing=0, ending=0, settled=0, between=0))
    for module in (destroy, environment, polling, stacks):
        monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(destroy, "_AGAIN_SECONDS", 0.01)


@pytest.fixture
def settings() -> Settings:
    """Return the settings of an environment that no other test has."""
    name = f"env-{uuid4().hex[:8]}"
    return Settings(REGION, name, {"EnvironmentName": name, "BucketName": f"bucket-{name}"}, {})
