"""What Airflow's major versions want to be told in different ways by who runs them and calls them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

_CSRF_TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
_LOGIN_SECONDS = 30


class Major(NamedTuple):
    """Hold what is particular to one major version."""

    services: tuple[tuple[str, ...], ...]  # commands
    web: tuple[str, ...]  # the command that serves UI and REST API; its port is to be appended
    environ: Callable[[str, str], dict[str, str]]  # given the web server's URL and a secret
    health: str
    health_parts: tuple[str, ...]  # what the health check must call healthy
    api: str
    log_in: Callable[[str, str, str], requests.Session]  # given the web server's URL, a user's name and password

    def is_healthy(self, url: str) -> bool:
        """Ask the web server at a URL whether every component is healthy."""
        try:
            health = requests.get(url + self.health, timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        return all(health[part]["status"] == "healthy" for part in self.health_parts)


def _environ_2(url: str, secret: str) -> dict[str, str]:
    return {
        "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",  # Airflow 2 refuses any other on SQLite
        "AIRFLOW__WEBSERVER__BASE_URL": url,
        "AIRFLOW__WEBSERVER__SECRET_KEY": secret,
        "AIRFLOW__WEBSERVER__WORKERS": "1",
    }


def _environ_3(url: str, secret: str) -> dict[str, str]:
    return {
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": secret,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secret,
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # its first answer takes long while all components start
    }


def _log_in_2(url: str, user: str, password: str) -> requests.Session:
    """Log in by the form, as people do: Airflow 2's pages know no other way."""
    session = requests.Session()
    form = _CSRF_TOKEN.search(session.get(f"{url}/login/", timeout=_LOGIN_SECONDS).text)
    login = {"username": user, "password": password, "csrf_token": form[1] if form else ""}
    session.post(f"{url}/login/", data=login, timeout=_LOGIN_SECONDS).raise_for_status()
    return session


def _log_in_3(url: str, user: str, password: str) -> requests.Session:
    session = requests.Session()
    login = {"username": user, "password": password}
    answer = session.post(f"{url}/auth/token", json=login, timeout=_LOGIN_SECONDS)
    answer.raise_for_status()
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


_MAJORS = {
    2: Major(
        services=(("scheduler", "--skip-serve-logs"), ("triggerer", "--skip-serve-logs")),
        web=("webserver", "--hostname", "127.0.0.1", "--port"),
        environ=_environ_2,
        health="/health",
        health_parts=("metadatabase", "scheduler", "triggerer"),
        api="/api/v1",
        log_in=_log_in_2,
    ),
    3: Major(
        services=(("scheduler", "--skip-serve-logs"), ("triggerer", "--skip-serve-logs"), ("dag-processor",)),
        web=("api-server", "--host", "127.0.0.1", "--port"),
        environ=_environ_3,
        health="/api/v2/monitor/health",
        health_parts=("metadatabase", "scheduler", "triggerer", "dag_processor"),
        api="/api/v2",
        log_in=_log_in_3,
    ),
}


def major_of(airflow_version: str) -> Major:
    """Return what is particular to a version of Airflow."""
    return _MAJORS[int(airflow_version.partition(".")[0])]
