"""Keep the environment's CodeArtifact index-url alive from inside Airflow."""

from datetime import UTC, datetime, timedelta

from mwaa_codeartifact.compat import DAG, Asset, Param
from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator
from mwaa_codeartifact.settings import target_settings

# Paragraphs and lists only: Airflow 3.0 makes a block of each piece of inline code, and cuts tables on narrow screens.
DOC = """
### Refresh the CodeArtifact index-url

Every hour: if the token in the index-url file has less than 11½ of its 12 hours left, mint a new one, verify that the
repository answers to it, and publish it; so 11 hours are always left, while the runs succeed. The result of a run,
without the token, is the task's return value (XCom).

**When it is red**, nothing is lost yet: the old line still stands, and the Lambda refresher takes over when
fewer than 9 hours are left. The last line of the task's log names what failed and how to fix it:

- *Could not read the settings*: correct the named option (codeartifact.…) of the environment.
- *access denied: allow …*: add the named action to the environment's execution role.
- *not found*: check domain, owner, repository and region against CodeArtifact.
- *could not be reached*, *no answer*: check the VPC endpoints codeartifact.api and codeartifact.repositories.
- *the repository rejects it*: allow codeartifact:ReadFromRepository to the execution role.

**To refresh at once**, trigger the DAG with min_remaining_hours = 12.

**How the index-url is now**, and how it was in the last two days: [status page](/codeartifact/).
"""

# Workers that are full of other tasks must not let the token die: this task goes first.
BEFORE_ALL_OTHERS = 1_000_000

destination = target_settings()["destination"]

with DAG(
    "refresh_codeartifact_index_url",
    description="Keep the index-url that pip uses for CodeArtifact alive",
    doc_md=DOC,
    schedule="@hourly",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    params={
        "min_remaining_hours": Param(
            11.5, type="number", minimum=0, maximum=12, description="Refresh when fewer hours are left; 12: at once"
        )
    },
    default_args={
        "retries": 4,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=10),
        "priority_weight": BEFORE_ALL_OTHERS,
        "weight_rule": "absolute",
    },
    tags=["codeartifact", "maintenance"],
):
    CodeArtifactRefreshIndexUrlOperator(
        task_id="refresh_index_url",
        min_remaining_hours="{{ params.min_remaining_hours }}",
        aws_conn_id=None,  # the environment's own role, which the templates give the right to refresh
        outlets=[Asset(destination)] if destination else [],
    )
