"""Where an environment's tasks run, and on which database: two ways, one of them as on MWAA."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.local.mwaa.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.mwaa.container import Container
    from infra.local.mwaa.majors import Major
    from infra.local.mwaa.surroundings import Surroundings

    Program = tuple[str, Container, tuple[str, ...]]


@contextmanager
def local_tasks(folder: Path) -> Iterator[dict[str, str]]:
    """Run tasks below the scheduler, on SQLite in a folder: the embedded default; return Airflow's variables."""
    folder.mkdir(parents=True, exist_ok=True)
    yield {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db"}


@contextmanager
def celery_tasks(queue: str, around: Surroundings) -> Iterator[dict[str, str]]:
    """Run tasks in every worker, through Celery and a queue of SQS, on PostgreSQL, as MWAA does.

    Image: config/airflow.py, config/celery.py, config/sqs.py.
    """
    url = around.client("sqs").create_queue(QueueName=queue)["QueueUrl"]
    transport = {
        "predefined_queues": {queue: {"url": url}, "default": {"url": url}},
        "is_secure": False,
        "region": around.region,
        "visibility_timeout": 43200,
    }
    with postgres() as database:
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


def programs(major: Major, containers: list[Container], port: int, *, celery: bool) -> list[Program]:
    """Return what runs: a name, the container and Airflow's command each.

    A scheduler with a LocalExecutor is a worker too, so its process runs in the first worker's file system; the other
    workers start as MWAA's do and then idle.

    :param port: of the web server.
    """
    workers = [each for each in containers if each.runs_tasks]
    scheduler, *_, web = containers
    places = {major.web[0]: web} if celery else {major.web[0]: web, "scheduler": workers[0]}
    found = [(each[0], places.get(each[0], scheduler), each) for each in (*major.services, (*major.web, str(port)))]
    celery_command = ("celery", "worker", "--skip-serve-logs")
    return found + [(f"celery-{each.host}", each, celery_command) for each in workers if celery]
