"""The wheel in a plain `airflow standalone`: no plugins folder, no MWAA. The steps of docs/airflow-outside-mwaa.md."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests

from infra.local.mwaa.processes import Processes
from mwaa_codeartifact import __version__
from tests.airflow.aws_with_lifetimes import PACKAGE, VERSION, AwsWithLifetimes, served
from tests.airflow.support import REGION, ROOT, AirflowHome, ServedAws, section
from tests.airflow.web_server import MAJOR, READS_COOKIES, Browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REFRESH, SENSOR = "refresh_codeartifact_index_url", "wait_for_the_index_url"
STATUS = "/codeartifact/status.json"
PAGE = "/codeartifact/"
FACTS = PAGE if READS_COOKIES else "/codeartifact/facts"
PLUGINS = "/api/v2/plugins?limit=1000" if MAJOR > 2 else "/plugin"
DISTRIBUTION = f"mwaa-codeartifact=={__version__}"
# The machine may be busy: Airflow migrates a new database and starts four programs.
_PATIENCE_SECONDS = 600
SENSOR_DAG = f"""
# Airflow skips a file that does not contain both words, "airflow" and "dag" (core.dag_discovery_safe_mode).
from datetime import UTC, datetime
from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor

with DAG("{SENSOR}", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), is_paused_upon_creation=False):
    CodeArtifactIndexUrlFreshSensor(task_id="is_fresh", aws_conn_id=None)
