"""Refresh a second index-url file, of another repository: an example DAG for Airflow."""

from datetime import UTC, datetime, timedelta

from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.operators import CodeArtifactRefreshIndexUrlOperator

with DAG("refresh_another_line", schedule="@hourly", start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False):
    # Arguments that are missing here come from the section [codeartifact]: domain, domain_owner and region.
    CodeArtifactRefreshIndexUrlOperator(
        task_id="refresh",
        repository="data-science",
        destination="s3://my-bucket/dags/data-science.txt",
        aws_conn_id=None,  # the environment's own role
        retries=4,
        retry_delay=timedelta(minutes=1),
    )
