"""The status page and its JSON, from a real web server over HTTP: who gets what, and how people find it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests

from tests.airflow.support import DOMAIN, OWNER, REGION, REPOSITORY, section
from tests.airflow.web_server import MAJOR, READS_COOKIES, Browser, WebServer, prepare, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.airflow.support import AirflowHome, Aws

pytestmark = pytest.mark.long

BUCKET = "status-page"
DAG = "refresh_codeartifact_index_url"
PAGE, FACTS, JSON = "/codeartifact/", "/codeartifact/facts", "/codeartifact/status.json"
# On Airflow 3.0 the page itself has no fact in it.
WITH_FACTS = [PAGE, FACTS, JSON] if READS_COOKIES else [FACTS, JSON]
SECRETS = (BUCKET, "0123456789ab", OWNER, f"{DOMAIN}/{REPOSITORY}", "falling back", "lambda")


@pytest.fixture(scope="module")
def home(aws: Aws, airflow_home: Callable[[], AirflowHome]) -> AirflowHome:
    """Prepare an Airflow in which the refresh DAG has run once."""
    home = airflow_home()
    prepare(home, aws.environ | section(aws.bucket(BUCKET)), DAG)
    return home


@pytest.fixture(scope="module")
def server(home: AirflowHome, aws: Aws) -> Iterator[WebServer]:
    """Serve a line that the Lambda has refreshed after the DAG."""
    time.sleep(1)  # facts are kept to the second
    aws.put_line(BUCKET, life=timedelta(hours=11.5))
    with served(home, aws.environ | section(f"s3://{BUCKET}/dags/codeartifact.txt")) as server:
        yield server


@pytest.fixture(scope="module")
def viewer(server: WebServer) -> Browser:
    return server.browser("viewer")


@pytest.mark.parametrize("path", [PAGE, FACTS, JSON])
def test_without_login_no_fact_leaks(path: str, server: WebServer) -> None:
    answer = server.anonymous().get(path)
    if MAJOR == 2:
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/login/")
    else:
        assert answer.status_code == (401 if path in WITH_FACTS else 200)
    told = re.sub("<style>.*</style>", "", answer.text, flags=re.DOTALL)
    assert not [secret for secret in SECRETS if secret in told]


@pytest.mark.parametrize("path", WITH_FACTS)
def test_who_may_not_see_the_refresh_dag_gets_403_and_no_fact(path: str, server: WebServer) -> None:
    answer = server.browser("nobody").get(path)
    assert answer.status_code == 403
    assert not [secret for secret in SECRETS if secret in answer.text]


@pytest.mark.parametrize("path", WITH_FACTS)
@pytest.mark.parametrize("user", ["admin", "viewer"])
def test_who_may_see_the_refresh_dag_sees_the_facts(path: str, user: str, server: WebServer) -> None:
    answer = server.browser(user).get(path)
    assert answer.status_code == 200
    assert not [fact for fact in SECRETS if fact not in answer.text]


@pytest.mark.skipif(MAJOR == 2, reason="Airflow 2 has sessions")
def test_a_token_that_is_none_is_refused(server: WebServer) -> None:
    for path in WITH_FACTS:
        assert server.anonymous().get(path, Authorization="Bearer nonsense").status_code in {401, 403}


@pytest.mark.skipif(MAJOR == 2, reason="Airflow 2 has sessions")
def test_the_cookie_of_airflows_own_pages_opens_it_where_airflow_reads_that(server: WebServer) -> None:
    answer = server.anonymous().get(FACTS, Cookie=f"_token={server.token('viewer')}")
    assert answer.status_code == (200 if READS_COOKIES else 401)


def test_the_page_tells_who_refreshed_when_and_when_the_dag_runs_next(viewer: Browser) -> None:
    text = viewer.get(FACTS).text
    assert '<p class="verdict falling-back" data-verdict="falling back">falling back</p>' in text
    assert re.search(r'data-remaining="41\d\d\d">11 h \d\d min \d\d s<', text)
    assert "by <strong>lambda</strong>" in text
    next_run = datetime.now(UTC).replace(minute=0, second=0) + timedelta(hours=1)
    assert any(f"{run:%Y-%m-%d %H:00:00} UTC" in text for run in (next_run, next_run - timedelta(hours=1)))
    assert '<rect class="lambda future"' in text
    assert '<rect class="no-record"' in text


def pause(home: AirflowHome, is_paused: int) -> None:
    with closing(sqlite3.connect(home.path / "airflow.db", timeout=30)) as database, database:
        database.execute("UPDATE dag SET is_paused = ? WHERE dag_id = ?", (is_paused, DAG))


def test_a_paused_dag_is_told(home: AirflowHome, viewer: Browser) -> None:
    pause(home, 1)
    assert "<strong>none, the DAG is paused</strong>" in viewer.get(FACTS).text
    assert viewer.get(JSON).json()["dag"]["is_paused"] is True
    pause(home, 0)
    assert viewer.get(JSON).json()["dag"]["is_paused"] is False


def test_the_page_loads_nothing_from_elsewhere_and_runs_only_its_own_script(server: WebServer, viewer: Browser) -> None:
    answer = (viewer if READS_COOKIES else server.anonymous()).get(PAGE)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "//" not in re.sub(r'"use strict".*</script>', "", answer.text, flags=re.DOTALL).replace("s3://", "")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for element in ("style", "script"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}';" in policy
    assert " style=" not in answer.text
    assert not re.search(r" on\w+=", answer.text)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.skipif(MAJOR != 2, reason="Airflow 3 has another navigation")
def test_airflow_2_has_a_menu_entry(server: WebServer) -> None:
    home = requests.Session.get(server.browser("admin").session, f"{server.url}/home", timeout=30).text
    assert re.search(r'href="/codeartifact/"[^>]*>\s*CodeArtifact index-url', home)


@pytest.mark.skipif(MAJOR == 2 or not READS_COOKIES, reason="since Airflow 3.1")
def test_airflow_3_has_an_entry_in_its_navigation_and_on_the_pages_of_dags(server: WebServer) -> None:
    (plugin,) = server.browser("admin").get("/api/v2/plugins").json()["plugins"]
    assert [(view["destination"], view["href"]) for view in plugin["external_views"]] == [("nav", PAGE), ("dag", PAGE)]


def test_the_dags_own_documentation_leads_to_the_page(home: AirflowHome) -> None:
    ((data,),) = home.query("SELECT data FROM serialized_dag WHERE dag_id = ?", DAG)
    assert f"[status page]({PAGE})" in json.loads(data)["dag"]["doc_md"]


def test_the_task_leads_to_the_repository_to_the_object_and_to_the_page(viewer: Browser) -> None:
    runs = f"/api/v{1 if MAJOR == 2 else 2}/dags/{DAG}/dagRuns"
    (run,) = viewer.get(runs).json()["dag_runs"]
    answer = viewer.get(f"{runs}/{quote(run['dag_run_id'])}/taskInstances/refresh_index_url/links").json()
    console = "https://console.aws.amazon.com"
    repository = f"d/{OWNER}/{DOMAIN}/r/{REPOSITORY}"
    assert answer.get("extra_links", answer) == {
        "CodeArtifact repository": f"{console}/codesuite/codeartifact/{repository}?region={REGION}",
        "index-url file in S3": f"{console}/s3/object/{BUCKET}?region={REGION}&prefix=dags%2Fcodeartifact.txt",
        "index-url status": PAGE,
    }


def test_the_tasks_log_tells_in_one_line_what_happened(home: AirflowHome) -> None:
    logs = "".join(path.read_text() for path in (home.path / "logs").rglob("attempt=*.log"))
    facts = r"by dag, token [0-9a-f]{12} lives until \S+Z; seconds taken: \{'head': [\d.]+, 'mint'"
    assert re.search(rf"index-url s3://{BUCKET}/dags/codeartifact.txt published: {facts}", logs), logs


def test_monitors_get_the_same_as_json(viewer: Browser) -> None:
    answer = viewer.get(JSON)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    (target,) = answer.json()["targets"]
    assert (target["verdict"], target["destination"]) == ("falling back", f"s3://{BUCKET}/dags/codeartifact.txt")
    assert target["repository"] == f"{REGION}/{OWNER}/{DOMAIN}/{REPOSITORY}"
    assert 41_000 < target["remaining_seconds"] < 11.5 * 3600
    assert target["line"]["refreshed_by"] == "lambda"
    assert [(span["kind"], span["refreshed_by"]) for span in target["timeline"]] == [
        ("no record", None),
        ("line", "dag"),
        ("line", "lambda"),
    ]


def test_a_stale_line_is_503_to_monitors_and_a_page_to_people(aws: Aws, viewer: Browser) -> None:
    """Last, because it takes the line away for longer than an answer is kept."""
    aws.s3.delete_object(Bucket=BUCKET, Key="dags/codeartifact.txt")
    found = viewer.wait_for(JSON, lambda answer: answer.status_code == 503)
    assert found.json()["targets"][0]["verdict"] == "stale"
    page = viewer.get(FACTS)
    assert page.status_code == 200
    assert "There is no index-url file: pip cannot install with it" in page.text
    aws.put_line(BUCKET, life=timedelta(hours=11.5))
    viewer.wait_for(JSON, lambda answer: answer.status_code == 200)
