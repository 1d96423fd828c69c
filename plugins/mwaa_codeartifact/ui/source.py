"""Read the facts of the page: the target from Airflow's configuration, its status from the destination."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.errors import ConfigError
from mwaa_codeartifact.packages import MissingPackageError, needs_amazon_provider
from mwaa_codeartifact.settings import target_from, target_settings
from mwaa_codeartifact.status.verdict import Judgement, Status

if TYPE_CHECKING:
    from mwaa_codeartifact.core.target import Target
    from mwaa_codeartifact.status.dag_state import DagState
    from mwaa_codeartifact.status.watch import Watch

log = logging.getLogger(__name__)
_one_at_a_time = Lock()


def statuses(dag: DagState | None) -> list[Status]:
    """Return the status of each target; ``unknown``, with the reason, if it could not be read.

    :param dag: the state of the refresh DAG; None if it is not known.
    """
    try:
        target = target_from(target_settings())
        with _one_at_a_time, needs_amazon_provider():
            watch = _watch(target)
        return [watch.status(dag)]
    except ConfigError as error:
        judgement = Judgement.unknown("settings missing", str(error))
    except MissingPackageError as error:
        judgement = Judgement.unknown("package missing", str(error))
    except Exception as error:
        # The user gets a sentence; the log has the traceback for the operator.
        log.exception("Could not read the status of the index-url")
        sentence = f"The status could not be read ({type(error).__name__}): see the web server's log."
        judgement = Judgement.unknown("internal error", sentence)
    return [Status(judgement=judgement, asked_at=datetime.now(UTC))]


@lru_cache(maxsize=8)
def _watch(target: Target) -> Watch:
    # Imported here: without boto3 the page must still load, to show which package is missing.
    import boto3
    from botocore.config import Config

    from mwaa_codeartifact.status.watch import Watch

    # The page must be shown within five seconds, even if S3 does not respond.
    config = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
    session = boto3.Session()
    region = session.region_name or target.repository.domain.region
    return Watch(target, session.client("s3", region_name=region, config=config))
