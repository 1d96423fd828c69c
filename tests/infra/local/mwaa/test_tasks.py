"""The containers in which tasks run, and cannot run: a real Airflow in several containers, with either executor."""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.mwaa.airflow import Airflow
    from infra.local.mwaa.environment import Environment
    from tests.infra.local.mwaa.support import Account

pytestmark = pytest.mark.long

HAS_POSTGRES = shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
needs_postgres = pytest.mark.skipif(not HAS_POSTGRES, reason="no PostgreSQL is installed")
DAG = b"""import os
import time
from datetime import datetime

from airflow.sdk import DAG, task

with DAG("where", schedule=None, start_date=datetime(2024, 1, 1), params={"seconds": 0}):

    @task
    def where(params=None):
        time.sleep(params["seconds"])
        return os.environ["HOME"]

    where()
"""


class Running:
    """An environment that is AVAILABLE, with one DAG."""

    def __init__(self, account: Account, executor: str, mode: str) -> None:
        account.upload("dags/where.py", DAG)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.environments = account.environments(run_airflow=True, executor=executor, port=port, graceful_seconds=90)
        self.properties = account.properties | {
            "WebserverAccessMode": mode,
            # With the default retries, a task without a web server fails only after minutes.
            "AirflowConfigurationOptions": {
                **({"workers.execution_api_retries": "1"} if mode == "PUBLIC_ONLY" else {}),
                "core.dags_are_paused_at_creation": "False",
            },
        }
        self.environment: Environment = self.environments.create(self.properties)
        self.environment.wait(500)
        if self.environment.status != "AVAILABLE":
            self.environments.delete(account.name)
            pytest.fail(str(account.said[-5:]))

    @property
    def airflow(self) -> Airflow:
        assert self.environment.airflow
        return self.environment.airflow

    def trigger(self, **params: object) -> str:
        deadline = time.monotonic() + 120
        body = {"logical_date": None, "conf": params}
        while (answer := self.airflow.request("POST", "/dags/where/dagRuns", body)).status_code == 404:
            assert time.monotonic() < deadline
            time.sleep(1)
        run: str = answer.json()["dag_run_id"]
        return run

    def state(self, run: str) -> str:
        state: str = self.airflow.request("GET", f"/dags/where/dagRuns/{run}").json()["state"]
        return state

    def wait_for_end(self, run: str) -> str:
        deadline = time.monotonic() + 240
        while (state := self.state(run)) in {"queued", "running"} and time.monotonic() < deadline:
            time.sleep(1)
        return state

    def home_of(self, run: str) -> str:
        path = f"/dags/where/dagRuns/{run}/taskInstances/where/xcomEntries/return_value?stringify=false"
        home: str = self.airflow.request("GET", path).json()["value"]
        return Path(home).parent.name


@pytest.fixture(scope="module", autouse=True)
def _connected(account: Account) -> None:
    account.connect()


@pytest.fixture
def running(account: Account, request: pytest.FixtureRequest) -> Iterator[Running]:
    running = Running(account, *request.param)
    yield running
    running.environments.delete(account.name)


@pytest.mark.parametrize("running", [("local", "PUBLIC_ONLY")], indirect=True)
def test_no_task_of_airflow_3_runs_in_a_private_vpc_under_public_only(running: Running) -> None:
    assert running.wait_for_end(running.trigger()) == "failed"


@needs_postgres
@pytest.mark.parametrize("running", [("celery", "PUBLIC_AND_PRIVATE")], indirect=True)
def test_celery_runs_tasks_in_the_workers_and_a_graceful_update_waits_for_their_end(running: Running) -> None:
    run = running.trigger()
    assert running.wait_for_end(run) == "success"
    assert running.home_of(run) in {"worker-2", "worker-3"}
    long_run = running.trigger(seconds=15)
    while running.state(long_run) != "running":
        time.sleep(0.5)
    graceful: dict[str, Any] = running.properties | {"WorkerReplacementStrategy": "GRACEFUL"}
    running.environments.update(running.environment.name, graceful).wait(300)
    assert running.environment.describe()["LastUpdate"]["Status"] == "SUCCESS"
    assert running.wait_for_end(long_run) == "success"
    assert running.home_of(long_run) in {"worker-2", "worker-3"}
    run = running.trigger()
    assert running.wait_for_end(run) == "success"
    assert running.home_of(run) in {"worker-6", "worker-7"}
