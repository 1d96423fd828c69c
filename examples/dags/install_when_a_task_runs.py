"""Install a package when a task runs: an example DAG for Airflow."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.compat_tasks import task
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor

INDEX_URL_FILE = str(Path(__file__).with_name("codeartifact.txt"))  # synced next to the DAG files

with DAG("install_when_a_task_runs", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False):

    @task.virtualenv(
        requirements=["in-house-package==7.0"],
        pip_install_options=["-r", INDEX_URL_FILE],
        system_site_packages=False,
        retries=2,
        retry_delay=timedelta(seconds=45),
    )
    def use_it() -> str:
        """Use the package; the function runs in the new environment, so it imports what it needs."""
        from importlib.metadata import version

        return version("in-house-package")

    CodeArtifactIndexUrlFreshSensor(task_id="index_url_is_fresh", aws_conn_id=None) >> use_it()
