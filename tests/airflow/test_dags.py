from __future__ import annotations

import re
import socket
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.dagbag import DagBag
from airflow.utils.file import list_py_file_paths

from mwaa_codeartifact.core.policy import DAG_WITHOUT_SUCCESS, TOKEN_LIFETIME
from tests.airflow.support import ROOT, CannedAws, section
from tests.faults.durations import longest_refresh

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAGS = ROOT / "dags"
REFRESH = "refresh_codeartifact_index_url"
DESTINATION = "s3://bucket/dags/codeartifact.txt"


def parse() -> Any:
    return DagBag(dag_folder=str(DAGS))


def cron(timetable: Any) -> str:
    """Return a schedule's cron expression, which Airflow 3.1 has renamed."""
    return str(timetable.expression if hasattr(timetable, "expression") else timetable.summary)


@pytest.fixture
def refresh_dag(database: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    assert database.exists()  # a DAG bag reads pools from it
    for name, value in section(DESTINATION).items():
        monkeypatch.setenv(name, value)
    return parse().dags[REFRESH]


@pytest.fixture
def refresh_task(refresh_dag: Any) -> Any:
    (task,) = refresh_dag.tasks
    return task


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("settings", [{}, section(DESTINATION)], ids=["without settings", "with settings"])
def test_every_dag_is_found_without_an_import_error(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    bag = parse()
    assert bag.import_errors == {}
    files = {path.stem for path in DAGS.glob("*.py")}
    if not find_spec("airflow.sdk") and not find_spec("virtualenv"):
        files -= {"example_codeartifact_virtualenv"}  # Airflow 2 cannot run it
    assert set(bag.dags) == files


def test_safe_mode_discovers_every_dag_file() -> None:
    found = list_py_file_paths(DAGS, safe_mode=True)
    assert sorted(found) == sorted(str(path) for path in DAGS.glob("*.py"))


def test_the_dag_runs_hourly_one_run_at_a_time_without_catchup(refresh_dag: Any) -> None:
    assert cron(refresh_dag.timetable) in {"0 * * * *", "@hourly"}
    assert refresh_dag.max_active_runs == 1
    assert refresh_dag.catchup is False


def test_the_dag_is_not_paused_when_it_is_created(refresh_dag: Any) -> None:
    assert refresh_dag.is_paused_upon_creation is False


def test_the_task_is_retried_with_growing_delays(refresh_task: Any) -> None:
    assert refresh_task.retries == 4
    assert refresh_task.retry_exponential_backoff
    assert refresh_task.retry_delay == timedelta(minutes=1)
    assert refresh_task.max_retry_delay == timedelta(minutes=10)


def test_all_tries_of_a_run_end_before_the_status_page_misses_its_success(refresh_task: Any) -> None:
    tries = refresh_task.execution_timeout * (refresh_task.retries + 1)
    waits = refresh_task.max_retry_delay * refresh_task.retries
    assert tries + waits < DAG_WITHOUT_SUCCESS


def test_the_longest_possible_refresh_ends_before_the_timeout_of_the_task(refresh_task: Any) -> None:
    assert longest_refresh(conflicts=True) < refresh_task.execution_timeout.total_seconds()


def test_the_task_has_priority_over_all_other_tasks(refresh_task: Any) -> None:
    assert refresh_task.priority_weight > 1_000
    # Absolute: the weights of other tasks are not added.
    rule = refresh_task.weight_rule
    assert rule == "absolute" or type(rule).__name__ == "_AbsolutePriorityWeightStrategy"  # by name since Airflow 3.1


def test_the_outlet_of_the_task_is_the_index_url_file(refresh_task: Any) -> None:
    assert [outlet.uri for outlet in refresh_task.outlets] == [DESTINATION]


@pytest.mark.usefixtures("database")
def test_without_a_destination_the_task_has_no_outlet() -> None:
    (task,) = parse().dags[REFRESH].tasks
    assert task.outlets == []


def test_the_task_uses_the_environments_own_role(refresh_task: Any) -> None:
    assert refresh_task.aws_conn_id is None


def test_the_documentation_of_the_dag_contains_the_thresholds(refresh_dag: Any) -> None:
    text = " ".join(refresh_dag.doc_md.split())
    assert "If less than 11.5 of its 12 hours are left" in text
    assert "So 11 hours are always left" in text
    assert "the Lambda refresher takes over when fewer than 9 hours are left" in text


def test_the_documentation_of_the_dag_explains_how_to_refresh_at_once(refresh_dag: Any) -> None:
    (hours,) = re.findall(r"trigger the DAG with min_remaining_hours = (\d+)\.", refresh_dag.doc_md)
    parameter = refresh_dag.params.get_param("min_remaining_hours")
    assert timedelta(hours=parameter.resolve(int(hours))) == TOKEN_LIFETIME


def test_the_documentation_of_the_dag_contains_nothing_that_airflow_3_0_breaks(refresh_dag: Any) -> None:
    assert "`" not in refresh_dag.doc_md
    assert "|" not in refresh_dag.doc_md


def fail(task: Any, context: Any) -> str:
    """Execute the task and return the sentence with which it fails."""
    with pytest.raises(Exception, match="Could not ") as caught:
        task.execute(context)
    return str(caught.value)


def denied(aws: CannedAws, _: int) -> None:
    aws.default = (403, {"code": "AccessDeniedException", "message": "not authorized"})


def unknown(aws: CannedAws, _: int) -> None:
    aws.default = (404, {"code": "ResourceNotFoundException", "message": "unknown"})


def unreachable(aws: CannedAws, closed_port: int) -> None:
    aws.url = f"http://127.0.0.1:{closed_port}"


def silent(aws: CannedAws, closed_port: int) -> None:
    aws.default = (404, {})
    aws.respond_with_token("canary", verdict=200)
    aws.responses["/v1/repository/endpoint"] = (200, {"repositoryEndpoint": f"http://127.0.0.1:{closed_port}/"})


def rejecting(aws: CannedAws, _: int) -> None:
    aws.default = (404, {})
    aws.respond_with_token("canary", verdict=401)


@pytest.mark.parametrize(
    ("quoted", "fault"),
    [
        ("access denied: allow …", denied),
        ("not found", unknown),
        ("could not be reached", unreachable),
        ("no answer", silent),
        ("the repository rejects it", rejecting),
    ],
)
def test_the_documentation_of_the_dag_quotes_the_error_of_a_failed_task(
    quoted: str,
    fault: Callable[[CannedAws, int], None],
    refresh_dag: Any,
    canned_aws: CannedAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert f"*{quoted}*" in refresh_dag.doc_md
    (task,) = refresh_dag.tasks
    task.min_remaining_hours = 12
    task.botocore_config = {"retries": {"total_max_attempts": 1}}
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but no process listens
        fault(canned_aws, closed.getsockname()[1])
        monkeypatch.setenv("AWS_ENDPOINT_URL", canned_aws.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        assert quoted.removesuffix(" …") in fail(task, {})


def test_the_documentation_of_the_dag_quotes_the_error_of_missing_settings(
    refresh_dag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in section():
        monkeypatch.delenv(name)
    (task,) = refresh_dag.tasks
    task.min_remaining_hours = 12
    assert "*Could not read the settings*" in refresh_dag.doc_md
    assert fail(task, {}).startswith("Could not read the settings (5 problems): ")


@pytest.mark.parametrize("hours", [0, 0.5, 11, 12])
def test_a_run_accepts_hours_from_0_to_12(hours: float, refresh_dag: Any) -> None:
    parameter = refresh_dag.params.get_param("min_remaining_hours")
    assert parameter.resolve() == 11.5
    assert parameter.resolve(hours) == hours


@pytest.mark.parametrize("hours", [-1, 12.5, "12", None])
def test_a_run_refuses_other_hours(hours: object, refresh_dag: Any) -> None:
    parameter = refresh_dag.params.get_param("min_remaining_hours")
    with pytest.raises(Exception, match=r"is not of type 'number'|is less than the minimum|greater than the maximum"):
        parameter.resolve(hours)


def test_the_example_runs_only_when_it_is_triggered() -> None:
    example = parse().dags["example_codeartifact"]
    assert type(example.timetable).__name__ == "NullTimetable"
    assert example.catchup is False
