"""One MWAA environment: its statuses, the changes that lead from one to the next, and the Airflow behind them."""

from __future__ import annotations

import itertools
import secrets
import shutil
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends

from infra.local.moto.iam import propagation_seconds
from infra.local.mwaa import agents
from infra.local.mwaa.airflow import Airflow
from infra.local.mwaa.celery_executor import celery_tasks
from infra.local.mwaa.configuration import LOG_MODULES, Configuration, Surroundings
from infra.local.mwaa.container import Container
from infra.local.mwaa.image import image_python
from infra.mwaa_facts import BUSY_STATUSES, LOG_COMPONENTS, SYNC_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Environment:
    """One environment; its configurations have passed the rules."""

    status: str

    def __init__(self, configuration: Configuration, around: Surroundings, *, run_airflow: bool) -> None:
        self.configuration, self._around, self._run_airflow = configuration, around, run_airflow
        self.name = str(configuration["Name"])
        self.airflow: Airflow | None = None
        self._coming: Airflow | None = None
        self._id = str(uuid.uuid4())
        self._queue = f"airflow-celery-{self._id}"
        self._created = time.time()
        self._folder = around.folder / self.name
        self._numbers = itertools.count(1)
        self._opened, self._stopped = ExitStack(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._logs = logs_backends[DEFAULT_ACCOUNT_ID][around.region]
        for component in LOG_COMPONENTS:
            self._logs.ensure_log_group(f"airflow-{self.name}-{component}")
        self._begin("CREATING", configuration)
        self._run(self._keep_in_sync)

    @property
    def container(self) -> Container:
        """Return the container in which tasks run."""
        assert self.airflow  # noqa: S101  (the caller has waited)
        return next(each for each in self.airflow.containers if each.runs_tasks)

    def update(self, configuration: Configuration) -> None:
        """Start to replace the containers by new ones with another configuration."""
        self._begin("UPDATING", configuration)
        self._last_update["WorkerReplacementStrategy"] = configuration["WorkerReplacementStrategy"]

    def wait(self, seconds: float) -> None:
        """Wait until the status is not a busy one; raise a TimeoutError after this many seconds."""
        deadline = time.monotonic() + seconds
        while self.status in BUSY_STATUSES:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is still {self.status} after {seconds} s")
            time.sleep(0.1)

    @contextmanager
    def held(self, status: str) -> Iterator[None]:
        """Keep the environment in PENDING or MAINTENANCE while the context is entered. API, EnvironmentStatus."""
        before, self.status = self.status, status
        yield
        self.status = before

    def stop(self) -> None:
        """Stop the containers, including those that are starting, and wait until everything has ended."""
        self._stopped.set()
        for airflow in filter(None, {self._coming, self.airflow}):
            airflow.stop()
        for thread in self._threads:
            thread.join()
        self._opened.close()

    def delete(self) -> None:
        """Stop the environment and delete its files, but not its logs, as MWAA does."""
        self.status = "DELETING"
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def describe(self) -> dict[str, Any]:
        """Return the answer of GetEnvironment."""
        region, logs = self._around.region, self.configuration["LoggingConfiguration"]
        group = f"arn:aws:logs:{region}:{DEFAULT_ACCOUNT_ID}:log-group:airflow-{self.name}-"
        return {
            **{key: value for key, value in self.configuration.items() if key != "WorkerReplacementStrategy"},
            "Arn": self._around.arn(self.name),
            "Status": self.status,
            "CreatedAt": self._created,
            "LoggingConfiguration": {
                module: {**logs[module], "CloudWatchLogGroupArn": group + component}
                for component, module in LOG_MODULES.items()
                if module in logs
            },
            "WebserverUrl": f"127.0.0.1:{self._around.port}",
            "CeleryExecutorQueue": f"arn:aws:sqs:{region}:{agents.SERVICE_ACCOUNT}:{self._queue}",
            "LastUpdate": self._last_update,
        }

    def _begin(self, status: str, configuration: Configuration) -> None:
        """Start a creation or an update; LastUpdate describes only this one."""
        if self._run_airflow:
            image_python(configuration["AirflowVersion"])
        self.status, self.error = status, ""
        self._last_update: dict[str, Any] = {"Status": "PENDING", "CreatedAt": time.time()}
        self._run(partial(self._replace_containers, configuration))

    def _run(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work, name=f"mwaa-{self.name}", daemon=True))
        self._threads[-1].start()

    def _replace_containers(self, configuration: Configuration) -> None:
        """Replace the containers by some of a new configuration; if these fail, keep or restart the old ones."""
        old, self._coming = self.airflow, None
        another_version = configuration["AirflowVersion"] != self.configuration["AirflowVersion"]
        has_stopped = False
        try:
            # The new containers start next to the old ones, which a failure there does not affect.
            self._coming = self._make(configuration)
            self._stopped.wait(propagation_seconds())  # on MWAA the containers start minutes after the role
            self._coming.prepare(migrate=old is None or another_version)
            has_stopped = True
            # GRACEFUL keeps the old workers next to the new ones until their tasks have ended.
            if old and configuration["WorkerReplacementStrategy"] == "GRACEFUL":
                old.release(self._around.graceful_seconds)
            elif old:
                old.stop()
            self._coming.start()
            if old:
                old.remove()
        except Exception as error:  # noqa: BLE001  (the environment's status reports every error)
            self.status = "ROLLING_BACK" if old else self.status
            if self._coming:
                self._coming.remove()
            self._roll_back(old, error, has_stopped=has_stopped)
        else:
            self.airflow, self.configuration = self._coming, configuration
            self._end("AVAILABLE")

    def _roll_back(self, old: Airflow | None, error: Exception, *, has_stopped: bool) -> None:
        """Return to the last good configuration. API, EnvironmentStatus: UNAVAILABLE if that fails too."""
        try:
            if old and has_stopped and not self._stopped.is_set():
                old.stop()
                old.start()
        except RuntimeError as another:
            self._end("UNAVAILABLE", another)
        else:
            self._end(self._around.rolls_back_to if old else "CREATE_FAILED", error)

    def _make(self, configuration: Configuration) -> Airflow:
        agents.check(configuration, self._id, self._around)
        components = configuration.components if self._run_airflow else ()
        containers = [self.new_container(self._around.say, each, configuration) for each in components]
        has_way_out = self._around.network(*configuration.network).has_way_out
        reached = configuration["WebserverAccessMode"] != "PUBLIC_ONLY" or has_way_out
        return Airflow(containers=containers, workers_reach_web_server=reached, **self._lasting)

    @cached_property
    def _lasting(self) -> dict[str, Any]:
        """Return what all containers share in turn; the first call starts the database."""
        tasks = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._folder}/airflow.db"}
        if self._run_airflow and self._around.executor == "celery":
            tasks = self._opened.enter_context(celery_tasks(self._queue, self._around))
        return {
            "logs": self._folder / "logs",
            "port": self._around.port,
            "password": secrets.token_urlsafe(9),
            "secret": secrets.token_hex(),
            "tasks": tasks,
            "stopped": self._stopped,
        }

    def new_container(
        self, say: Callable[[str], None], component: str = "Worker", configuration: Configuration | None = None
    ) -> Container:
        """Make one more container, not started yet, with the current or a new configuration."""
        configuration, around = configuration or self.configuration, self._around
        name = f"{component.lower()}-{next(self._numbers)}"
        aws = {
            "AWS_ENDPOINT_URL": around.endpoint_url(),
            "AWS_REGION": around.region,
            "AWS_DEFAULT_REGION": around.region,
            **around.credentials(configuration["ExecutionRoleArn"], "airflow-env.amazonaws.com", self.name),
        }
        if proxy := around.proxy_url(*configuration.network):
            # Airflow's components reach each other without it.
            proxies = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": f"127.0.0.1:{around.port}"}
            aws |= proxies | {key.upper(): value for key, value in proxies.items()}
        root = self._folder / name
        return Container(root, configuration, aws, lambda line: say(f"{name}: {line}"), self._keep_log, component)

    def _keep_log(self, component: str, stream: str, lines: list[str]) -> None:
        group, now = f"airflow-{self.name}-{component}", int(time.time() * 1000)
        self._logs.create_log_stream(group, stream)
        self._logs.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in lines if line])

    def _end(self, status: str, error: Exception | None = None) -> None:
        """Record the end of a creation or an update."""
        if error is None:
            self._last_update["Status"] = "SUCCESS"
        elif self._stopped.is_set():
            return
        else:
            self.error = agents.ERROR_MESSAGE if isinstance(error, agents.AgentError) else str(error)
            details = {"ErrorCode": agents.ERROR_CODE, "ErrorMessage": self.error[:1024] or "no reason"}
            self._last_update |= {"Status": "FAILED", "Error": details}
        self.status = status
        self._around.say(f"{status}: {error}" if error else f"AVAILABLE at http://127.0.0.1:{self._around.port}")

    def _keep_in_sync(self) -> None:
        while not self._stopped.wait(SYNC_SECONDS):
            for container in self.airflow.containers if self.airflow else ():
                try:
                    container.sync_dags()
                except (BotoCoreError, ClientError, OSError) as error:
                    self._around.say(f"the sync of dags/ failed, the next try is in {SYNC_SECONDS} s: {error}")
