"""The refresh DAG in real runs: `airflow dags test`, a real database, real tasks, and their traces afterwards."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.airflow.support import ROOT, CannedAws, section

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.airflow.support import AirflowHome, Line, ServedAws

REFRESH = "refresh_codeartifact_index_url"
# Airflow 3 masks all strings that look like a real token, so the test's secret must look different.
REJECTED = "rejected-token-" * 60
CANARY = "canary-token-" * 60


@dataclass(frozen=True)
class Run:
    """The traces of a DAG run and its only task.

    :param output: the command's output, and the logs of all tries of the task.
    """

    output: str
    exit_code: str
    state: str
    try_number: int
    result: dict[str, Any] | None


@dataclass(frozen=True)
class Runs:
    """The traces of all runs.

    :param lines: every version of the index-url file, the oldest first.
    :param all: the runs, in the order of the fixture.
    :param malformed_calls: the AWS calls of the run with the malformed setting.
    :param rejected_calls: the CodeArtifact calls of the run whose token is rejected.
    """

    home: AirflowHome
    lines: list[Line]
    all: list[Run]
    malformed_calls: list[str]
    rejected_calls: list[str]

    first = property(lambda self: self.all[0])
    second = property(lambda self: self.all[1])
    at_once = property(lambda self: self.all[2])
    careless = property(lambda self: self.all[3])
    malformed = property(lambda self: self.all[4])
    rejected = property(lambda self: self.all[5])


@pytest.fixture(scope="module")
def runs(aws: ServedAws, airflow_home: Callable[[], AirflowHome]) -> Runs:
    """Run the DAGs; all in one process, because each start of Airflow takes as long as all the runs."""
    home = airflow_home()
    home = replace(home, dags=home.path / "dags")
    shutil.copytree(ROOT / "dags", home.dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).with_name("careless_dags.py"), home.dags)
    ((known,),) = home.query("SELECT count(*) FROM dag_run")  # other tests': the database is a copy of theirs
    settings: dict[str, str | None] = dict(aws.environ | section(aws.bucket("dag-runs")))
    settings |= {"AWS_ENDPOINT_URL_CODEARTIFACT": None, "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
    with CannedAws().served() as uncalled, CannedAws().served() as giving, CannedAws().served() as rejecting:
        giving.respond_with_token(CANARY, verdict=200)
        rejecting.respond_with_token(REJECTED, verdict=401)
        malformed = settings | {"AIRFLOW__CODEARTIFACT__DOMAIN_OWNER": "1234", "AWS_ENDPOINT_URL": uncalled.url}
        elsewhere = {"AIRFLOW__CODEARTIFACT__DESTINATION": "s3://dag-runs/careless.txt"}
        careless = settings | elsewhere | {"AWS_ENDPOINT_URL_CODEARTIFACT": giving.url}
        rejected = settings | {"AWS_ENDPOINT_URL_CODEARTIFACT": rejecting.url}
        outputs = home.commands(
            (settings, ["dags", "reserialize"]),
            (settings, ["dags", "test", REFRESH]),
            (settings, ["dags", "test", REFRESH]),
            (settings, ["dags", "test", REFRESH, "--conf", '{"min_remaining_hours": 12}']),
            (careless, ["dags", "test", "careless"]),
            (malformed, ["dags", "test", REFRESH]),
            (rejected, ["dags", "test", "impatient"]),
        )
    found = [_run(home, number, *output) for number, output in enumerate(outputs[1:], known)]
    return Runs(
        home, aws.versions("dag-runs"), found, malformed_calls=uncalled.calls(), rejected_calls=rejecting.calls()
    )


def _run(home: AirflowHome, number: int, output: str, exit_code: str) -> Run:
    ((dag_id, run_id),) = home.query("SELECT dag_id, run_id FROM dag_run ORDER BY id LIMIT 1 OFFSET ?", str(number))
    ((state, try_number),) = home.query(
        "SELECT state, try_number FROM task_instance WHERE dag_id = ? AND run_id = ?", dag_id, run_id
    )
    pushed = home.query(
        "SELECT value FROM xcom WHERE key = 'return_value' AND dag_id = ? AND run_id = ?", dag_id, run_id
    )
    result = pushed[0][0] if pushed else None
    while isinstance(result, str | bytes):  # Airflow 3 encodes twice
        result = json.loads(result)
    logs = [path.read_text() for path in (home.path / "logs").rglob("*.log") if run_id in str(path)]
    return Run("".join([output, *logs]), exit_code, state, try_number, result)


def test_the_first_run_publishes_a_line(runs: Runs) -> None:
    assert (runs.first.state, runs.first.exit_code) == ("success", "0"), runs.first.output
    assert runs.lines[0].metadata["refreshed-by"] == "dag"
    assert runs.lines[0].body.count("--index-url ") == 1


def test_the_xcom_of_the_first_run_has_state_and_expiry(runs: Runs) -> None:
    assert runs.first.result
    assert runs.first.result["state"] == "published"
    assert runs.first.result["version_id"] == runs.lines[0].version_id
    assert runs.first.result["facts"]["token_expires_at"] == runs.lines[0].metadata["token-expires-at"]
    expires_at = datetime.fromisoformat(runs.first.result["facts"]["token_expires_at"])
    assert timedelta(hours=11.9) < expires_at - datetime.now(UTC) < timedelta(hours=12)


def test_the_second_run_finds_the_line_fresh_and_writes_nothing(runs: Runs) -> None:
    assert runs.second.state == "success"
    assert runs.second.result
    assert runs.second.result["state"] == "fresh"
    assert runs.second.result["version_id"] == runs.lines[0].version_id


def test_a_run_with_12_hours_refreshes_at_once(runs: Runs) -> None:
    assert runs.at_once.state == "success"
    assert runs.at_once.result
    assert runs.at_once.result["state"] == "published"
    assert runs.at_once.result["version_id"] == runs.lines[1].version_id
    assert runs.lines[1].token != runs.lines[0].token


def test_a_malformed_setting_fails_the_run_at_once(runs: Runs) -> None:
    assert (runs.malformed.state, runs.malformed.try_number) == ("failed", 1), runs.malformed.output
    assert runs.malformed.exit_code == "DagRun failed"
    assert "[codeartifact] domain_owner is '1234': give the 12 digits of an AWS account id" in runs.malformed.output
    assert runs.malformed_calls == []


def test_a_failed_refresh_is_retried(runs: Runs) -> None:
    assert (runs.rejected.state, runs.rejected.try_number) == ("failed", 2), runs.rejected.output
    assert len([call for call in runs.rejected_calls if "authorization-token" in call]) == 2
    assert "the repository rejects it: allow codeartifact:ReadFromRepository" in runs.rejected.output


def test_failed_runs_leave_the_line_unchanged(runs: Runs) -> None:
    assert len(runs.lines) == 2


def test_a_task_that_logs_the_token_logs_asterisks(runs: Runs) -> None:
    assert runs.careless.state == "success", runs.careless.output
    assert "careless: the operator's log says ***" in runs.careless.output
    assert "careless: a logger says ***" in runs.careless.output
    assert "careless: a print says ***" in runs.careless.output


def test_no_token_is_in_any_output_log_or_database(runs: Runs) -> None:
    for token in (*(line.token for line in runs.lines), CANARY, REJECTED):
        assert len(token) > 500
        for secret in (token, base64.b64encode(f"aws:{token}".encode()).decode()):
            # The beginning of a secret is enough, because an output may be cut off.
            assert [run.output for run in runs.all if secret[:40] in run.output] == []
            assert runs.home.files_with(secret[:40]) == []
