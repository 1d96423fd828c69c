"""Tasks in every worker, as on MWAA, through Celery, an SQS queue and PostgreSQL, which must be installed."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.local.mwaa.processes import end, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.mwaa.configuration import Surroundings

_START_SECONDS = 30


@contextmanager
def celery_tasks(queue: str, around: Surroundings) -> Iterator[dict[str, str]]:
    """Run PostgreSQL and create the queue; yield Airflow's variables for both, as in MWAA's image.

    Image: config/airflow.py, config/celery.py, config/sqs.py.
    """
    url = around.client("sqs").create_queue(QueueName=queue)["QueueUrl"]
    transport = {
        "predefined_queues": {queue: {"url": url}, "default": {"url": url}},
        "is_secure": False,
        "region": around.region,
        "visibility_timeout": 43200,
    }
    with _postgres() as database:
        yield {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
            "AIRFLOW__CELERY__BROKER_URL": around.endpoint_url().replace("http:", "sqs:"),
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://{database}",
            "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": json.dumps({"broker_transport_options": transport}),
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            "AIRFLOW__CELERY__WORKER_ENABLE_REMOTE_CONTROL": "False",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__OPERATORS__DEFAULT_QUEUE": queue,
        }


@contextmanager
def _postgres() -> Iterator[str]:
    """Run PostgreSQL with an empty database while the context is entered; yield its URL from after the ``//``.

    Its socket is in a folder that only its user can read. It cannot run as root, so it runs as postgres or nobody then.

    :raises RuntimeError: if PostgreSQL is not installed or does not start.
    """
    initdb = shutil.which("initdb") or max(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default="")
    if not initdb:
        raise RuntimeError("PostgreSQL is not installed here: install it, or put its initdb on PATH")
    programs = Path(initdb).resolve().parent
    names = {entry.pw_name for entry in pwd.getpwall()}
    user: dict[str, Any] = {} if os.geteuid() else {"user": "postgres" if "postgres" in names else "nobody"}
    with tempfile.TemporaryDirectory(prefix="mwaa-postgres-", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, **user)
        make = [f"{programs}/initdb", "-D", f"{folder}/data", "-U", "airflow", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*make, "--locale=C"], check=True, capture_output=True, cwd=folder, **user)
        serve = [f"{programs}/postgres", "-D", f"{folder}/data", "-h", "", "-k", folder, "-c", "fsync=off"]
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = start(serve, cwd=folder, stdout=output, stderr=output, **user)
        try:
            create = [f"{programs}/createdb", "-h", folder, "-U", "airflow", "airflow"]
            deadline = time.monotonic() + _START_SECONDS
            while subprocess.run(create, env={"PATH": os.defpath}, capture_output=True, check=False).returncode:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}")
                time.sleep(0.2)
            yield f"airflow@/airflow?host={folder}"
        finally:
            end(process)
