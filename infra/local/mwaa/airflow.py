"""A real Airflow in a container: its components, each a process, on a database of the environment's own."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.mwaa.container import Container

_START_SECONDS = 240


class Airflow:
    """Run Airflow in a container that has been started.

    :param container: where.
    :param database: folder of the metadata database, which outlives the container.
    :param port: of the UI, on 127.0.0.1.
    :param password: of the administrator, the same for every container on that database.
    """

    def __init__(self, container: Container, database: Path, port: int, password: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.user, self.password = "admin", password
        self._container, self._port = container, port
        self._logs = container.root / "logs"
        self._processes = ExitStack()
        self._environ = container.environ | {
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(),
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}/airflow.db",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self._logs),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False",
        }
        database.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir()

    def prepare_database(self) -> subprocess.Popen[bytes]:
        """Begin to migrate the database and to create the administrator."""
        airflow = self._container.programs / "airflow"
        admin = f"--username {self.user} --role Admin --firstname Local --lastname Admin --email admin@example.org"
        commands = f'{airflow} db migrate && {airflow} users create {admin} --password "$PASSWORD"'
        return self._spawn("database", ["sh", "-c", commands], PASSWORD=self.password)

    def start(self, database: subprocess.Popen[bytes]) -> None:
        """Start the components when the database is ready, and wait until they are healthy.

        :param database: see :meth:`prepare_database`.
        :raises RuntimeError: when one of them ends, or they are not healthy in time.
        """
        self._container.say("airflow db migrate, users create")
        if database.wait():
            raise RuntimeError(f"the database could not be prepared: see {self._logs}/database.log")
        self._container.say("airflow scheduler, dag-processor, api-server")
        self._wait_until_healthy(
            {
                "scheduler": self._component("scheduler", "--skip-serve-logs"),
                "dag-processor": self._component("dag-processor"),
                "api-server": self._component("api-server", "--host", "127.0.0.1", "--port", str(self._port)),
            }
        )

    def stop(self) -> None:
        """Stop every process, each by its own id."""
        self._processes.close()

    def _component(self, *command: str) -> subprocess.Popen[bytes]:
        return self._spawn(command[0], [str(self._container.programs / "airflow"), *command])

    def _spawn(self, name: str, command: list[str], **environ: str) -> subprocess.Popen[bytes]:
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=self._environ | environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._processes.callback(_stop, process)
        return process

    def _wait_until_healthy(self, components: dict[str, subprocess.Popen[bytes]]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._healthy():
            for name, process in components.items():
                if process.poll() is not None:
                    raise RuntimeError(f"airflow {name} ended: see {self._logs}/{name}.log")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Airflow was not healthy within {_START_SECONDS} s: see {self._logs}")
            time.sleep(0.5)

    def _healthy(self) -> bool:
        try:
            health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))

    def request(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call Airflow's REST API as the administrator.

        :param method: HTTP method.
        :param path: below the API's root, such as ``/dags``.
        :param body: JSON types (default: none).
        """
        login = {"username": self.user, "password": self.password}
        token = requests.post(f"{self.url}/auth/token", json=login, timeout=30).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, f"{self.url}/api/v2{path}", headers=headers, json=body, timeout=60)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: they have a session, thus a process group, of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
        return
