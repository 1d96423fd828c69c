"""The whole environment on this machine, with Airflow of AIRFLOW_VERSION, and a real browser."""

from __future__ import annotations

import os
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from infra import ROOT
from infra.cli.console import Console
from infra.local.demos.deployment import Deployment
from infra.local.server import Server
from tests.browser.support import Users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

# The browser calls only this machine, and runs as root if the tests do.
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Deploy everything and wait until Airflow runs."""
    folder = tmp_path_factory.mktemp("local")
    with Console() as console, Server(folder / "aws", 0, _free_port(), console.say) as server:
        deployment = Deployment(server, console, ROOT)
        deployment.make("deploy")
        yield deployment


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
    )
    assert found, "no Chromium is on PATH: install one, or name it (make test-browser CHROMIUM=/path/to/chromium)"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def users(chromium: Browser, deployment: Deployment) -> Iterator[Users]:
    with Users(chromium, deployment) as users:
        yield users