"""

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Installed:
    """An environment into which the wheel is installed.

    :param bin: the folder of its commands.
    :param dags: the DAGs folder.
    """

    bin: Path
    dags: Path

    def home(self, path: Path) -> AirflowHome:
        """Create an Airflow without plugins."""
        (path / "plugins").mkdir(parents=True)
        return AirflowHome(path, self.dags)

    def example(self, script: str, folder: Path, **environ: str) -> None:
        """Run the commands of docs/airflow-outside-mwaa.md in a folder."""
        path = os.pathsep.join([str(self.bin), str(ROOT / ".venv/bin"), os.environ["PATH"]])
        own = {"PATH": path, "HOME": str(folder), "PIP_CONFIG_FILE": os.devnull}
        output(["bash", "-ec", f"cd {folder} && . {ROOT}/examples/outside-mwaa/{script}"], own | environ)


@dataclass(frozen=True)
class Standalone:
    """A running `airflow standalone`.

    :param command: the program `airflow`.
    :param environ: the environment variables of its processes.
    :param url: of its web server.
    """

    home: AirflowHome
    command: Path
    environ: Mapping[str, str]
    url: str

    def run(self, dag_id: str) -> str:
        """Trigger a DAG as soon as Airflow knows it; return the final state of the run."""
        wait_until(lambda: self.home.query("SELECT 1 FROM dag WHERE dag_id = ?", dag_id))
        output([self.command, "dags", "trigger", dag_id, "--run-id", "by_hand"], self.environ)
        wait_until(lambda: self._state(dag_id) in {"success", "failed"})
        return self._state(dag_id)

    def _state(self, dag_id: str) -> str:
        rows = self.home.query("SELECT state FROM dag_run WHERE dag_id = ? AND run_id = 'by_hand'", dag_id)
        return str(rows[0][0]) if rows else ""

    def admin(self) -> Browser:
        """Log in with the password that `airflow standalone` has written."""
        session = requests.Session()
        if MAJOR > 2:
            passwords = json.loads((self.home.path / "simple_auth_manager_passwords.json.generated").read_text())
            login = {"username": "admin", "password": passwords["admin"]}
            token = requests.post(f"{self.url}/auth/token", json=login, timeout=30).json()["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
        else:
            form = session.get(f"{self.url}/login/", timeout=30).text
            csrf = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
            assert csrf, form
            password = (self.home.path / "standalone_admin_password.txt").read_text()
            login = {"username": "admin", "password": password, "csrf_token": csrf[1]}
            session.post(f"{self.url}/login/", login, timeout=30)
        return Browser(self.url, session)


def wait_until(is_done: Callable[[], Any]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(1)


def output(command: list[str | Path], environ: Mapping[str, str]) -> str:
    """Run a command, check that it succeeds, and return what it prints."""
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWithLifetimes]:
    with served(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel into a new environment that sees the installed Airflow.

    pip gets no index, so it succeeds only if that Airflow has everything that the wheel depends on.
    """
    folder = tmp_path_factory.mktemp("wheel")
    build: list[str | Path] = [ROOT / ".venv/bin/uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT]
    output(build, os.environ)  # with this machine's proxy and certificates: it fetches the build backend
    (wheel,) = folder.glob("*.whl")
    environment, dags = folder / "venv", folder / "dags"
    environ = AirflowHome(folder).environ
    output([sys.executable, "-m", "venv", "--without-pip", environment], environ)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (packages / "airflow.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for name, module in {"airflow": "airflow.__main__", "pip": "pip._internal.cli.main"}.items():
        command = environment / "bin" / name
        command.write_text(f"#!{environment}/bin/python\nimport sys\nfrom {module} import main\nsys.exit(main())\n")
        command.chmod(0o755)
    dags.mkdir()
    (dags / "sensor.py").write_text(SENSOR_DAG)
    result = Installed(environment / "bin", dags)
    result.example("install.sh", folder, PIP_NO_INDEX="1", WHEEL=str(wheel), DAGS_FOLDER=str(dags))
    assert list(packages.glob("mwaa_codeartifact_plugin.py"))
    return result


@contextmanager
def standalone(home: AirflowHome, installed: Installed, settings: Mapping[str, str]) -> Iterator[Standalone]:
    """Run `airflow standalone` on an empty home.

    :param settings: the environment variables for AWS and of the section ``[codeartifact]``.
    """
    (port, *logs), environ = free_ports(3), home.environ
    url = f"http://127.0.0.1:{port}"
    environ |= {
        "PATH": f"{installed.bin}{os.pathsep}{environ['PATH']}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(port),
        "AIRFLOW__WEBSERVER__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(logs[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(logs[1]),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **settings,
    }
    command = installed.bin / "airflow"
    processes = Processes(home.path)
    processes.serve("standalone", [str(command), "standalone"], environ)
    try:
        processes.wait_until(
            lambda: responds(f"{url}/{'api/v2/version' if MAJOR > 2 else 'health'}"), _PATIENCE_SECONDS
        )
        yield Standalone(home, command, environ, url)
    finally:
        processes.stop()


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def responds(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.RequestException:
        return False


def check_that_it_works(airflow: Standalone, destination: str) -> None:
    """Check DAG, sensor, status page and list of plugins."""
    assert airflow.run(REFRESH) == "success"
    assert airflow.run(SENSOR) == "success"
    anonymous = Browser(airflow.url, requests.Session()).get(STATUS)
    assert anonymous.status_code == (401 if MAJOR > 2 else 302)  # Airflow 2 redirects to the login
    admin = airflow.admin()
    (target,) = admin.get(STATUS).json()["targets"]
    assert (target["verdict"], target["destination"]) == ("alive", destination)
    assert target["line"]["refreshed_by"] == "dag"
    assert "alive" in admin.get(FACTS).text
    assert f"mwaa-codeartifact {__version__}" in admin.get(PAGE).text
    plugins = admin.get(PLUGINS).text
    assert DISTRIBUTION in plugins
    assert "mwaa_codeartifact_plugin:MwaaCodeArtifactPlugin" in plugins


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Create a folder whose requirements.txt names the in-house package; check that pip has installed it."""
    (tmp_path / "requirements.txt").write_text(f"{PACKAGE}\n")
    yield tmp_path
    info = f"{PACKAGE.replace('-', '_')}-{VERSION}.dist-info"
    assert [path.name for path in (tmp_path / "target").glob("*.dist-info")] == [info]


def test_the_wheel_works_with_a_local_file(aws: AwsWithLifetimes, installed: Installed, project: Path) -> None:
    line = project / "codeartifact.txt"
    settings = aws.environ | section(line.as_uri())
    with standalone(installed.home(project / "home"), installed, settings) as airflow:
        check_that_it_works(airflow, line.as_uri())
    assert line.stat().st_mode & 0o777 == 0o600
    installed.example("use-file.sh", project, INDEX_URL_FILE=str(line), PIP_TARGET=str(project / "target"))


def test_the_wheel_works_with_a_bucket(aws: AwsWithLifetimes, installed: Installed, project: Path) -> None:
    keys = aws.environ["AWS_ACCESS_KEY_ID"], aws.environ["AWS_SECRET_ACCESS_KEY"]
    s3 = boto3.Session(*keys, region_name=REGION).client("s3", endpoint_url=aws.environ["AWS_ENDPOINT_URL"])
    bucket = f"outside-{uuid.uuid4()}"
    destination = ServedAws(aws.environ, s3).bucket(bucket)
    with standalone(installed.home(project / "home"), installed, aws.environ | section(destination)) as airflow:
        check_that_it_works(airflow, destination)
    installed.example("use-bucket.sh", project, BUCKET=bucket, PIP_TARGET=str(project / "target"), **aws.environ)
    assert (project / "codeartifact.txt").stat().st_mode & 0o777 == 0o600
