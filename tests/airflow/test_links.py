"""The addresses of a task's links; test_page.py checks that Airflow shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.links import IndexUrlFileLink, RepositoryLink, StatusPageLink
from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor
from tests.airflow.support import section

if TYPE_CHECKING:
    from collections.abc import Callable


def task(**settings: Any) -> Any:
    whole = {
        "domain": "demo",
        "domain_owner": "123456789012",
        "repository": "python.stable",
        "region_name": "eu-west-1",
        "destination": "s3://bucket/dags/codeartifact.txt",
    }
    return CodeArtifactRefreshIndexUrlOperator(task_id="refresh", **whole | settings)


def link(kind: Callable[[], Any], task: Any) -> Any:
    return kind().get_link(task, ti_key=None)


@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("eu-west-1", "console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_a_console_of_its_own(region: str, console: str) -> None:
    here = task(region_name=region)
    assert link(RepositoryLink, here) == (
        f"https://{console}/codesuite/codeartifact/d/123456789012/demo/r/python.stable?region={region}"
    )
    found = urlsplit(link(IndexUrlFileLink, here))
    assert (found.netloc, found.path) == (console, "/s3/object/bucket")
    assert parse_qs(found.query) == {"region": [region], "prefix": ["dags/codeartifact.txt"]}


def test_settings_that_the_task_does_not_have_come_from_the_section(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in section("s3://configured/dags/codeartifact.txt").items():
        monkeypatch.setenv(name, value)
    bare = CodeArtifactRefreshIndexUrlOperator(task_id="refresh")
    assert "/d/123456789012/demo/r/python?region=eu-west-1" in link(RepositoryLink, bare)
    assert "/s3/object/configured?" in link(IndexUrlFileLink, bare)


def test_a_file_outside_aws_and_settings_that_are_missing_have_no_link() -> None:
    assert link(IndexUrlFileLink, task(destination="file:///tmp/codeartifact.txt")) == ""
    bare = CodeArtifactRefreshIndexUrlOperator(task_id="refresh")
    assert link(RepositoryLink, bare) == ""
    assert link(IndexUrlFileLink, bare) == ""


def test_a_link_never_fails_the_task_that_it_belongs_to() -> None:
    assert link(RepositoryLink, task(destination="s3://[/")) != ""
    assert link(IndexUrlFileLink, task(destination="s3://[/")) == ""


def test_operator_and_sensor_have_all_three_links() -> None:
    for kind in (CodeArtifactRefreshIndexUrlOperator, CodeArtifactIndexUrlFreshSensor):
        assert [type(link) for link in kind.operator_extra_links] == [RepositoryLink, IndexUrlFileLink, StatusPageLink]
    assert link(StatusPageLink, task()) == "/codeartifact/"


@pytest.mark.skipif(
    bool(find_spec("airflow.sdk")), reason="Airflow 3 makes links in the task, with its templates rendered"
)
@pytest.mark.usefixtures("database")
def test_with_unrendered_templates_the_link_is_read_from_the_tasks_result() -> None:
    models: Any = import_module("airflow.models")
    with DAG("links", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)):
        templated = task(domain="{{ params.domain }}")
    key = import_module("airflow.models.taskinstancekey").TaskInstanceKey("links", "refresh", "a-run", 1, -1)
    with import_module("airflow.utils.session").create_session() as session:
        session.add(models.DagRun("links", "a-run", execution_date=datetime.now(UTC), run_type="manual"))
        session.flush()
        session.add(models.TaskInstance(templated, run_id="a-run"))
        session.flush()
        facts = {"repository": "eu-west-2/210987654321/do/re"}
        result = {"destination": "s3://rendered/dags/codeartifact.txt", "facts": facts}
        names = {"dag_id": "links", "task_id": "refresh", "run_id": "a-run"}
        models.XCom.set(key="return_value", value=result, **names, session=session)
    assert RepositoryLink().get_link(templated, ti_key=key).endswith("/d/210987654321/do/r/re?region=eu-west-2")
    assert "/s3/object/rendered?" in IndexUrlFileLink().get_link(templated, ti_key=key)
