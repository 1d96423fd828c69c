"""Users of the status page: their logins, their way to the page, and pictures of it."""

from __future__ import annotations

import os
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page

    from infra.local.demos.deployment import Deployment

VERSION = os.environ.get("AIRFLOW_VERSION", "3.3.1")
DAG = "refresh_codeartifact_index_url"
# The entry in Airflow 2's menu, and in Airflow 3's navigation, which cuts longer names.
NAME = "CodeArtifact index-url" if VERSION.startswith("2.") else "index-url"
Scheme = Literal["light", "dark"]
# Airflow's first page may take long on a busy machine.
_PATIENCE_MILLISECONDS = 60_000


@dataclass(frozen=True)
class Look:
    """A window in which the page is viewed.

    :param width: of the window, in pixels.
    :param scheme: light or dark.
    """

    width: int
    scheme: Scheme


LOOKS = [Look(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


class Users:
    """Users of the page, each look with a browser profile of its own."""

    def __init__(self, chromium: Browser, deployment: Deployment) -> None:
        self._chromium, self._contexts = chromium, ExitStack()
        self._logged_in: dict[Look, BrowserContext] = {}
        airflow = deployment.running
        self.url, self._user, self._password = airflow.url, airflow.user, airflow.password

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._contexts.close()

    def open_anonymously(self, look: Look) -> Page:
        """Open a window without a login."""
        return self._context(look).new_page()

    def open_logged_in(self, look: Look) -> Page:
        """Open a window on Airflow's home page, logged in by the form; once per look, because Airflow limits logins."""
        if look not in self._logged_in:
            context = self._logged_in[look] = self._context(look)
            self._log_in(context.new_page())
        page = self._logged_in[look].new_page()
        page.goto(self.url)
        return page

    def _context(self, look: Look) -> BrowserContext:
        context = self._chromium.new_context(
            viewport={"width": look.width, "height": 900}, color_scheme=look.scheme, reduced_motion="reduce"
        )
        context.set_default_timeout(_PATIENCE_MILLISECONDS)
        self._contexts.callback(context.close)
        return context

    def _log_in(self, page: Page) -> None:
        page.goto(f"{self.url}/login/" if VERSION.startswith("2.") else f"{self.url}/auth/login/")
        page.fill("#username", self._user)
        page.fill("#password", self._password)
        page.press("#password", "Enter")
        page.wait_for_url(re.compile(r".*(/home|:\d+/)$"))
        page.close()


def find_by_navigation(page: Page, url: str) -> Page | FrameLocator:
    """Open the status page as this Airflow version offers it; return the frame that contains it."""
    if VERSION.startswith("2."):
        page.get_by_role("link", name="Browse").click()
        page.get_by_role("link", name=NAME).click()
        return page
    if VERSION.startswith("3.0."):
        page.goto(f"{url}/dags/{DAG}")
        page.get_by_role("button", name="Dag Docs").click()
        page.get_by_role("link", name="status page").click()
        return page
    page.get_by_role("link", name=NAME).or_(page.get_by_role("button", name="Plugins")).first.click()
    if not page.locator("iframe").count():
        page.get_by_role("menuitem", name=NAME).or_(page.get_by_role("link", name=NAME)).first.click()
    return page.frame_locator("iframe")


def wait_for_verdict(page: Page, verdict: str, seconds: float) -> None:
    """Reload until the page shows the verdict; it uses a response of S3 for five seconds."""
    deadline = time.monotonic() + seconds
    while True:
        page.reload()
        found = page.locator("[data-verdict]")
        found.wait_for()
        if found.get_attribute("data-verdict") == verdict or time.monotonic() > deadline:
            assert found.inner_text() == verdict
            return
        time.sleep(1)


def picture(page: Page, name: str, look: Look) -> None:
    """Take a screenshot, if a folder for pictures is set."""
    if folder := os.environ.get("SCREENSHOTS"):
        path = Path(folder) / f"status-page-{name}-{look.width}-{look.scheme}.png"
        page.screenshot(path=path, full_page=True, animations="disabled")
