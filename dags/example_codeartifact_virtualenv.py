"""Example: install a package from CodeArtifact when the task runs, even in a worker that is older than a token."""

# Airflow skips a file that does not contain both words, "airflow" and "dag" (core.dag_discovery_safe_mode).

from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from mwaa_codeartifact.compat import DAG, Param
from mwaa_codeartifact.compat_tasks import PythonVirtualenvOperator
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor

# MWAA syncs it to this folder every 30 seconds. Pass pip its path, never its content, which would show the token.
INDEX_URL_FILE = str(Path(__file__).with_name("codeartifact.txt"))


def installed_version(package: str) -> str:
    """Return a package's version. This runs in the virtual environment, so it has its own imports."""
    from importlib.metadata import version

    return version(package)


# Airflow 2 needs the package virtualenv for this task. MWAA's images have it; elsewhere, add it to requirements.txt.
if find_spec("airflow.sdk") or find_spec("virtualenv"):
    with DAG(
        "example_codeartifact_virtualenv",
        description="Install a package into a virtual environment for one task",
        schedule=None,
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        params={"package": Param("numpy", type="string", description="The package, without a version")},
        tags=["codeartifact", "example"],
    ):
        index_url_is_fresh = CodeArtifactIndexUrlFreshSensor(
            task_id="index_url_is_fresh",
            aws_conn_id=None,  # the environment's own role
            timeout=timedelta(hours=1).total_seconds(),
        )
        show_version = PythonVirtualenvOperator(
            task_id="installed_version",
            python_callable=installed_version,
            op_args=["{{ params.package }}"],
            requirements=["{{ params.package }}"],
            pip_install_options=["-r", INDEX_URL_FILE],
            system_site_packages=False,
            # A new line needs up to 30 seconds from S3 to this worker.
            retries=2,
            retry_delay=timedelta(seconds=45),
        )
        index_url_is_fresh >> show_version
