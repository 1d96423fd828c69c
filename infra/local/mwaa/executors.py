"""Where an environment's tasks run, and on which database: two ways, one of them as on MWAA."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.local.mwaa.postgres import Postgres

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.mwaa.container import Container
    from infra.local.mwaa.majors import Major
    from infra.local.mwaa.surroundings import Surroundings

    Program = tuple[str, Container, tuple[str, ...]]


class LocalTasks:
    """Run tasks below the scheduler, on SQLite: the embedded default.

    A scheduler with a LocalExecutor is a worker too, so its process runs in the first worker's file system; the other
    workers start as MWAA's do and then idle.

    :param folder: of the database.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environ = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db"}

    def open(self) -> None:
        """Make what outlives the containers."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Do nothing: a file is all there is."""

    @staticmethod
    def programs(major: Major, containers: list[Container]) -> list[Program]:
        """Return what runs besides the web server: a name, the container and Airflow's command each."""
        workers = [each for each in containers if each.component in {"Worker", "Hybrid"}]
        schedulers = [each for each in containers if each.component in {"Scheduler", "Hybrid"}]
        return [
            (service[0], workers[0] if service[0] == "scheduler" else schedulers[0], service)
            for service in major.services
        ]


class CeleryTasks:
    """Run tasks in every worker, through Celery and a queue of SQS, on PostgreSQL, as MWAA does.

    Image: config/airflow.py, config/celery.py, config/sqs.py.

    :param environment_id: which the queue's name holds.
    :param around: where AWS is.
    """

    def __init__(self, environment_id: str, around: Surroundings) -> None:
        self._queue, self._around = f"airflow-celery-{environment_id}", around
        self._postgres = Postgres()
        self.environ: dict[str, str] = {}

    def open(self) -> None:
        """Make the queue, in MWAA's stead, and start the database."""
        url = self._around.client("sqs").create_queue(QueueName=self._queue)["QueueUrl"]
        database = self._postgres.start()
        transport = {
            "predefined_queues": {self._queue: {"url": url}, "default": {"url": url}},
            "is_secure": False,
            "region": self._around.region,
            "visibility_timeout": 43200,
        }
        self.environ = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
            "AIRFLOW__CELERY__BROKER_URL": self._around.endpoint_url().replace("http:", "sqs:"),
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://{database}",
            "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": json.dumps({"broker_transport_options": transport}),
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            "AIRFLOW__CELERY__WORKER_ENABLE_REMOTE_CONTROL": "False",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__OPERATORS__DEFAULT_QUEUE": self._queue,
        }

    def close(self) -> None:
        """Stop the database."""
        self._postgres.stop()

    @staticmethod
    def programs(major: Major, containers: list[Container]) -> list[Program]:
        """Return what runs besides the web server: a name, the container and Airflow's command each."""
        workers = [each for each in containers if each.component in {"Worker", "Hybrid"}]
        scheduler = next(each for each in containers if each.component in {"Scheduler", "Hybrid"})
        return [
            *((service[0], scheduler, service) for service in major.services),
            *((f"celery-{each.host}", each, ("celery", "worker", "--skip-serve-logs")) for each in workers),
        ]
