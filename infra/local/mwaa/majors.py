"""What Airflow's major versions want to be told in different ways by who runs them and calls them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.mwaa.container import Container

    Program = tuple[str, Container, list[str]]

_CSRF_TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
_LOGIN_SECONDS = 30


class Major(NamedTuple):
    """Hold what is particular to one major version."""

    services: tuple[tuple[str, ...], ...]  # commands
    web: tuple[str, ...]  # the command that serves UI and REST API; its port is to be appended
    environ: dict[str, str]  # with the web server's {url}, also as seen by tasks, and a {secret}
    health: str
    health_parts: tuple[str, ...]  # what the health check must call healthy
    api: str
    mints_tokens: bool  # otherwise one logs in by the form, as people do

    def programs(self, containers: list[Container], web_port: int, *, celery: bool) -> Iterator[Program]:
        """Return what runs: a name, the container and Airflow's command each.

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
        """Ask the web server at a URL whether every component is healthy."""
        try:
            health = requests.get(url + self.health, timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        return all(health[part]["status"] == "healthy" for part in self.health_parts)

    def log_in(self, url: str, user: str, password: str) -> requests.Session:
        """Return a session of a user of the web server at a URL."""
        session, login = requests.Session(), {"username": user, "password": password}
        if self.mints_tokens:
            answer = session.post(f"{url}/auth/token", json=login, timeout=_LOGIN_SECONDS)
            answer.raise_for_status()
            session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        else:
            form = _CSRF_TOKEN.search(session.get(f"{url}/login/", timeout=_LOGIN_SECONDS).text)
            login["csrf_token"] = form[1] if form else ""
            session.post(f"{url}/login/", data=login, timeout=_LOGIN_SECONDS).raise_for_status()
        return session


_MAJORS = {
    2: Major(
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
        mints_tokens=False,
    ),
    3: Major(
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
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # its first answer takes long while all components start
        },
        health="/api/v2/monitor/health",
        health_parts=("metadatabase", "scheduler", "triggerer", "dag_processor"),
        api="/api/v2",
        mints_tokens=True,
    ),
}


def major_of(airflow_version: str) -> Major:
    """Return what is particular to a version of Airflow."""
    return _MAJORS[int(airflow_version.partition(".")[0])]
