"""A real Airflow in the containers of an environment: its components, each a process, on one database.

One table contains the differences between its major versions: commands, settings, health check and login.
"""

from __future__ import annotations

import re
import shutil
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from infra.local.mwaa.container import Container, StoppedError
from infra.local.mwaa.processes import Processes

if TYPE_CHECKING:
    import subprocess
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    Program = tuple[str, Container, list[str]]

_START_SECONDS = 240
# Stands for a web server on the internet: a name that never resolves.
_PUBLIC_WEB_SERVER = "http://public-web-server.invalid"
_CSRF_TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
_LOGIN_SECONDS = 30


class MajorVersion(NamedTuple):
    """The differences between the major versions."""

    services: tuple[tuple[str, ...], ...]  # commands
    web: tuple[str, ...]  # the command that serves UI and REST API; the port follows
    environ: dict[str, str]  # may contain {url}, {execution}, which is the URL for tasks, and {secret}
    health: str
    health_parts: tuple[str, ...]  # the components that must be healthy
    api: str
    issues_tokens: bool  # if not, the login form is used, as in a browser

    def programs(self, containers: list[Container], web_port: int, *, celery: bool) -> Iterator[Program]:
        """Yield each program that runs: its name, its container and Airflow's command.

        A scheduler with a LocalExecutor is a worker too, so its process runs in the first worker's file system; the
        other workers start as MWAA's do and then idle.
        """
        scheduler, *_, web = containers
        workers = [each for each in containers if each.runs_tasks]
        for name, *options in self.services:
            yield name, scheduler if celery or name != "scheduler" else workers[0], [name, *options]
        for each in workers if celery else ():
            yield f"celery-{each.host}", each, ["celery", "worker", "--skip-serve-logs"]
        yield self.web[0], web, [*self.web, str(web_port)]

    def is_healthy(self, url: str) -> bool:
        """Return whether the web server at a URL reports every component as healthy."""
        try:
            health = requests.get(url + self.health, timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        return all(health[part]["status"] == "healthy" for part in self.health_parts)

    def log_in(self, url: str, user: str, password: str) -> requests.Session:
        """Log in to the web server at a URL and return the session."""
        session, login = requests.Session(), {"username": user, "password": password}
        if self.issues_tokens:
            answer = session.post(f"{url}/auth/token", json=login, timeout=_LOGIN_SECONDS)
            answer.raise_for_status()
            session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        else:
            form = _CSRF_TOKEN.search(session.get(f"{url}/login/", timeout=_LOGIN_SECONDS).text)
            login["csrf_token"] = form[1] if form else ""
            session.post(f"{url}/login/", data=login, timeout=_LOGIN_SECONDS).raise_for_status()
        return session


_MAJOR_VERSIONS = {
    2: MajorVersion(
        services=(("scheduler", "--skip-serve-logs"), ("triggerer", "--skip-serve-logs")),
        web=("webserver", "--hostname", "127.0.0.1", "--port"),
        environ={
            "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",  # Airflow 2 refuses any other on SQLite
            "AIRFLOW__WEBSERVER__BASE_URL": "{url}",
            "AIRFLOW__WEBSERVER__SECRET_KEY": "{secret}",
            "AIRFLOW__WEBSERVER__WORKERS": "1",
        },
        health="/health",
        health_parts=("metadatabase", "scheduler", "triggerer"),
        api="/api/v1",
        issues_tokens=False,
    ),
    3: MajorVersion(
        services=(("scheduler", "--skip-serve-logs"), ("triggerer", "--skip-serve-logs"), ("dag-processor",)),
        web=("api-server", "--host", "127.0.0.1", "--port"),
        environ={
            "AIRFLOW__API__BASE_URL": "{url}",
            "AIRFLOW__API__SECRET_KEY": "{secret}",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "{secret}",
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "{execution}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # its first answer is slow while all components start
        },
        health="/api/v2/monitor/health",
        health_parts=("metadatabase", "scheduler", "triggerer", "dag_processor"),
        api="/api/v2",
        issues_tokens=True,
    ),
}


def major_version(airflow_version: str) -> MajorVersion:
    """Return what is particular to the major version of an Airflow version such as 3.3.1."""
    return _MAJOR_VERSIONS[int(airflow_version.partition(".")[0])]


@dataclass(kw_only=True, eq=False)
class Airflow:
    """Airflow in the containers of one configuration."""

    containers: list[Container]  # not started yet; without any there is no Airflow, and the steps do nothing
    workers_reach_web_server: bool = True  # without it no task of Airflow 3 runs
    logs: Path  # of the tasks; on MWAA they are in CloudWatch
    port: int  # of the UI, on 127.0.0.1
    user: str = "admin"
    password: str = field(repr=False)
    secret: str = field(repr=False)  # shared by the components
    tasks: dict[str, str] = field(repr=False)  # environment variables: where tasks run, and on which database
    stopped: threading.Event  # set when the environment is stopped for good

    def __post_init__(self) -> None:
        """Create the folder for logs."""
        self.url = f"http://127.0.0.1:{self.port}"
        self.logs.mkdir(parents=True, exist_ok=True)
        self._processes = Processes(self.logs)
        self._deadline = 0.0  # of released workers
        if self.containers:
            self._major = major_version(self.containers[0].configuration["AirflowVersion"])

    def prepare(self, *, migrate: bool) -> None:
        """Start the containers in parallel, up to the point where Airflow starts.

        :param migrate: whether to prepare the database meanwhile; on MWAA a separate container does that.
        :raises RuntimeError: if a container is unhealthy or the database not prepared; a StoppedError after a stop.
        """
        if not self.containers:
            return
        self._check_stopped()
        database = self.prepare_database() if migrate else None
        with ThreadPoolExecutor(len(self.containers)) as pool:
            starts = [pool.submit(container.start) for container in self.containers]
            if any(start.exception() for start in wait(starts, return_when=FIRST_EXCEPTION).done):
                self._stop_containers()
        errors = [error for start in starts if (error := start.exception())]
        if errors:  # a StoppedError only follows from another container's error
            raise min(errors, key=lambda error: isinstance(error, StoppedError))
        if database and database.wait():
            raise RuntimeError(f"the database could not be prepared: {self._processes.last_line('database')}")

    def prepare_database(self) -> subprocess.Popen[bytes]:
        """Start to migrate the database and to create the administrator; return the process."""
        container = self.containers[0]
        container.say("airflow db migrate, users create")
        airflow = container.programs / "airflow"
        admin = f"--username {self.user} --role Admin --firstname Local --lastname Admin --email admin@example.org"
        commands = f'{airflow} db migrate && {airflow} users create {admin} "--password=$PASSWORD"'
        environ = self.environ(container) | {"PASSWORD": self.password}
        return self._processes.start("database", ["sh", "-c", commands], environ)

    def start(self) -> None:
        """Start the components, and wait until they are healthy; see :meth:`Processes.wait_until`."""
        if not self.containers:
            return
        self._workers = []
        celery = "AIRFLOW__CELERY__BROKER_URL" in self.tasks
        for name, container, command in self._major.programs(self.containers, self.port, celery=celery):
            self._check_stopped()
            container.say(f"airflow {name}")
            self._workers += [name] if container.runs_tasks else []
            self._processes.serve(name, [str(container.programs / "airflow"), *command], self.environ(container))
        self._processes.wait_until(self._is_healthy, _START_SECONDS)

    def release(self, seconds: float) -> None:
        """Stop all but the workers, which finish their tasks; :meth:`remove` waits this long for them."""
        self._processes.release(self._workers)
        self._deadline = time.monotonic() + seconds

    def stop(self) -> None:
        """Stop everything at once, including containers that are still starting."""
        self._stop_containers()
        self._processes.stop()

    def remove(self) -> None:
        """Stop everything, and delete the containers' packages, by far their largest part."""
        while time.monotonic() < self._deadline and self._processes.are_running:
            time.sleep(0.5)
        self.stop()
        for container in self.containers:
            shutil.rmtree(container.packages, ignore_errors=True)

    def request(self, method: str, path: str, body: Any = None, query: Any = None) -> requests.Response:
        """Call Airflow's REST API as the administrator; the path is below its root, such as ``/dags``."""
        with self._major.log_in(self.url, self.user, self.password) as session:
            return session.request(method, self.url + self._major.api + path, json=body, params=query, timeout=60)

    def environ(self, container: Container) -> dict[str, str]:
        """Return a component's variables; MWAA's own settings override the options (image: config/airflow.py)."""
        executed_at = self.url if self.workers_reach_web_server else _PUBLIC_WEB_SERVER
        names = {"url": self.url, "secret": self.secret, "execution": executed_at}
        return {
            # The one web server here is missing while an update replaces it; MWAA has two.
            "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "12",
            "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "30",
            **container.environ,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs),
            "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": "",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False",
            **{name: value.format(**names) for name, value in self._major.environ.items()},
            **self.tasks,
        }

    def _is_healthy(self) -> bool:
        self._check_stopped()
        return self._major.is_healthy(self.url)

    def _check_stopped(self) -> None:
        if self.stopped.is_set():
            raise StoppedError("the environment was stopped")

    def _stop_containers(self) -> None:
        for container in self.containers:
            container.stop()
