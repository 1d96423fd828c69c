"""Example: use a package from CodeArtifact in an Airflow task, and print where it was installed."""

# Airflow skips a file that does not contain both words, "airflow" and "dag" (core.dag_discovery_safe_mode).

from datetime import UTC, datetime

from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.compat_tasks import task

with DAG(
    "example_codeartifact",
    description="Print a numpy array, and the path of numpy",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["codeartifact", "example"],
):

    @task
    def print_array() -> dict[str, str]:
        """Print an array. The import is here because the parse of this file must not depend on the package."""
        import numpy as np

        array = np.arange(6).reshape(2, 3)
        print(array)  # noqa: T201  (a task's print is its log)
        print(f"numpy {np.__version__} from {np.__file__}")  # noqa: T201
        return {"array": str(array.tolist()), "version": np.__version__, "path": np.__file__}

    print_array()
