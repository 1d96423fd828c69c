"""Use a package that was installed from CodeArtifact in an Airflow task, and show from where it came."""

# Airflow passes over a file in which the words "airflow" and "dag" do not both occur (core.dag_discovery_safe_mode).

from datetime import UTC, datetime

from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.compat_tasks import task

with DAG(
    "example_codeartifact",
    description="Print a numpy array, and from where numpy was imported",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["codeartifact", "example"],
):

    @task
    def print_array() -> dict[str, str]:
        """Import numpy where it is used: a parse of this file must not depend on the package."""
        import numpy as np

        array = np.arange(6).reshape(2, 3)
        print(array)  # noqa: T201  (a task's print is its log)
        print(f"numpy {np.__version__} from {np.__file__}")  # noqa: T201
        return {"array": str(array.tolist()), "version": np.__version__, "path": np.__file__}

    print_array()
