from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

import psutil
import pytest
import requests

from infra.local.mwaa.airflow import Airflow, major_version
from infra.local.mwaa.configuration import Configuration
from infra.local.mwaa.container import Container
from infra.setup import build_airflow

KEYS = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"), "eu-west-1") | {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9"
}
OPTIONS = {"core.executor": "theirs", "core.load_examples": "True", "core.dag_concurrency": "9"}


def new_container(root: Path, component: str, version: str = "3.3.1") -> Container:
    bucket = {"SourceBucketArn": "arn:aws:s3:::bucket"}
    configuration = Configuration({"AirflowVersion": version, "AirflowConfigurationOptions": OPTIONS, **bucket})
    return Container(root / component, configuration, KEYS, lambda _line: None, component=component)


def new_airflow(folder: Path, *containers: Container, port: int = 0) -> Airflow:
    return Airflow(
        containers=[*containers],
        logs=folder / "logs",
        port=port,
        password="-not-a-secret",
        secret="not-either",
        tasks={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db"},
        stopped=threading.Event(),
    )


@pytest.mark.long
@pytest.mark.parametrize("version", ["2.10.3", "3.3.1"])
def test_the_administrator_logs_in_to_a_real_airflow_that_is_healthy_with_all_its_components(
    version: str, tmp_path: Path
) -> None:
    build_airflow(version)  # a fresh clone has the default version only
    containers = [new_container(tmp_path, component, version) for component in ("Hybrid", "WebServer")]
    airflow = new_airflow(tmp_path, *containers, port=free_port())
    major = major_version(version)
    try:
        assert airflow.prepare_database().wait() == 0, (tmp_path / "logs" / "database.log").read_text()
        assert not major.is_healthy(airflow.url)
        airflow.start()  # waits until it is healthy
        assert airflow.request("GET", "/dags").status_code == 200
        airflow.password = "wrong"
        with pytest.raises(requests.HTTPError):
            airflow.request("GET", "/dags").raise_for_status()
        stop_program("triggerer", tmp_path)
        deadline = time.monotonic() + 60
        while major.is_healthy(airflow.url) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert not major.is_healthy(airflow.url)
    finally:
        airflow.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def stop_program(name: str, folder: Path) -> None:
    """Send SIGTERM to a component of Airflow, which is found by its open log."""
    log = folder / "logs" / f"{name}.log"
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process.pid}/fd/1").readlink() == log:
                process.terminate()


# A random password begins with a dash once in 64 times.
@pytest.mark.long
def test_the_administrators_password_may_begin_with_a_dash(tmp_path: Path) -> None:
    airflow = new_airflow(tmp_path, new_container(tmp_path, "Scheduler"))
    try:
        status = airflow.prepare_database().wait()
    finally:
        airflow.stop()
    assert status == 0, (tmp_path / "logs" / "database.log").read_text()


def test_mwaas_own_settings_override_options(tmp_path: Path) -> None:
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
    started = major_version("3.3.1").programs(containers_of(components), 0, celery=False)
    assert {name: container.host for name, container, _ in started} == places


def test_celery_runs_tasks_in_each_worker() -> None:
    containers = containers_of(("Scheduler", "Worker", "Worker", "WebServer"))
    started = major_version("3.3.1").programs(containers, 0, celery=True)
    hosts = {name: container.host for name, container, _ in started}
    assert hosts["scheduler"] == "scheduler-0"
    assert (hosts["celery-worker-1"], hosts["celery-worker-2"]) == ("worker-1", "worker-2")


def containers_of(components: tuple[str, ...]) -> list[Container]:
    """Return containers that have only a component and a host."""
    containers = []
    for number, component in enumerate(components):
        container = object.__new__(Container)
        container.component, container.host = component, f"{component.lower()}-{number}"
        containers.append(container)
    return containers
