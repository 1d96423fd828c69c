"""The status page and its JSON, from a real web server over HTTP: access, content and links to it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin

import pytest
import requests

from infra.deploy.refresh_dag import refresh_dag
from tests.airflow.support import DOMAIN, OWNER, REGION, REPOSITORY, section
from tests.airflow.web_server import MAJOR, READS_COOKIES, Browser, WebServer, prepare, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.airflow.support import AirflowHome, ServedAws

pytestmark = pytest.mark.long

BUCKET = "status-page"
DAG = "refresh_codeartifact_index_url"
PAGE, FACTS, JSON = "/codeartifact/", "/codeartifact/facts", "/codeartifact/status.json"
# On Airflow 3.0 the page itself contains no facts.
WITH_FACTS = [PAGE, FACTS, JSON] if READS_COOKIES else [FACTS, JSON]
SECRETS = (BUCKET, "0123456789ab", OWNER, f"{DOMAIN}/{REPOSITORY}", "pip can install with it", "lambda")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def home(aws: ServedAws, airflow_home: Callable[[], AirflowHome]) -> AirflowHome:
    """Prepare an Airflow in which the refresh DAG has run once."""
    home = airflow_home()
    prepare(home, aws.environ | section(aws.bucket(BUCKET)), DAG)
    set_airflow_state(home)
    return home


def set_airflow_state(home: AirflowHome, **changes: object) -> None:
    """Write the state of the DAG and its one run: all is well except for the changes (TABLE__COLUMN=value)."""
    now = datetime.now(UTC)
    gone = {"dag__is_active": 1} if MAJOR == 2 else {"dag__is_stale": 0}
    well: dict[str, object] = {
        "dag__is_paused": 0,
        "dag__has_import_errors": 0,
        "dag__next_dagrun_create_after": now + HOUR,
        "dag_run__state": "success",
        "dag_run__end_date": now,
        "task_instance__state": "success",
        **gone,
    }
    with closing(sqlite3.connect(home.path / "airflow.db", timeout=30)) as database, database:
        for name, value in (well | changes).items():
            table, column = name.split("__", 1)
            stored = f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value
            database.execute(f"UPDATE {table} SET {column} = ? WHERE dag_id = ?", (stored, DAG))  # noqa: S608


@pytest.fixture(scope="module")
def server(home: AirflowHome, aws: ServedAws) -> Iterator[WebServer]:
    """Run the web server with a line that the Lambda has refreshed after the DAG."""
    time.sleep(1)  # facts are kept to the second
    aws.put_line(BUCKET, lifetime=timedelta(hours=11.5))
    with served(home, aws.environ | section(f"s3://{BUCKET}/dags/codeartifact.txt")) as server:
        yield server


@pytest.fixture(scope="module")
def viewer(server: WebServer) -> Browser:
    return server.browser("viewer")


@pytest.mark.parametrize("path", [PAGE, FACTS, JSON])
def test_without_login_no_fact_leaks(path: str, server: WebServer) -> None:
    response = server.anonymous().get(path)
    if MAJOR == 2:
        assert (response.status_code, response.headers["Location"].split("?")[0]) == (302, "/login/")
    else:
        assert response.status_code == (401 if path in WITH_FACTS else 200)
    text = re.sub("<style>.*</style>", "", response.text, flags=re.DOTALL)
    assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("path", WITH_FACTS)
def test_a_user_who_may_not_see_the_refresh_dag_gets_403_and_no_fact(path: str, server: WebServer) -> None:
    response = server.browser("nobody").get(path)
    assert response.status_code == 403
    assert not [secret for secret in SECRETS if secret in response.text]


@pytest.mark.parametrize("path", WITH_FACTS)
@pytest.mark.parametrize("user", ["admin", "viewer"])
def test_a_user_who_may_see_the_refresh_dag_sees_the_facts(path: str, user: str, server: WebServer) -> None:
    response = server.browser(user).get(path)
    assert response.status_code == 200
    assert not [fact for fact in SECRETS if fact not in response.text]


@pytest.mark.skipif(MAJOR == 2, reason="Airflow 2 has sessions")
def test_an_invalid_token_is_refused(server: WebServer) -> None:
    for path in WITH_FACTS:
        assert server.anonymous().get(path, Authorization="Bearer nonsense").status_code in {401, 403}


@pytest.mark.skipif(MAJOR == 2, reason="Airflow 2 has sessions")
def test_the_cookie_of_airflows_own_pages_opens_the_page_if_airflow_reads_cookies(server: WebServer) -> None:
    response = server.anonymous().get(FACTS, Cookie=f"_token={server.token('viewer')}")
    assert response.status_code == (200 if READS_COOKIES else 401)


def test_the_page_shows_refresher_time_and_next_run_of_the_dag(viewer: Browser) -> None:
    text = viewer.get(FACTS).text
    # Right after the bootstrap: the DAG has run, and the Lambda's line was fresh.
    assert '<p class="verdict alive" data-verdict="alive">alive</p>' in text
    assert "and the DAG keeps it so: nothing to do." in text
    assert re.search(r'data-remaining="41\d\d\d">11 h \d\d min \d\d s<', text)
    assert "by <strong>lambda</strong>" in text
    assert f"{datetime.now(UTC) + HOUR:%Y-%m-%d %H:}" in text
    assert '<rect class="lambda future"' in text
    assert '<rect class="no-record"' in text


AGO = {hours: datetime.now(UTC) - hours * HOUR for hours in (1, 3)}
GONE = {"dag__is_active": 0} if MAJOR == 2 else {"dag__is_stale": 1}
UNDER_WAY = {"dag_run__state": "running", "dag_run__end_date": None, "dag__next_dagrun_create_after": None}


@pytest.mark.parametrize(
    ("state", "verdict", "changes", "shown"),
    [
        ("gone", "falling back", GONE, "is gone from Airflow's list"),
        ("import error", "falling back", {"dag__has_import_errors": 1}, "file cannot be imported"),
        ("paused", "falling back", {"dag__is_paused": 1}, "<strong>none, the DAG is paused</strong>"),
        ("failed", "falling back", {"dag_run__state": "failed"}, "last run failed"),
        ("retrying", "falling back", UNDER_WAY | {"task_instance__state": "up_for_retry"}, "waits for its next try"),
        ("no success", "falling back", {"dag_run__end_date": AGO[3]}, "no run of the refresh DAG has succeeded since"),
        ("overdue", "falling back", {"dag__next_dagrun_create_after": AGO[1]}, "check that the scheduler is running"),
        (
            "not scheduled",
            "falling back",
            {"dag__next_dagrun_create_after": None, "dag_run__end_date": AGO[1]},
            "none is scheduled yet",
        ),
        ("first run to come", "alive", UNDER_WAY, "a run is under way, since"),
        ("kept", "alive", {"dag__next_dagrun_create_after": None}, "none is scheduled yet"),
        ("kept", "alive", {}, "nothing to do"),
    ],
)
def test_the_state_of_the_dag_decides_at_once(
    state: str, verdict: str, changes: dict[str, object], shown: str, home: AirflowHome, viewer: Browser
) -> None:
    set_airflow_state(home, **changes)
    response = viewer.get(JSON)
    page = viewer.get(FACTS).text
    set_airflow_state(home)
    (target,) = response.json()["targets"]
    assert (target["reason"], target["verdict"], response.status_code) == (state, verdict, 200)
    assert target["dag_keeps_it"] is (verdict == "alive")
    assert shown in html.unescape(page)


class ThroughMwaa:
    """A runner that forwards the AWS CLI's requests to Airflow's REST API, as MWAA does."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def call(self, *arguments: str) -> dict[str, Any]:
        assert arguments[:4] == ("mwaa", "invoke-rest-api", "--name", "name")
        given = dict(zip(arguments[4::2], arguments[5::2], strict=True))
        assert given["--method"] == "GET"
        query = urlencode(json.loads(given["--query-parameters"]))
        response = self._browser.get(f"/api/v{1 if MAJOR == 2 else 2}{given['--path']}?{query}")
        assert response.status_code == 200, response.text
        return {"RestApiStatusCode": 200, "RestApiResponse": response.json()}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"exists": True, "is_paused": False, "last_run_state": "success"}),
        ({"dag__is_paused": 1}, {"is_paused": True}),
        (GONE, {"exists": False}),
        ({"dag_run__state": "failed"}, {"last_run_state": "failed", "last_success_at": None}),
        (UNDER_WAY, {"last_run_state": None, "next_run_at": None}),
    ],
)
def test_make_status_reads_the_same_state_through_mwaa(
    changes: dict[str, object], expected: dict[str, object], home: AirflowHome, viewer: Browser
) -> None:
    set_airflow_state(home, **changes)
    through_mwaa, problem = refresh_dag(ThroughMwaa(viewer), "name")  # type: ignore[arg-type]
    on_the_page = viewer.get(JSON).json()["dag"]
    set_airflow_state(home)
    assert through_mwaa
    assert problem == ""
    found = through_mwaa.as_dict()
    assert {name: found[name] for name in expected} == expected
    if found["exists"]:  # a list of DAGs leaves out those that are gone
        assert found == {name: on_the_page[name] for name in found}


