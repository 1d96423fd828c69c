"""The maintenance DAG: it keeps the environment's CodeArtifact index-url valid from inside Airflow."""

from datetime import UTC, datetime, timedelta

from mwaa_codeartifact.compat import DAG, Asset, Param
from mwaa_codeartifact.core.policy import (
    DAG_INTERVAL,
    DAG_MIN_REMAINING,
    LAMBDA_MIN_REMAINING,
    TOKEN_LIFETIME,
    in_hours,
)
from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator
from mwaa_codeartifact.settings import target_settings

# Paragraphs and lists only: Airflow 3.0 makes a block of each piece of inline code, and cuts tables on narrow screens.
DOC = f"""
### Refresh the CodeArtifact index-url

Every hour, this DAG checks the token in the index-url file. If less than {in_hours(DAG_MIN_REMAINING)} of its
{in_hours(TOKEN_LIFETIME)} hours are left, it mints a new token, verifies that the repository accepts it, and publishes
it. So {in_hours(TOKEN_LIFETIME - DAG_INTERVAL)} hours are always left while the runs succeed. The result of a run,
without the token, is the task's return value (XCom).

**If a run fails**, nothing is lost yet: the old line is unchanged, and the Lambda refresher takes over when fewer than
{in_hours(LAMBDA_MIN_REMAINING)} hours are left. The last line of the task's log contains the error and its fix:

- *Could not read the settings*: correct the named option (codeartifact.…) of the environment.
- *access denied: allow …*: add the named action to the environment's execution role.
- *not found*: check domain, owner, repository and region against CodeArtifact.
- *could not be reached*, *no answer*: check the VPC endpoints codeartifact.api and codeartifact.repositories.
- *the repository rejects it*: allow codeartifact:ReadFromRepository in the execution role's policy.

**To refresh at once**, trigger the DAG with min_remaining_hours = {in_hours(TOKEN_LIFETIME)}.

**The status of the index-url**, now and in the last two days, is on the [status page](/codeartifact/).
"""

# The task runs before all others, so that the token does not expire while other tasks fill the workers.
HIGHEST_PRIORITY = 1_000_000
MAX_HOURS = TOKEN_LIFETIME / timedelta(hours=1)

destination = target_settings()["destination"]

with DAG(
    "refresh_codeartifact_index_url",
    description="Keep the index-url that pip uses for CodeArtifact valid",
    doc_md=DOC,
    schedule="@hourly",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    params={
        "min_remaining_hours": Param(
            DAG_MIN_REMAINING / timedelta(hours=1),
            type="number",
            minimum=0,
            maximum=MAX_HOURS,
            description=f"Refresh if fewer hours are left; {MAX_HOURS:g}: at once",
        )
    },
    default_args={
        "retries": 4,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=10),
        "priority_weight": HIGHEST_PRIORITY,
        "weight_rule": "absolute",
    },
    tags=["codeartifact", "maintenance"],
):
    CodeArtifactRefreshIndexUrlOperator(
        task_id="refresh_index_url",
        min_remaining_hours="{{ params.min_remaining_hours }}",
        aws_conn_id=None,  # the environment's own role; the templates allow it to refresh
        outlets=[Asset(destination)] if destination else [],
    )
