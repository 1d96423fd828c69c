"""Run Airflow commands one after the other in one process, which starts Airflow once instead of once for each.

Takes a JSON list of [environment, arguments] on standard input; an environment variable of None is unset. After each
command it prints a line with MARK and the exit code.

`dags test` runs a task in its own process and masks nothing in its log; here it runs every task as a worker
does, in a process of its own, and with a log file.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

MARK = "=== the command ended with"


def run(environ: dict[str, str | None], arguments: list[str]) -> object:
    for name, value in environ.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    start_airflow()
    sys.argv = ["airflow", *arguments]
    try:
        sys.modules["airflow.__main__"].main()
    except SystemExit as end:
        return end.code
    return 0


def start_airflow() -> None:
    """Import Airflow, which reads the environment at that moment."""
    import_module("airflow.__main__")
    import_module("airflow.providers.amazon.aws.hooks.base_aws")  # once here instead of once in every task's process
    try:
        supervisor: Any = import_module("airflow.sdk.execution_time.supervisor")
        supervisor.run_task_in_process = run_as_a_worker_does
        # Like Airflow 3.3: each takes seconds to make.
        supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)
    except ImportError:
        dag: Any = import_module("airflow.models.dag")
        dag._run_task = run_as_a_worker_of_airflow_2_does  # noqa: SLF001  (there is no public seam)


def run_as_a_worker_of_airflow_2_does(*, ti: Any, **_: Any) -> None:
    """Run a task as LocalExecutor does; `dags test` looks for its state in the database."""
    worker: Any = import_module("airflow.executors.local_executor").LocalWorkerBase(result_queue=None)
    worker._execute_work_in_fork(ti.command_as_list(local=True, ignore_ti_state=True))  # noqa: SLF001  (as above)
    ti.refresh_from_db()
    end_unless_it_ran(ti.state)


def end_unless_it_ran(state: str) -> None:
    """End the command if no worker could run the task, because `dags test` would retry for ever."""
    if state == "scheduled":
        raise SystemExit("no worker could run the task")


def run_as_a_worker_does(ti: Any, task: Any) -> Any:
    """Run a task in a process of its own, and return what `dags test` expects."""
    from airflow.executors.workloads import BundleInfo  # noqa: PLC0415
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    supervisor: Any = import_module("airflow.sdk.execution_time.supervisor")
    try:
        supervisor.supervise(
            ti=ti,
            bundle_info=BundleInfo(name="dags-folder"),
            dag_rel_path=Path(task.dag.fileloc).name,
            token="",
            client=supervisor.InProcessTestSupervisor._api_client(task.dag),  # noqa: SLF001  (the one of `dags test`)
            log_path=f"{ti.dag_id}/{ti.run_id}/attempt={ti.try_number}.log",
        )
    except Exception:  # noqa: BLE001  (the state shows every failure)
        traceback.print_exc()
    with create_session() as session:  # by its name: a task that is to be tried again gets a new id
        state = session.query(TaskInstance.state).filter_by(dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id)
        state = state.scalar()
    end_unless_it_ran(state)
    return SimpleNamespace(msg=None, ti=SimpleNamespace(state=state, task=task))


if __name__ == "__main__":
    for step in json.load(sys.stdin):
        code = run(*step)
        sys.stderr.flush()
        print(f"{MARK} {code}", flush=True)  # noqa: T201  (read by the process that started this one)