def test_the_page_loads_nothing_from_elsewhere_and_runs_only_its_own_script(server: WebServer, viewer: Browser) -> None:
    response = (viewer if READS_COOKIES else server.anonymous()).get(PAGE)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "//" not in re.sub(r'"use strict".*</script>', "", response.text, flags=re.DOTALL).replace("s3://", "")
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for element in ("style", "script"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}';" in policy
    assert " style=" not in response.text
    assert not re.search(r" on\w+=", response.text)
    assert response.headers["Cache-Control"] == "no-store"


def test_the_address_without_its_slash_redirects_to_the_page(server: WebServer, viewer: Browser) -> None:
    for browser in (server.anonymous(), viewer):
        response = browser.get("/codeartifact?a=b")
        assert response.status_code in {307, 308}
        assert urljoin(server.url + "/codeartifact", response.headers["Location"]) == f"{server.url}{PAGE}?a=b"
        assert not [secret for secret in SECRETS if secret in response.text]


@pytest.mark.skipif(READS_COOKIES, reason="Airflow 3.0 keeps its login where only a script can read it")
def test_the_script_shows_the_json_if_a_link_cannot(server: WebServer) -> None:
    page = server.anonymous().get(PAGE).text
    assert '<pre id="json"' in page


@pytest.mark.skipif(MAJOR != 2, reason="Airflow 3 has another navigation")
def test_airflow_2_has_a_menu_entry(server: WebServer) -> None:
    home = requests.Session.get(server.browser("admin").session, f"{server.url}/home", timeout=30).text
    assert re.search(r'href="/codeartifact/"[^>]*>\s*CodeArtifact index-url', home)


