"""The page and its JSON in this process: their content when something is wrong, and their cost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.dag import DagModel
from airflow.utils.session import create_session
from sqlalchemy import event

from mwaa_codeartifact import __version__
from mwaa_codeartifact.settings import REFRESH_DAG
from mwaa_codeartifact.status.timeline import Span
from mwaa_codeartifact.ui import picture, render
from tests.airflow.support import KEY, OWNER
from tests.plugins.mwaa_codeartifact.status.documented_states import documented_states

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.airflow.support import CannedAws, ServedAws

NOW = datetime(2030, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Text(HTMLParser):
    """A parser that collects the visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def state_for_monitors() -> str:
    """Return the name of the state, and check the response against its row in docs/status-page.md."""
    response = render.status_json()
    (target,) = json.loads(response.body)["targets"]
    row = documented_states()[target["reason"]]
    assert (target["verdict"], response.status) == (row.verdict, row.monitors_get)
    assert (target["dag_keeps_it"], row.dag_keeps_it) == (None, "not known")
    return str(target["reason"])


@pytest.mark.usefixtures("configured")
def test_a_failing_s3_is_one_sentence_and_503_to_monitors(
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
    assert state_for_monitors() == "destination not reached"
    (target,) = json.loads(monitors.body)["targets"]
    assert (target["verdict"], target["remaining_seconds"], target["timeline"]) == ("unknown", None, [])


@pytest.mark.usefixtures("database")
def test_settings_that_are_missing_are_named() -> None:
    text = " ".join(Text(render.page().body).texts)
    assert "Could not read the settings (5 problems): [codeartifact] domain is not set" in text
    assert "No index-url file is configured" in text
    assert state_for_monitors() == "settings missing"


@pytest.mark.usefixtures("configured")
def test_any_other_failure_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no address at all")
    text = " ".join(Text(render.facts().body).texts)
    assert "The status could not be read (ValueError): see the web server's log." in text
    assert state_for_monitors() == "internal error"


@pytest.mark.usefixtures("configured")
def test_a_database_without_the_dag_is_shown() -> None:
    text = " ".join(Text(render.facts().body).texts)
    assert "Airflow has no refresh DAG: check that its file is in dags/ and has no import error." in text
    assert "none : Airflow has no DAG refresh_codeartifact_index_url" in text
    assert json.loads(render.status_json().body)["dag"]["exists"] is False
    assert json.loads(render.status_json().body)["version"] == __version__
    assert f"mwaa-codeartifact {__version__}." in render.page().body


@pytest.mark.usefixtures("configured")
def test_without_the_database_the_verdict_depends_on_the_line_only(
    aws: ServedAws, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ConnectionError

    monkeypatch.setattr("airflow.utils.session.create_session", fail)
    aws.put_line(bucket, lifetime=timedelta(hours=11.5))
    page, monitors = " ".join(Text(render.facts().body).texts), json.loads(render.status_json().body)
    assert "Airflow's database could not be read (ConnectionError)." in page
    assert "and the state of the DAG is not known here" in page
    (target,) = monitors["targets"]
    assert (target["verdict"], target["reason"]) == ("falling back", "refreshed by another")
    assert target["dag_keeps_it"] is None
    problem = "Airflow's database could not be read (ConnectionError)."
    assert monitors["dag"] == {"dag_id": REFRESH_DAG, "problem": problem}


@pytest.fixture
def first_run(database: Path) -> Iterator[None]:
    """Add the DAG and its first run, which is under way, to Airflow's database."""
    assert database.exists()
    now = datetime.now(UTC)
    rows: list[tuple[str, dict[str, object]]] = [
        # Each version of Airflow has some of these columns.
        ("dag_bundle", {"name": "dags-folder", "active": True}),
        (
            "dag",
            {
                "dag_id": REFRESH_DAG,
                "is_paused": False,
                "is_active": True,
                "is_stale": False,
                "bundle_name": "dags-folder",
                "max_active_tasks": 1,
                "max_consecutive_failed_dag_runs": 0,
                "has_task_concurrency_limits": False,
            },
        ),
        (
            "dag_run",
            {"dag_id": REFRESH_DAG, "run_id": "1", "run_type": "manual", "state": "queued", "queued_at": now}
            | {"logical_date": now, "execution_date": now, "run_after": now, "clear_number": 0},
        ),
    ]
    tables = DagModel.metadata.tables
    with create_session() as session:
        for table, values in rows:
            if table in tables:
                given = {name: value for name, value in values.items() if name in tables[table].columns}
                session.execute(tables[table].insert().values(given))
    yield
    with create_session() as session:
        for table in ("dag_run", "dag"):
            session.execute(tables[table].delete())


@pytest.mark.usefixtures("configured", "first_run")
def test_the_database_gets_three_short_queries_that_use_an_index(aws: ServedAws, bucket: str) -> None:
    aws.put_line(bucket, lifetime=timedelta(hours=11.5))
    queries: list[tuple[str, Any]] = []

    def record(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        queries.append((statement, parameters))

    with create_session() as session:
        engine: Any = session.get_bind()
    event.listen(engine, "before_cursor_execute", record)
    body = render.status_json().body
    event.remove(engine, "before_cursor_execute", record)
    assert json.loads(body)["targets"][0]["reason"] == "first run to come"
    assert [statement.partition("FROM ")[2].split()[0] for statement, _ in queries] == [
        "dag",
        "dag_run",
        "task_instance",
    ]
    with engine.connect() as connection:
        plans = [
            row[-1]
            for statement, parameters in queries
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert [plan for plan in plans if plan.startswith("SCAN") and plan != "SCAN CONSTANT ROW"] == []


@pytest.mark.usefixtures("configured")
def test_a_hundred_open_pages_cost_two_calls(canned_aws: CannedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
    canned_aws.default = (404, {})
    with ThreadPoolExecutor(20) as users:
        pages = list(users.map(lambda _: render.facts().body, range(100)))
    assert all("There is no index-url file" in page for page in pages)
    assert [request.partition(" ")[0] for request in canned_aws.calls()] == ["HEAD", "GET"]


def test_an_objects_metadata_is_escaped(aws: ServedAws, bucket: str, configured: str) -> None:
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
def test_the_page_works_without_its_script(aws: ServedAws, bucket: str) -> None:
    aws.put_line(bucket, lifetime=timedelta(hours=11.5))
    page = render.page(home="../").body
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in page
    assert '<html lang="en">' in page
    texts = Text(page).texts
    assert "11 h 29 min" in " ".join(texts) or "11 h 30 min" in " ".join(texts)
    assert {"falling back", "The last two days", "The timeline as a table", "lambda"} <= set(texts)


class Landmarks(HTMLParser):
    """A parser that collects the accessible name of every landmark, as the ids of its labels."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section" or given.get("role") == "region":
            self.names.append(given.get("aria-labelledby"))


@pytest.mark.usefixtures("configured")
def test_no_two_landmarks_share_a_name(aws: ServedAws, bucket: str) -> None:
    aws.put_line(bucket, lifetime=timedelta(hours=11.5))
    names = Landmarks(render.facts().body).names
    assert len(names) == len(set(names)) == 2


def span(kind: str, begin: float, end: float, by: str | None = None) -> Span:
    return Span(
        kind=kind,  # type: ignore[arg-type]
        begins_at=NOW + begin * HOUR,
        ends_at=NOW + end * HOUR,
        reason="",
        refreshed_by=by,
    )


def test_the_picture_places_each_span_and_the_remaining_lifetime() -> None:
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
