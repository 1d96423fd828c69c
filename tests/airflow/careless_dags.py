"""DAGs for tests: tasks around the operator that make mistakes on purpose.

Airflow copies of this file live in a test's own DAGs folder.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator


class CarelessOperator(CodeArtifactRefreshIndexUrlOperator):
    """An operator that refreshes, then writes the secret to the task's log in every possible way."""

    def execute(self, context: Any) -> dict[str, Any]:
        import boto3  # noqa: PLC0415  (a parse of this file must stay cheap)

        result = super().execute(context)
        bucket, _, key = result["destination"].removeprefix("s3://").partition("/")
        body = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        token = body.partition("//aws:")[2].partition("@")[0]
        self.log.info("careless: the operator's log says %s", token)
        logging.getLogger("careless").warning("careless: a logger says %s", token)
        print("careless: a print says", token)  # noqa: T201
        return result


START = datetime(2024, 1, 1, tzinfo=UTC)

with DAG("careless", schedule=None, start_date=START):
    CarelessOperator(task_id="refresh", aws_conn_id=None, min_remaining_hours=12)

with DAG("impatient", schedule=None, start_date=START):
    CodeArtifactRefreshIndexUrlOperator(
        task_id="refresh", aws_conn_id=None, min_remaining_hours=12, retries=1, retry_delay=timedelta(seconds=1)
    )
