"""Where the page gets its facts: the target from Airflow's configuration, its status from S3, the DAG from Airflow."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config

from mwaa_codeartifact.core.config import Target
from mwaa_codeartifact.core.errors import ConfigError
from mwaa_codeartifact.core.index_url import format_time
from mwaa_codeartifact.core.status import Status
from mwaa_codeartifact.core.watch import Watch
from mwaa_codeartifact.settings import REFRESH_DAG, setting_name, target_settings

# The page is to answer within five seconds, also where S3 does not.
_CLIENT_CONFIG = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})

log = logging.getLogger(__name__)
_one_at_a_time = Lock()


@dataclass(frozen=True, kw_only=True)
class Dag:
    """Tell when the refresh DAG runs next.

    :param problem: why that is not known (default: empty, it is).
    :param is_paused: whether it is paused (default: False).
    :param next_run_at: when its next run is due, UTC; None when none is (default).
    """

    problem: str = ""
    is_paused: bool = False
    next_run_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Render as JSON types."""
        return {
            "dag_id": REFRESH_DAG,
            "is_paused": None if self.problem else self.is_paused,
            "next_run_at": self.next_run_at and format_time(self.next_run_at),
            "problem": self.problem,
        }


def statuses() -> list[Status]:
    """Give the status of each target; that it could not be asked for is one, too."""
    try:
        target = Target.from_settings(target_settings(), named=setting_name)
        with _one_at_a_time:
            watch = _watch(target)
        return [watch.status()]
    except ConfigError as error:
        sentence = str(error)
    except Exception as error:
        # Whatever it is, who looks gets a sentence, and who operates gets the trace.
        log.exception("The status of the index-url could not be asked for")
        sentence = f"The status could not be asked for ({type(error).__name__}): the web server's log says more."
    return [Status(verdict="unknown", sentence=sentence, asked_at=datetime.now(UTC))]


def refresh_dag() -> Dag:
    """Ask Airflow's database for the refresh DAG."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    try:
        with create_session() as session:
            found = session.get(DagModel, REFRESH_DAG)
            if found is None:
                return Dag(
                    problem=f"Airflow has no DAG {REFRESH_DAG}: see that its file is in dags/ and has no import error."
                )
            return Dag(is_paused=bool(found.is_paused), next_run_at=found.next_dagrun_create_after)
    except Exception as error:
        log.exception("The refresh DAG could not be asked for")
        return Dag(problem=f"Airflow's database could not be asked ({type(error).__name__}).")


@lru_cache(maxsize=8)
def _watch(target: Target) -> Watch:
    session = boto3.Session()
    region = session.region_name or target.region
    return Watch(target, session.client("s3", region_name=region, config=_CLIENT_CONFIG))