@pytest.mark.skipif(MAJOR == 2 or not READS_COOKIES, reason="since Airflow 3.1")
def test_airflow_3_has_an_entry_in_its_navigation_and_on_the_pages_of_dags(server: WebServer) -> None:
    (plugin,) = server.browser("admin").get("/api/v2/plugins").json()["plugins"]
    assert [(view["destination"], view["href"]) for view in plugin["external_views"]] == [("nav", PAGE), ("dag", PAGE)]


def test_the_documentation_of_the_dag_links_to_the_page(home: AirflowHome) -> None:
    ((data,),) = home.query("SELECT data FROM serialized_dag WHERE dag_id = ?", DAG)
    assert f"[status page]({PAGE})" in json.loads(data)["dag"]["doc_md"]


def test_the_task_has_links_to_the_repository_the_object_and_the_page(viewer: Browser) -> None:
    runs = f"/api/v{1 if MAJOR == 2 else 2}/dags/{DAG}/dagRuns"
    (run,) = viewer.get(runs).json()["dag_runs"]
    response = viewer.get(f"{runs}/{quote(run['dag_run_id'])}/taskInstances/refresh_index_url/links").json()
    console = "https://console.aws.amazon.com"
    repository = f"d/{OWNER}/{DOMAIN}/r/{REPOSITORY}"
    assert response.get("extra_links", response) == {
        "CodeArtifact repository": f"{console}/codesuite/codeartifact/{repository}?region={REGION}",
        "index-url file in S3": f"{console}/s3/object/{BUCKET}?region={REGION}&prefix=dags%2Fcodeartifact.txt",
        "index-url status": PAGE,
    }


def test_the_tasks_log_has_the_result_in_one_line(home: AirflowHome) -> None:
    logs = "".join(path.read_text() for path in (home.path / "logs").rglob("attempt=*.log"))
    facts = r"by dag, token [0-9a-f]{12} is valid until \S+Z; seconds taken: \{'head': [\d.]+, 'mint'"
    assert re.search(rf"index-url s3://{BUCKET}/dags/codeartifact.txt published: {facts}", logs), logs


def test_monitors_get_the_same_as_json(viewer: Browser) -> None:
    response = viewer.get(JSON)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    (target,) = response.json()["targets"]
    assert (target["verdict"], target["destination"]) == ("alive", f"s3://{BUCKET}/dags/codeartifact.txt")
    assert target["repository"] == f"{REGION}/{OWNER}/{DOMAIN}/{REPOSITORY}"
    assert 41_000 < target["remaining_seconds"] < 11.5 * 3600
    assert target["line"]["refreshed_by"] == "lambda"
    assert [(span["kind"], span["refreshed_by"]) for span in target["timeline"]] == [
        ("no record", None),
        ("line", "dag"),
        ("line", "lambda"),
    ]


def test_a_stale_line_is_503_to_monitors_and_a_page_to_users(aws: ServedAws, viewer: Browser) -> None:
    # This test is the last, because it deletes the line for longer than the page uses a response.
    aws.s3.delete_object(Bucket=BUCKET, Key="dags/codeartifact.txt")
    found = viewer.wait_for(JSON, lambda response: response.status_code == 503)
    assert found.json()["targets"][0]["verdict"] == "stale"
    page = viewer.get(FACTS)
    assert page.status_code == 200
    assert "There is no index-url file: pip cannot install with it" in page.text
    aws.put_line(BUCKET, lifetime=timedelta(hours=11.5))
    viewer.wait_for(JSON, lambda response: response.status_code == 200)
