"""Packages that a task installs when it runs, in a worker that is older than the token with which it started."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.airflow.aws_with_lifetimes import PACKAGE, VERSION, AwsWithLifetimes, served
from tests.airflow.support import ROOT, AirflowHome, section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REFRESH, EXAMPLE, WITHOUT_SENSOR = (
    "refresh_codeartifact_index_url",
    "example_codeartifact_virtualenv",
    "without_sensor",
)
LIFE_SECONDS = 5

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Outcome:
    """The results of one worker: an install with the expired line, a refresh, and the example.

    :param outputs: the output of each, with the logs of its tasks.
    :param states: the final state of each DAG run.
    """

    home: AirflowHome
    outputs: list[str]
    states: list[str]
    tokens: list[str]
    version: str | None


@pytest.fixture(scope="module")
def aws_with_lifetimes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWithLifetimes]:
    with served(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture(scope="module")
def outcome(aws_with_lifetimes: AwsWithLifetimes, airflow_home: Callable[[], AirflowHome]) -> Outcome:
    home = airflow_home()
    home = replace(home, dags=home.path / "dags")
    shutil.copytree(ROOT / "dags", home.dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("dags_without_sensor.py"), home.dags)
    line = home.dags / "codeartifact.txt"
    environ: dict[str, str | None] = dict(aws_with_lifetimes.environ | section(line.as_uri()))
    environ["PIP_CONFIG_FILE"] = "/dev/null"
    environ["AIRFLOW__STANDARD__VENV_INSTALL_METHOD"] = "pip"
    aws_with_lifetimes.set_token_lifetime(LIFE_SECONDS)
    first_outputs = home.commands((environ, ["dags", "reserialize"]), (environ, ["dags", "test", REFRESH]))
    assert line.exists(), first_outputs
    first = line.read_text()
    ((known,),) = home.query("SELECT max(id) FROM dag_run")  # other tests' too: the database is a copy of theirs
    time.sleep(LIFE_SECONDS)
    aws_with_lifetimes.set_token_lifetime(43_200)
    outputs = home.commands(
        (environ, ["dags", "test", WITHOUT_SENSOR]),
        (environ, ["dags", "test", REFRESH]),
        (environ, ["dags", "test", EXAMPLE, "--conf", json.dumps({"package": PACKAGE})]),
    )
    runs = home.query("SELECT dag_id, run_id, state FROM dag_run WHERE id > ? ORDER BY id", str(known))
    logs = [
        "".join(path.read_text() for path in (home.path / "logs").rglob("*.log") if run_id in str(path))
        for _, run_id, _ in runs
    ]
    pushed = home.query("SELECT value FROM xcom WHERE key = 'return_value' AND dag_id = ?", EXAMPLE)
    version = pushed[0][0] if pushed else None
    return Outcome(
        home=home,
        outputs=[output + log for (output, _), log in zip(outputs, logs, strict=True)],
        states=[state for *_, state in runs],
        tokens=[text.partition("//aws:")[2].partition("@")[0] for text in (first, line.read_text())],
        version=version.decode() if isinstance(version, bytes) else version,
    )


def test_with_an_expired_line_an_install_fails(outcome: Outcome) -> None:
    assert outcome.states[0] == "failed", outcome.outputs[0]
    assert "401 Error" in outcome.outputs[0]


def test_the_same_worker_installs_once_the_line_is_refreshed(outcome: Outcome) -> None:
    assert outcome.tokens[0] != outcome.tokens[1]
    assert outcome.states[1:] == ["success", "success"], outcome.outputs[2]
    assert VERSION in str(outcome.version)


def test_the_sensor_has_checked_the_line_first(outcome: Outcome) -> None:
    assert "enough is 0:30:00" in outcome.outputs[2]


def test_the_token_is_in_no_output_log_or_database(outcome: Outcome) -> None:
    for token in outcome.tokens:
        assert len(token) > 500
        assert [output for output in outcome.outputs if token[:40] in output] == []
    assert {Path(name).name for name in outcome.home.files_with(outcome.tokens[1][:40])} == {"codeartifact.txt"}
