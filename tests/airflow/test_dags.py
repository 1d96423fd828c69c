from __future__ import annotations

from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.dagbag import DagBag
from airflow.utils.file import list_py_file_paths

from tests.airflow.support import ROOT, section
from tests.faults.durations import longest_refresh

if TYPE_CHECKING:
    from pathlib import Path

DAGS = ROOT / "dags"
REFRESH = "refresh_codeartifact_index_url"
DESTINATION = "s3://bucket/dags/codeartifact.txt"


def parse() -> Any:
    return DagBag(dag_folder=str(DAGS))


def cron(timetable: Any) -> str:
    """Give a schedule's cron expression, which Airflow 3.1 has renamed."""
    return str(timetable.expression if hasattr(timetable, "expression") else timetable.summary)


@pytest.fixture
def refresh_dag(database: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    assert database.exists()  # a DAG bag asks it for pools
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


def test_it_runs_hourly_one_run_at_a_time_and_makes_up_for_nothing(refresh_dag: Any) -> None:
    assert cron(refresh_dag.timetable) in {"0 * * * *", "@hourly"}
    assert refresh_dag.max_active_runs == 1
    assert refresh_dag.catchup is False


def test_it_is_not_paused_when_it_is_created(refresh_dag: Any) -> None:
    assert refresh_dag.is_paused_upon_creation is False


def test_it_is_tried_again_for_longer_and_longer(refresh_task: Any) -> None:
    assert refresh_task.retries == 4
    assert refresh_task.retry_exponential_backoff
    assert refresh_task.retry_delay == timedelta(minutes=1)
    assert refresh_task.max_retry_delay == timedelta(minutes=10)


def test_all_tries_fit_between_two_runs(refresh_task: Any) -> None:
    longest = refresh_task.execution_timeout * (refresh_task.retries + 1)
    waits = refresh_task.max_retry_delay * refresh_task.retries
    assert longest + waits <= timedelta(hours=2)
    assert refresh_task.execution_timeout == timedelta(minutes=10)


def test_at_worst_a_refresh_with_every_attempt_to_publish_ends_before_the_operator_does(refresh_task: Any) -> None:
    assert longest_refresh(conflicts=True) < refresh_task.execution_timeout.total_seconds()


def test_it_goes_before_all_other_tasks(refresh_task: Any) -> None:
    assert refresh_task.priority_weight > 1_000
    # Absolute: the weight counts as it is, and is not summed up over other tasks.
    rule = refresh_task.weight_rule
    assert rule == "absolute" or type(rule).__name__ == "_AbsolutePriorityWeightStrategy"  # by name since Airflow 3.1


def test_its_outlet_is_the_index_url_file(refresh_task: Any) -> None:
    assert [outlet.uri for outlet in refresh_task.outlets] == [DESTINATION]


@pytest.mark.usefixtures("database")
def test_without_a_destination_it_has_no_outlet() -> None:
    (task,) = parse().dags[REFRESH].tasks
    assert task.outlets == []


def test_it_uses_the_environments_own_role(refresh_task: Any) -> None:
    assert refresh_task.aws_conn_id is None


def test_its_page_says_what_to_do_when_it_is_red(refresh_dag: Any) -> None:
    assert "**When it is red**" in refresh_dag.doc_md
    assert "The last line of the task's log names what failed" in refresh_dag.doc_md
    assert "trigger the DAG with min_remaining_hours = 12" in refresh_dag.doc_md


def test_its_page_has_nothing_that_airflow_3_0_tears_apart(refresh_dag: Any) -> None:
    assert "`" not in refresh_dag.doc_md
    assert "|" not in refresh_dag.doc_md


@pytest.mark.parametrize(
    "sentence",
    [
        "access denied: allow",
        "not found",
        "could not be reached",
        "no answer",
        "the repository rejects it",
    ],
)
def test_its_page_quotes_what_the_core_really_says(sentence: str, refresh_dag: Any) -> None:
    said = "".join(path.read_text() for path in (ROOT / "plugins/mwaa_codeartifact/core").rglob("*.py"))
    assert sentence in refresh_dag.doc_md
    assert sentence in said


@pytest.mark.parametrize("hours", [0, 0.5, 11, 12])
def test_a_run_can_be_given_hours_from_0_to_12(hours: float, refresh_dag: Any) -> None:
    parameter = refresh_dag.params.get_param("min_remaining_hours")
    assert parameter.resolve() == 11.5
    assert parameter.resolve(hours) == hours


@pytest.mark.parametrize("hours", [-1, 12.5, "12", None])
def test_a_run_cannot_be_given_other_hours(hours: object, refresh_dag: Any) -> None:
    parameter = refresh_dag.params.get_param("min_remaining_hours")
    with pytest.raises(Exception, match=r"is not of type 'number'|is less than the minimum|greater than the maximum"):
        parameter.resolve(hours)


def test_the_example_runs_only_when_it_is_asked_to() -> None:
    example = parse().dags["example_codeartifact"]
    assert type(example.timetable).__name__ == "NullTimetable"
    assert example.catchup is False
