"""An Airflow DAG that installs without waiting for a fresh line; copied into the DAGs folder of a test."""

from datetime import UTC, datetime
from pathlib import Path

from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.compat_tasks import task

with DAG("without_sensor", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False):

    @task.virtualenv(
        requirements=["in-house-package"],
        pip_install_options=["-r", str(Path(__file__).with_name("codeartifact.txt"))],
        system_site_packages=False,
    )
    def install() -> None:
        """Do nothing more."""

    install()
