"""A real web server of Airflow, with the FAB login that MWAA has, and three users."""

from __future__ import annotations

import re
import socket
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import airflow
import requests

from infra.local.mwaa.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.airflow.support import AirflowHome

MAJOR, MINOR = (int(part) for part in airflow.__version__.split(".")[:2])
# Airflow 3.0 reads a login from the Authorization header only.
READS_COOKIES = (MAJOR, MINOR) != (3, 0)
ROLES = {"admin": "Admin", "viewer": "Viewer", "nobody": "Public"}
PASSWORD = "not-a-secret"
_START_SECONDS = 90
# The page uses a response of S3 for five seconds.
_KEPT_SECONDS = 15


@dataclass(frozen=True)
class Browser:
    """A client of the web server, logged in as one user or not logged in.

    :param url: of the web server.
    :param session: with the login, if any.
    """

    url: str
    session: requests.Session

    def get(self, path: str, **headers: str) -> requests.Response:
        """GET a path, without following redirects."""
        return self.session.get(self.url + path, headers=headers, allow_redirects=False, timeout=30)

    def wait_for(self, path: str, is_expected: Callable[[requests.Response], bool]) -> requests.Response:
        """GET a path until the response is the expected one."""
        deadline = time.monotonic() + _KEPT_SECONDS
        while not is_expected(response := self.get(path)) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert is_expected(response), response.text
        return response


@dataclass(frozen=True)
class WebServer:
    """A running web server.

    :param url: its address.
    """

    url: str

    def anonymous(self) -> Browser:
        return Browser(self.url, requests.Session())

    def browser(self, user: str) -> Browser:
        """Log in; on Airflow 3 with a bearer token, on Airflow 2 with the login form."""
        session = requests.Session()
        if MAJOR > 2:
            session.headers["Authorization"] = f"Bearer {self.token(user)}"
        else:
            form = session.get(f"{self.url}/login/", timeout=30).text
            csrf = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
            assert csrf, form
            login = {"username": user, "password": PASSWORD, "csrf_token": csrf[1]}
            session.post(f"{self.url}/login/", login, timeout=30)
        return Browser(self.url, session)

    def token(self, user: str) -> str:
        """Get a token of Airflow 3."""
        login = {"username": user, "password": PASSWORD}
        response = requests.post(f"{self.url}/auth/token", json=login, timeout=30)
        token: str = response.json()["access_token"]
        return token


def prepare(home: AirflowHome, environ: Mapping[str, str], dag_id: str) -> None:
    """Create the tables for logins, the users and the DAGs, and run one DAG."""
    settings: dict[str, Any] = _environ(home, environ)
    names = ["--firstname", "A", "--lastname", "B", "--password", PASSWORD]
    users = [
        (settings, ["users", "create", "--username", user, "--role", role, "--email", f"{user}@example.org", *names])
        for user, role in ROLES.items()
    ]
    results = home.commands(
        (settings, ["db", "migrate"]),
        (settings, ["sync-perm"]),
        *users,
        (settings, ["dags", "reserialize"]),
        (settings, ["dags", "test", dag_id]),
    )
    assert {code for _, code in results} <= {"0", "None"}, results


@contextmanager
def served(home: AirflowHome, environ: Mapping[str, str]) -> Iterator[WebServer]:
    """Run the web server until it is no longer needed.

    :param home: its prepared home.
    :param environ: additional environment variables.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = ["api-server", "--apps", "core"] if MAJOR > 2 else ["webserver"]
    command = [sys.executable, "-m", "airflow", *command, "--port", str(port), "--workers", "1"]
    server = Processes(home.path)
    server.serve("web-server", command, _environ(home, environ))
    try:
        server.wait_until(lambda: _responds(f"{url}/{'api/v2/version' if MAJOR > 2 else 'health'}"), _START_SECONDS)
        yield WebServer(url)
    finally:
        server.stop()


def _responds(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.RequestException:
        return False


def _environ(home: AirflowHome, environ: Mapping[str, str]) -> dict[str, str]:
    settings = {
        "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False",
        "AIRFLOW__WEBSERVER__AUTH_RATE_LIMITED": "False",
        "AIRFLOW__API_AUTH__JWT_SECRET": "not-a-secret-but-long-enough-to-sign-with-it-" * 2,
        "AIRFLOW__API__SECRET_KEY": "the-same",
        "AIRFLOW__WEBSERVER__SECRET_KEY": "the-same",
        "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    if MAJOR > 2:
        settings["AIRFLOW__CORE__AUTH_MANAGER"] = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
    return {**home.environ, **settings, **environ}
