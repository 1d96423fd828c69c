"""A sensor that defers, in a real run: a worker's process, the database, and Airflow's own triggerer."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local.mwaa.processes import Processes
from tests.airflow.support import section

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.airflow.support import AirflowHome, ServedAws

pytestmark = pytest.mark.long


def test_a_deferred_task_continues_when_there_is_a_fresh_line(
    aws: ServedAws, airflow_home: Callable[[], AirflowHome]
) -> None:
    home = airflow_home()
    home = replace(home, dags=home.path / "dags")
    home.dags.mkdir()
    shutil.copy(Path(__file__).with_name("late_dag.py"), home.dags)
    environ = aws.environ | section(aws.bucket("deferral"))
    triggerer = Processes(home.path)
    triggerer.serve("triggerer", [sys.executable, "-m", "airflow", "triggerer"], home.environ | environ)
    try:
        _, (output, _) = home.commands(
            (dict(environ), ["dags", "reserialize"]), (dict(environ), ["dags", "test", "late"])
        )
    finally:
        triggerer.stop()
    logs = "".join(path.read_text() for path in (home.path / "logs").rglob("*attempt=1.log*"))
    assert "late: TaskDeferred" in logs, output
    assert home.query("SELECT state FROM task_instance WHERE dag_id = 'late'") == [("success",)], output
    assert len(aws.versions("deferral")) == 1
