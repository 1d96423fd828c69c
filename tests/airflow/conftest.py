"""A separate Airflow for this run, and AWS next to it.

Airflow reads its environment when it is imported, so the environment is set here, before any test module is.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.airflow.support import REGION, AirflowHome, CannedAws, ServedAws, aws_process, section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_s3 import S3Client

sys.dont_write_bytecode = True
for _name in [name for name in os.environ if name.startswith(("AWS_", "AIRFLOW"))]:
    del os.environ[_name]
_RUN = tempfile.TemporaryDirectory(prefix="airflow-tests-")
_HOME = AirflowHome(Path(_RUN.name))
os.environ |= {name: value for name, value in _HOME.environ.items() if name == "HOME" or name.startswith("AIRFLOW")}


def pytest_unconfigure() -> None:
    _RUN.cleanup()


@pytest.fixture(scope="session")
def migration() -> Iterator[Future[object]]:
    """Start the migration of a database."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit(_HOME.python, "-m", "airflow", "db", "migrate")


@pytest.fixture(scope="session")
def database(migration: Future[object]) -> Path:
    """Migrate the database once; Airflow in this process uses it, in other processes a copy."""
    migration.result()
    return _HOME.path / "airflow.db"


@pytest.fixture(scope="session")
def airflow_home(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], AirflowHome]:
    """Return a function that creates an Airflow with a home of its own."""

    def make() -> AirflowHome:
        path = tmp_path_factory.mktemp("airflow")
        (path / "airflow.db").write_bytes(database.read_bytes())
        home = AirflowHome(path)
        home.install_plugins()
        return home

    return make


@pytest.fixture(scope="session")
def aws(migration: Future[object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedAws]:
    """Run AWS for all tests of this run."""
    del migration  # only started: a test that needs AWS needs the database next
    program = Path(__file__).with_name("aws_server.py")
    with aws_process(program, tmp_path_factory.mktemp("aws")) as (environ, _, _):
        yield ServedAws(environ, _s3(environ))


def _s3(environ: dict[str, str]) -> S3Client:
    session = boto3.Session(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    return session.client("s3", endpoint_url=environ["AWS_ENDPOINT_URL"])


@pytest.fixture
def bucket(aws: ServedAws) -> str:
    """Create a versioned bucket for one test."""
    name = f"test-{uuid.uuid4()}"
    aws.bucket(name)
    return name


@pytest.fixture
def configured(aws: ServedAws, bucket: str, database: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set up AWS and the whole ``[codeartifact]`` section in this process; return the destination."""
    assert database.exists()  # Airflow looks connections up there
    destination = f"s3://{bucket}/dags/codeartifact.txt"
    for name, value in (aws.environ | section(destination)).items():
        monkeypatch.setenv(name, value)
    return destination


@pytest.fixture
def canned_aws() -> Iterator[CannedAws]:
    with CannedAws().served() as canned:
        yield canned
