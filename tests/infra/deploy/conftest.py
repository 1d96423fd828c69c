from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from infra.cli.aws import Aws
from infra.cli.settings import Settings
from infra.deploy import environment, install_log, polling
from infra.deploy.install_log import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "eu-central-1"


@pytest.fixture
def order(endpoint: str) -> Callable[..., None]:
    """Order what AWS does next; see tests/infra/scripted_aws.py."""

    def send(**orders: Any) -> None:
        body = json.dumps(orders).encode()
        request = urllib.request.Request(  # noqa: S310  (a fixed http:// address)
            f"{endpoint}/_script", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310

    return send


@pytest.fixture
def untiring(environ: dict[str, str]) -> Aws:
    """Run the AWS CLI without its own retries, so that one throttled call is one failed command."""
    return Aws(REGION, {**environ, "AWS_MAX_ATTEMPTS": "1", "AWS_DISABLE_HOST_PREFIX_INJECTION": "true"})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits for what AWS takes minutes to do."""
    monkeypatch.setattr(install_log, "PATIENCE", Patience(missing=0, ending=0, settled=0, between=0))
    for module in (environment, polling):
        monkeypatch.setattr(module, "POLL_SECONDS", 0.01)


@pytest.fixture
def settings() -> Settings:
    """Settings of an environment that no other test has."""
    name = f"env-{uuid4().hex[:8]}"
    return Settings(REGION, name, {"EnvironmentName": name, "BucketName": f"bucket-{name}"}, {})
