"""The state of the refresh DAG in the environment's Airflow, read through MWAA's API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from mwaa_codeartifact.status.dag_state import DagState, Run

if TYPE_CHECKING:
    from infra.cli.aws import Aws

_REFRESH_DAG = "refresh_codeartifact_index_url"


def refresh_dag(aws: Aws, environment: str) -> tuple[DagState | None, str]:
    """Return the state of the refresh DAG (MWAA API: InvokeRestApi).

    :param aws: the runner.
    :param environment: the environment's name.
    :returns: the state and an empty text; or None and the reason why it is not known.
    """
    try:
        # The list of DAGs, because the API's errors have no status: "no such DAG" would look like "not allowed".
        dags = _airflow(aws, environment, "/dags", {"dag_id_pattern": _REFRESH_DAG, "limit": 100})["dags"]
        dag = next((dag for dag in dags if dag["dag_id"] == _REFRESH_DAG), None)
        if dag is None:
            return DagState(exists=False), ""
        newest = {"order_by": "-id", "limit": 10}
        runs = _airflow(aws, environment, f"/dags/{_REFRESH_DAG}/dagRuns", newest)["dag_runs"]
    except AwsError as error:
        return None, str(error)
    state = DagState.from_runs(
        [Run(run["state"], _begun(run), _moment(run["end_date"])) for run in runs],
        # Airflow's API v1 and v2 differ in these.
        is_active=not dag["is_stale"] if "is_stale" in dag else dag.get("is_active") is not False,
        has_import_errors=bool(dag.get("has_import_errors")),
        is_paused=bool(dag["is_paused"]),
        next_run_at=_moment(dag.get("next_dagrun_run_after") or dag.get("next_dagrun_create_after")),
    )
    return state, ""


def _airflow(aws: Aws, environment: str, path: str, query: dict[str, Any]) -> dict[str, Any]:
    options = ["--method", "GET", "--path", path, "--query-parameters", json.dumps(query)]
    answer: dict[str, Any] = aws.call("mwaa", "invoke-rest-api", "--name", environment, *options)["RestApiResponse"]
    return answer


def _begun(run: dict[str, Any]) -> datetime:
    # A queued run of API v1 has neither.
    return _moment(run.get("start_date") or run.get("queued_at")) or datetime.now(UTC)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
