"""Where the page gets its facts: the target from Airflow's configuration, its status from S3, the DAG from Airflow."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from mwaa_codeartifact.core.errors import ConfigError
from mwaa_codeartifact.core.target import Target
from mwaa_codeartifact.packages import MissingPackageError, needs_amazon_provider
from mwaa_codeartifact.settings import setting_name, target_settings
from mwaa_codeartifact.status.verdict import Judgement, Status

if TYPE_CHECKING:
    from mwaa_codeartifact.status.dag_state import DagState
    from mwaa_codeartifact.status.watch import Watch

log = logging.getLogger(__name__)
_one_at_a_time = Lock()


def statuses(dag: DagState | None) -> list[Status]:
    """Return the status of each target; that it could not be asked for is one, too.

    :param dag: what Airflow knows of the refresh DAG; None where that is not known.
    """
    try:
        target = Target.from_settings(target_settings(), named=setting_name)
        with _one_at_a_time, needs_amazon_provider():
            watch = _watch(target)
        return [watch.status(dag)]
    except ConfigError as error:
        judgement = Judgement.unknown("settings missing", str(error))
    except MissingPackageError as error:
        judgement = Judgement.unknown("package missing", str(error))
    except Exception as error:
        # Whatever it is, who looks gets a sentence, and who operates gets the trace.
        log.exception("The status of the index-url could not be asked for")
        sentence = f"The status could not be asked for ({type(error).__name__}): the web server's log says more."
        judgement = Judgement.unknown("internal error", sentence)
    return [Status(judgement=judgement, asked_at=datetime.now(UTC))]


@lru_cache(maxsize=8)
def _watch(target: Target) -> Watch:
    # Imported here: without boto3 the page still has to say what is missing.
    import boto3
    from botocore.config import Config

    from mwaa_codeartifact.status.watch import Watch

    # The page is to answer within five seconds, also where S3 does not.
    config = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
    session = boto3.Session()
    region = session.region_name or target.region
    return Watch(target, session.client("s3", region_name=region, config=config))
