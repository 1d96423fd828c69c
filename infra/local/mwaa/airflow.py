"""A real Airflow in a container: its components, each a process, on a database of the environment's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.local.mwaa.majors import major_of
from infra.local.mwaa.processes import Processes

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    import requests

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
        self._major = major_of(container.image.airflow_version)
        self._logs = container.root / "logs"
        self._processes = Processes(self._logs)
        self._environ = {
            **container.environ,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}/airflow.db",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self._logs),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False",
            **self._major.environ(self.url),
        }
        database.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir()

    def prepare_database(self) -> subprocess.Popen[bytes]:
        """Begin to migrate the database and to create the administrator."""
        airflow = self._container.programs / "airflow"
        admin = f"--username {self.user} --role Admin --firstname Local --lastname Admin --email admin@example.org"
        commands = f'{airflow} db migrate && {airflow} users create {admin} "--password=$PASSWORD"'
        return self._processes.start("database", ["sh", "-c", commands], self._environ | {"PASSWORD": self.password})

    def start(self, database: subprocess.Popen[bytes]) -> None:
        """Start the components when the database is ready, and wait until they are healthy.

        :param database: see :meth:`prepare_database`.
        :raises RuntimeError: when one of them ends, or they are not healthy in time.
        """
        self._container.say("airflow db migrate, users create")
        if database.wait():
            raise RuntimeError(f"the database could not be prepared: {self._processes.last_line('database')}")
        components = (*self._major.services, (*self._major.web, str(self._port)))
        self._container.say(f"airflow {', '.join(component[0] for component in components)}")
        for component in components:
            command = [str(self._container.programs / "airflow"), *component]
            self._processes.serve(component[0], command, self._environ)
        self._processes.wait_until(lambda: self._major.is_healthy(self.url), _START_SECONDS)

    def stop(self) -> None:
        """Stop every process, each by its own id."""
        self._processes.stop()

    def request(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call Airflow's REST API as the administrator.

        :param method: HTTP method.
        :param path: below the API's root, such as ``/dags``.
        :param body: JSON types (default: none).
        """
        with self._major.log_in(self.url, self.user, self.password) as session:
            return session.request(method, self.url + self._major.api + path, json=body, timeout=60)
