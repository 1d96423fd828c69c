"""Read the state of the refresh DAG from Airflow's database: at most three short queries, each by an index."""

from __future__ import annotations

import logging

from mwaa_codeartifact.settings import REFRESH_DAG
from mwaa_codeartifact.status.dag_state import UNDER_WAY, DagState, Run

# The number of latest runs that are read: they include the current run and the one that ended last.
_RUNS = 10

log = logging.getLogger(__name__)


def refresh_dag() -> tuple[DagState | None, str]:
    """Return the state of the refresh DAG, or None and why it is not known; raise nothing."""
    try:
        return _read(), ""
    except Exception as error:
        # The page still shows the line; the log has the traceback for the operator.
        log.exception("Could not read the state of the refresh DAG")
        return None, f"Airflow's database could not be read ({type(error).__name__})."


def _read() -> DagState:
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        dag = session.get(DagModel, REFRESH_DAG)
        if dag is None:
            return DagState(exists=False)
        columns = (DagRun.run_id, DagRun.state, DagRun.queued_at, DagRun.start_date, DagRun.end_date)
        newest_first = select(*columns).where(DagRun.dag_id == REFRESH_DAG).order_by(DagRun.id.desc()).limit(_RUNS)
        runs = session.execute(newest_first).all()
        under_way = [run.run_id for run in runs if run.state in UNDER_WAY]
        retrying = select(TaskInstance.run_id).where(
            TaskInstance.dag_id == REFRESH_DAG,
            TaskInstance.run_id.in_(under_way),
            TaskInstance.state == "up_for_retry",
        )
        return DagState.from_runs(
            [Run(str(run.state), run.start_date or run.queued_at, run.end_date) for run in runs],
            # Airflow 3 calls it stale; on Airflow 2, a missing value counts as active.
            is_active=not dag.is_stale if hasattr(DagModel, "is_stale") else dag.is_active is not False,
            has_import_errors=bool(dag.has_import_errors),
            is_paused=bool(dag.is_paused),
            is_retrying=bool(under_way) and session.execute(retrying).first() is not None,
            next_run_at=dag.next_dagrun_create_after,
        )
