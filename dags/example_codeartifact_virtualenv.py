"""Install a package from CodeArtifact when the task runs, also in a worker that has lived longer than a token."""

# Airflow passes over a file in which the words "airflow" and "dag" do not both occur (core.dag_discovery_safe_mode).

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from mwaa_codeartifact.compat import DAG, Param
from mwaa_codeartifact.compat_tasks import PythonVirtualenvOperator
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor

# Synced beside this file every 30 seconds. Give pip its path, nowhere its content: that would show the token.
INDEX_URL_FILE = str(Path(__file__).with_name("codeartifact.txt"))


def tell_version(package: str) -> str:
    """Tell what was installed; runs in the virtual environment, so it imports what it uses."""
    from importlib.metadata import version

    return version(package)


# Airflow 2 makes virtual environments with this package, and refuses the task without. MWAA's images hold it;
# elsewhere, name it in requirements.txt.
if find_spec("airflow.sdk") or find_spec("virtualenv"):
    with DAG(
        "example_codeartifact_virtualenv",
        description="Install a package into a virtual environment of the task's own",
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        params={"package": Param("numpy", type="string", description="What is installed, without a version")},
        tags=["codeartifact", "example"],
    ):
        index_url_is_fresh = CodeArtifactIndexUrlFreshSensor(
            task_id="index_url_is_fresh",
            aws_conn_id=None,  # the environment's own role
            timeout=timedelta(hours=1).total_seconds(),
        )
        tell = PythonVirtualenvOperator(
            task_id="tell_version",
            python_callable=tell_version,
            op_args=["{{ params.package }}"],
            requirements=["{{ params.package }}"],
            pip_install_options=["-r", INDEX_URL_FILE],
            system_site_packages=False,
            # A line that was just refreshed takes up to 30 seconds from S3 to this worker.
            retries=2,
            retry_delay=timedelta(seconds=45),
        )
        index_url_is_fresh >> tell
