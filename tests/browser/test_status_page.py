"""The status page in a real browser: its place in Airflow's navigation, and its verdict when the refreshers stop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from infra.deploy.upload import INDEX_URL_KEY
from mwaa_codeartifact.core.index_url import format_time
from mwaa_codeartifact.core.policy import TOKEN_LIFETIME
from tests.browser.support import DAG, LOOKS, VERSION, Look, find_by_navigation, picture, wait_for_verdict

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from infra.local.demos.deployment import Deployment
    from tests.browser.support import Users

_DESK = Look(1280, "light")
_LIFE = timedelta(seconds=60)


def test_a_visitor_without_a_login_sees_no_fact(users: Users, deployment: Deployment) -> None:
    facts = deployment.index_url_facts()
    page = users.open_anonymously(_DESK)
    for path in ("/codeartifact/", "/codeartifact/facts", "/codeartifact/status.json"):
        page.goto(users.url + path)
        seen = page.content()
        assert facts["token-fingerprint"] not in seen
        assert deployment.bucket not in seen


def test_a_user_finds_the_page_and_sees_its_verdict_change(users: Users, deployment: Deployment) -> None:
    _publish_two_days(deployment)
    deployment.run_dag(DAG, min_remaining_hours=12)
    page = users.open_logged_in(_DESK)
    found = find_by_navigation(page, users.url)
    verdict = found.locator("[data-verdict]")
    verdict.wait_for()
    assert verdict.inner_text() == "alive"
    bars = [found.locator(f"rect.{look}") for look in ("dag", "lambda", "startup", "gap", "no-record")]
    assert [bar.count() > 0 for bar in bars] == [True] * len(bars)
    assert found.locator("[role=timer]").inner_text().startswith("11 h 5")
    picture(page, f"{VERSION}-in-airflow", _DESK)
    page.goto(f"{users.url}/codeartifact/")
    _expect_that_the_countdown_runs(page)
    _check_and_take_pictures(users, "alive")
    _read_the_json(page, users.url)
    deployment.pause(DAG, is_paused=True)
    wait_for_verdict(page, "at risk", seconds=20)
    assert "the refresh DAG is paused: unpause it." in page.content()
    _check_and_take_pictures(users, "at-risk")
    _stop_the_refreshers(deployment)
    wait_for_verdict(page, "falling back", seconds=20)
    _check_and_take_pictures(users, "falling-back")
    wait_for_verdict(page, "stale", seconds=_LIFE.total_seconds() + 20)
    assert "pip cannot install with it" in page.content()
    _check_and_take_pictures(users, "stale")
    deployment.make("refresh")
    wait_for_verdict(page, "falling back", seconds=20)


def _publish_two_days(deployment: Deployment) -> None:
    """Publish old versions: by the DAG hourly, then a night in which the Lambda and a startup script step in."""
    hours_ago = [(hours, "dag") for hours in range(45, 30, -1)]
    hours_ago += [(28, "lambda"), (25, "lambda"), (12, "startup")]  # the token of 25 hours ago expired 13 hours ago
    hours_ago += [(hours, "dag") for hours in range(10, 0, -1)]
    # A run of the DAG that finds one of the expired lines refreshes it, as it should; then no expired line is left.
    while not _put_lines(deployment, hours_ago):
        pass


def _put_lines(deployment: Deployment, hours_ago: list[tuple[int, str]]) -> bool:
    """Replace all versions by these lines; return whether no other line was published meanwhile."""
    s3, now = deployment.client("s3"), datetime.now(UTC)
    file = {"Bucket": deployment.bucket, "Key": INDEX_URL_KEY}
    current = s3.head_object(**file)["Metadata"]
    for version in s3.list_object_versions(Bucket=deployment.bucket, Prefix=INDEX_URL_KEY)["Versions"]:
        s3.delete_object(**file, VersionId=version["VersionId"])
    for hours, refresher in hours_ago:
        refreshed_at = now - timedelta(hours=hours)
        metadata = current | {
            "refreshed-at": format_time(refreshed_at),
            "refreshed-by": refresher,
            "token-expires-at": format_time(refreshed_at + TOKEN_LIFETIME),
        }
        s3.put_object(**file, Body=b"a line of the past", Metadata=metadata)
    return len(s3.list_object_versions(Bucket=deployment.bucket, Prefix=INDEX_URL_KEY)["Versions"]) == len(hours_ago)


def _expect_that_the_countdown_runs(page: Page) -> None:
    timer = page.locator("[role=timer]")
    expect(timer).not_to_have_text(timer.inner_text(), timeout=10_000)
    text = page.content()
    assert page.title().startswith("alive, ")
    assert "pip can install with it, and the DAG keeps it so" in text


def _read_the_json(page: Page, url: str) -> None:
    """Follow the page's own link, as a user with a login, and return to the page."""
    page.get_by_role("link", name="the same as JSON").click()
    expect(page.locator("pre").first).to_contain_text('"verdict": "alive"')
    page.goto(f"{url}/codeartifact/")


def _check_and_take_pictures(users: Users, name: str) -> None:
    """Check the page in every size and colour: nothing is wider than the window, and no script reports an error."""
    for look in LOOKS:
        page = users.open_logged_in(look)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))  # noqa: B023  (each page is closed in its own round)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)  # noqa: B023
        page.goto(f"{users.url}/codeartifact/")
        page.locator("[data-verdict]").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= look.width
        picture(page, f"{VERSION}-{name}", look)
        assert not errors
        page.close()


def _stop_the_refreshers(deployment: Deployment) -> None:
    """Replace the Lambda's last line by one that soon expires; the DAG is paused already."""
    codeartifact = deployment.server.codeartifact
    codeartifact.token_life_limit = _LIFE
    deployment.client("s3").delete_object(Bucket=deployment.bucket, Key=INDEX_URL_KEY)
    deployment.make("refresh")
    codeartifact.token_life_limit = None
