"""The DAGs that the documentation shows: each runs in an Airflow, against the local AWS."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.airflow.aws_with_lifetimes import VERSION, AwsWithLifetimes, served
from tests.airflow.support import REPOSITORY, ROOT, AirflowHome, section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def aws_with_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWithLifetimes]:
    with served(tmp_path_factory.mktemp("examples")) as aws:
        yield aws


@pytest.fixture
def home(airflow_home: Callable[[], AirflowHome]) -> AirflowHome:
    """Create an Airflow with the maintenance DAG and the examples, adapted to this test's repository and folder."""
    home = airflow_home()
    home = replace(home, dags=home.path / "dags")
    home.dags.mkdir()
    for dag in (ROOT / "examples" / "dags").glob("*.py"):
        text = dag.read_text().replace("s3://my-bucket/dags", home.dags.as_uri()).replace("data-science", REPOSITORY)
        (home.dags / dag.name).write_text(text)
    shutil.copy(ROOT / "dags" / "refresh_codeartifact_index_url.py", home.dags)
    return home


def line_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_the_examples_refresh_their_own_line_and_install_with_that_of_the_environment(
    home: AirflowHome, aws_with_package: AwsWithLifetimes
) -> None:
    line, other = home.dags / "codeartifact.txt", home.dags / f"{REPOSITORY}.txt"
    environ: dict[str, str | None] = dict(aws_with_package.environ | section(line.as_uri()))
    environ |= {"PIP_CONFIG_FILE": "/dev/null", "AIRFLOW__STANDARD__VENV_INSTALL_METHOD": "pip"}
    outputs = home.commands(
        (environ, ["dags", "reserialize"]),
        (environ, ["dags", "test", "refresh_codeartifact_index_url"]),
        (environ, ["dags", "test", "refresh_another_line"]),
        (environ, ["dags", "test", "install_when_a_task_runs"]),
    )
    assert "refreshed-by=dag" in line_of(line), outputs[1]
    assert "refreshed-by=dag" in line_of(other), outputs[2]
    pushed = home.query("SELECT value FROM xcom WHERE key = 'return_value' AND task_id = 'use_it'")
    assert pushed, outputs[3]
    assert VERSION in str(pushed[0][0])
