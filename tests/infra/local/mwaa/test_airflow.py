from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from infra.local.mwaa.airflow import Airflow, major_version
from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.container import Container

if TYPE_CHECKING:
    from pathlib import Path

KEYS = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"), "eu-west-1") | {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9"
}
OPTIONS = {"core.executor": "theirs", "core.load_examples": "True", "core.dag_concurrency": "9"}


def new_container(root: Path, component: str) -> Container:
    bucket = {"SourceBucketArn": "arn:aws:s3:::bucket"}
    configuration = Configuration({"AirflowVersion": "3.3.1", "AirflowConfigurationOptions": OPTIONS, **bucket})
    return Container(root / component, configuration, KEYS, lambda _line: None, component=component)


def new_airflow(folder: Path, container: Container) -> Airflow:
    return Airflow(
        containers=[container],
        logs=folder / "logs",
        port=0,
        password="-not-a-secret",
        secret="not-either",
        tasks={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db"},
        stopped=threading.Event(),
    )


# A random password begins with a dash once in 64 times.
@pytest.mark.long
def test_the_administrators_password_may_begin_with_a_dash(tmp_path: Path) -> None:
    airflow = new_airflow(tmp_path, new_container(tmp_path, "Scheduler"))
    try:
        status = airflow.prepare_database().wait()
    finally:
        airflow.stop()
    assert status == 0, (tmp_path / "logs" / "database.log").read_text()


def test_what_mwaa_sets_itself_prevails_over_options(tmp_path: Path) -> None:
    container = new_container(tmp_path, "Worker")
    environ = new_airflow(tmp_path, container).environ(container)
    assert environ["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert environ["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert environ["AIRFLOW__CORE__DAG_CONCURRENCY"] == "9"


@pytest.mark.parametrize(
    ("components", "places"),
    [
        (
            ("Scheduler", "Worker", "Worker", "WebServer"),
            {
                "scheduler": "worker-1",
                "triggerer": "scheduler-0",
                "dag-processor": "scheduler-0",
                "api-server": "webserver-3",
            },
        ),
        (
            ("Hybrid", "WebServer"),
            {
                "scheduler": "hybrid-0",
                "triggerer": "hybrid-0",
                "dag-processor": "hybrid-0",
                "api-server": "webserver-1",
            },
        ),
    ],
)
def test_local_tasks_run_in_a_workers_file_system(components: tuple[str, ...], places: dict[str, str]) -> None:
    started = major_version("3.3.1").programs(played(components), 0, celery=False)
    assert {name: container.host for name, container, _ in started} == places


def test_celery_runs_tasks_in_each_worker() -> None:
    started = major_version("3.3.1").programs(played(("Scheduler", "Worker", "Worker", "WebServer")), 0, celery=True)
    hosts = {name: container.host for name, container, _ in started}
    assert hosts["scheduler"] == "scheduler-0"
    assert (hosts["celery-worker-1"], hosts["celery-worker-2"]) == ("worker-1", "worker-2")


def played(components: tuple[str, ...]) -> list[Container]:
    """Return containers that have a component and a host, and nothing else."""
    containers = []
    for number, component in enumerate(components):
        container = object.__new__(Container)
        container.component, container.host = component, f"{component.lower()}-{number}"
        containers.append(container)
    return containers
