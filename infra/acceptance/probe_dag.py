"""An airflow dag that reports facts about its worker; the proof uploads it."""

# The names are short: the result is read through MWAA's InvokeRestApi, which accepts paths of at most 64 characters.

import importlib
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from mwaa_codeartifact.compat import DAG, Param
from mwaa_codeartifact.compat_tasks import task

with DAG(
    "probe",
    schedule=None,
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    params={"modules": Param([], type="array", description="Modules to import")},
):

    @task(task_id="t")  # type: ignore[untyped-decorator]  # Airflow is not installed where infra/ is checked
    def look(params: dict[str, list[str]] | None = None) -> dict[str, object]:
        """Return the paths of imported modules, and facts about the container's folder of DAGs."""
        dags = Path(os.environ["AIRFLOW_HOME"], "dags")
        line = dags / "codeartifact.txt"
        sudo = shutil.which("sudo")
        return {
            "imported": {name: importlib.import_module(name).__file__ for name in (params or {}).get("modules", [])},
            "user_id": os.getuid(),
            "dags_owner_id": dags.stat().st_uid,
            "dags_is_writable": os.access(dags, os.W_OK),
            "line_is_writable": os.access(line, os.W_OK),
            "sudo_needs_no_password": bool(sudo)
            and subprocess.run([str(sudo), "-n", "true"], check=False).returncode == 0,
            "line_written_at": datetime.fromtimestamp(line.stat().st_mtime, UTC).isoformat() if line.exists() else None,
            "files": sorted(path.name for path in dags.iterdir()),
        }

    look()
