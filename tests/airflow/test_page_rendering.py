"""The page and its JSON in this process: what they tell when things are not as they should be, and what they cost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from mwaa_codeartifact.core.timeline import Span
from mwaa_codeartifact.ui import picture, render
from tests.airflow.support import KEY, OWNER

if TYPE_CHECKING:
    from tests.airflow.support import Aws, CannedAws

NOW = datetime(2030, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Text(HTMLParser):
    """Keep what a person reads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@pytest.mark.usefixtures("configured")
def test_an_s3_that_is_broken_is_one_sentence_and_503_to_monitors(
    canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    canned_aws.default = (403, {})
    page, monitors = render.facts(), render.status_json()
    assert page.status == 200
    assert "unknown" in Text(page.body).texts
    assert "access denied: allow s3:GetObject and, on the bucket, s3:ListBucket in the role's policy" in " ".join(
        Text(page.body).texts
    )
    assert "Traceback" not in page.body
    assert monitors.status == 503
    (target,) = json.loads(monitors.body)["targets"]
    assert (target["verdict"], target["remaining_seconds"], target["timeline"]) == ("unknown", None, [])


@pytest.mark.usefixtures("database")
def test_settings_that_are_missing_are_named() -> None:
    text = " ".join(Text(render.page().body).texts)
    assert "Could not read the settings (5 to mend): [codeartifact] domain is not set" in text
    assert "No index-url file is configured" in text
    assert render.status_json().status == 503


@pytest.mark.usefixtures("configured")
def test_whatever_else_fails_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no address at all")
    text = " ".join(Text(render.facts().body).texts)
    assert "The status could not be asked for (ValueError): the web server's log says more." in text


@pytest.mark.usefixtures("configured")
def test_a_database_without_the_dag_is_told() -> None:
    assert "Airflow has no DAG refresh_codeartifact_index_url" in render.facts().body
    dag = json.loads(render.status_json().body)["dag"]
    assert (dag["is_paused"], dag["next_run_at"]) == (None, None)


@pytest.mark.usefixtures("configured")
def test_a_hundred_open_pages_cost_two_calls(canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    canned_aws.default = (404, {})
    with ThreadPoolExecutor(20) as people:
        pages = list(people.map(lambda _: render.facts().body, range(100)))
    assert all("There is no index-url file" in page for page in pages)
    assert [request.partition(" ")[0] for request in canned_aws.asked()] == ["HEAD", "GET"]


def test_what_an_object_says_of_itself_is_no_html(aws: Aws, bucket: str, configured: str) -> None:
    assert configured
    far = (datetime.now(UTC) + HOUR).isoformat()
    aws.s3.put_object(
        Bucket=bucket,
        Key=KEY,
        Body=b"",
        Metadata={
            "token-expires-at": far,
            "refreshed-at": far,
            "refreshed-by": "<script>alert(1)</script>",
            "token-fingerprint": "<b>",
            "repository": f'"><i>{OWNER}',
        },
    )
    body = render.facts().body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body
    assert not [tag for tag in ("<script", "<b>", "<i>") if tag in body]


@pytest.mark.usefixtures("configured")
def test_the_page_holds_together_without_its_script(aws: Aws, bucket: str) -> None:
    aws.put_line(bucket, life=timedelta(hours=11.5))
    page = render.page(home="../").body
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in page
    assert '<html lang="en">' in page
    texts = Text(page).texts
    assert "11 h 29 min" in " ".join(texts) or "11 h 30 min" in " ".join(texts)
    assert {"falling back", "The last two days", "The timeline as a table", "lambda"} <= set(texts)


def span(kind: str, begin: float, end: float, by: str | None = None) -> Span:
    return Span(
        kind=kind,  # type: ignore[arg-type]
        begins_at=NOW + begin * HOUR,
        ends_at=NOW + end * HOUR,
        reason="",
        refreshed_by=by,
    )


def test_the_picture_places_each_span_and_what_the_line_has_left() -> None:
    drawn = picture.bars(
        [
            span("no record", -48, -24),
            span("line", -24, -12, "lambda"),
            span("gap", -12, -6),
            span("line", -6, 6, "dag"),
        ],
        NOW,
    )
    assert [(bar.look, bar.x, bar.width, bar.is_future) for bar in drawn] == [
        ("no-record", 0, 400, False),
        ("lambda", 400, 200, False),
        ("gap", 600, 100, False),
        ("dag", 700, 100, False),
        ("dag", 800, 100, True),
    ]
    assert picture.look(span("line", 0, 1, "somebody else")) == "other"
