"""One MWAA environment: its statuses, the changes that lead from one to the next, and the Airflow behind them."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.mwaa import agents
from infra.local.mwaa.airflow import Airflow, Site
from infra.local.mwaa.configuration import LOG_MODULES, Configuration
from infra.local.mwaa.container import Container
from infra.local.mwaa.executors import CeleryTasks, LocalTasks
from infra.local.mwaa.image import Image
from infra.local.mwaa.logs import Logs
from infra.mwaa_facts import BUSY_STATUSES, SYNC_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.local.mwaa.surroundings import Surroundings


class Environment:
    """Run one environment; what it is asked to become has passed the rules.

    :param properties: those of AWS::MWAA::Environment.
    :param around: what is around it.
    :param run_airflow: False: there are MWAA's statuses and its agents' checks, and no containers.
    """

    def __init__(self, properties: dict[str, Any], around: Surroundings, *, run_airflow: bool) -> None:
        self.properties, self.configuration = properties, Configuration.from_properties(properties)
        self.arn = around.arn(self.configuration.name)
        self.status, self.error = "CREATING", ""
        self.airflow: Airflow | None = None
        self._around, self._run_airflow = around, run_airflow
        self._id = str(uuid.uuid4())
        self._created = datetime.now(UTC)
        self._folder = around.folder / self.configuration.name
        self._logs = Logs(self.arn)
        local = LocalTasks(self._folder / "database")
        self._site = Site(
            logs=self._folder / "logs",
            port=around.port,
            password=secrets.token_urlsafe(9),
            secret=secrets.token_hex(),
            tasks=CeleryTasks(self._id, around) if around.executor == "celery" and run_airflow else local,
        )
        self._count = 0
        self._coming: Airflow | None = None
        self._threads: list[threading.Thread] = []
        self._last_update: dict[str, Any] = {"Status": "PENDING", "CreatedAt": self._created.timestamp()}
        self._check_image(self.configuration)
        self._begin(self._create)

    @property
    def container(self) -> Container:
        """Return the container in which tasks run."""
        assert self.airflow  # noqa: S101  (who asks for it has waited)
        return next(each for each in self.airflow.containers if each.component in {"Worker", "Hybrid"})

    def update(self, properties: dict[str, Any]) -> None:
        """Begin to replace the containers by some with another configuration."""
        configuration = Configuration.from_properties(properties)
        self._check_image(configuration)
        self.status = "UPDATING"
        self._last_update = {
            "Status": "PENDING",
            "CreatedAt": time.time(),
            "WorkerReplacementStrategy": configuration.strategy,
        }
        self._begin(self._update, properties, configuration)

    def wait(self, seconds: float) -> None:
        """Wait until MWAA is not at work on the environment.

        :raises TimeoutError: when it still is after so long.
        """
        deadline = time.monotonic() + seconds
        while self.status in BUSY_STATUSES:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.configuration.name} is still {self.status} after {seconds} s")
            time.sleep(0.1)

    @contextmanager
    def held(self, status: str) -> Iterator[None]:
        """Keep the environment in a status, such as MAINTENANCE, while the context is entered."""
        before, self.status = self.status, status
        yield
        self.status = before

    def stop(self) -> None:
        """Stop the containers, also those that only start, and wait for the end of all that runs."""
        self._site.stopped.set()
        for airflow in (self._coming, self.airflow):
            if airflow is not None:
                airflow.stop()
        for thread in self._threads:
            thread.join()
        self._site.tasks.close()

    def delete(self) -> None:
        """Stop the environment and delete what it has written, but not its logs, as MWAA does."""
        self.status = "DELETING"
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_container(self, say: Callable[[str], None], component: str = "Worker") -> Container:
        """Make a container of this environment, not started yet.

        :param say: told every line of its progress.
        :param component: which it runs.
        """
        return self._new_container(component, self.configuration, say)

    def describe(self) -> dict[str, Any]:
        """Return the answer of GetEnvironment."""
        region = self._around.region
        groups = f"arn:aws:logs:{region}:{self._around.account}:log-group:airflow-{self.configuration.name}-"
        logs = self.properties.get("LoggingConfiguration", {})
        return {
            **{key: value for key, value in self.properties.items() if key != "WorkerReplacementStrategy"},
            "Arn": self.arn,
            "Status": self.status,
            "CreatedAt": self._created.timestamp(),
            "LoggingConfiguration": {
                module: {**logs[module], "CloudWatchLogGroupArn": groups + component}
                for component, module in LOG_MODULES.items()
                if module in logs
            },
            "WebserverUrl": f"127.0.0.1:{self._site.port}",
            "CeleryExecutorQueue": f"arn:aws:sqs:{region}:{agents.SERVICE_ACCOUNT}:airflow-celery-{self._id}",
            "LastUpdate": self._last_update,
        }

    def _begin(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, name=f"mwaa-{self.configuration.name}")
        self._threads.append(thread)
        thread.start()

    def _check_image(self, configuration: Configuration) -> None:
        if self._run_airflow:
            Image(configuration.airflow_version)

    def _create(self) -> None:
        try:
            self._site.tasks.open()
            self.airflow = self._make(self.configuration)
            self.airflow.prepare(migrate=True)
            self.airflow.start()
        except Exception as error:  # noqa: BLE001  (whatever it is, the environment's status tells it)
            if self.airflow:
                self.airflow.stop()
            self._failed("CREATE_FAILED", error)
        else:
            self._succeeded()
            self._begin(self._keep_in_sync)

    def _update(self, properties: dict[str, Any], configuration: Configuration) -> None:
        old = self.airflow
        assert old  # noqa: S101  (only an environment that was created is updated)
        has_stopped = False
        try:
            # The new containers start beside the old ones: what fails there disturbs nobody.
            self._coming = self._make(configuration)
            self._coming.prepare(migrate=configuration.airflow_version != self.configuration.airflow_version)
            has_stopped = True
            self._replace(old, self._coming, configuration.strategy)
        except Exception as error:  # noqa: BLE001  (as above)
            self.status = "ROLLING_BACK"
            if self._coming:
                self._coming.remove()
            self._roll_back(old if has_stopped else None, error)
        else:
            self.airflow, self.properties, self.configuration = self._coming, properties, configuration
            self._succeeded()
        self._coming = None

    def _replace(self, old: Airflow, new: Airflow, strategy: str) -> None:
        """Let new containers take over. GRACEFUL keeps the old workers beside them until their tasks have ended."""
        if strategy == "GRACEFUL":
            old.release(self._around.graceful_seconds)
            new.start()
            old.wait_for_workers()
        else:
            old.stop()
            new.start()
        old.remove()

    def _roll_back(self, old: Airflow | None, error: Exception) -> None:
        """Go back to the last good configuration. API, EnvironmentStatus: UNAVAILABLE if that fails too."""
        try:
            if old and not self._site.stopped.is_set():
                old.stop()
                old.start()
        except RuntimeError as another:
            self._failed("UNAVAILABLE", another)
        else:
            self._failed(self._around.rolls_back_to, error)

    def _make(self, configuration: Configuration) -> Airflow:
        agents.check(configuration, self._id, self._around)
        containers = []
        if self._run_airflow:
            containers = [
                self._new_container(each, configuration, self._around.say) for each in configuration.components
            ]
        network = self._around.network(configuration.subnets, configuration.groups)
        reached = configuration.access_mode != "PUBLIC_ONLY" or network.has_way_out
        return Airflow(containers, self._site, workers_reach_web_server=reached)

    def _new_container(self, component: str, configuration: Configuration, say: Callable[[str], None]) -> Container:
        self._count += 1
        name, around = f"{component.lower()}-{self._count}", self._around
        aws = {
            "AWS_ENDPOINT_URL": around.endpoint_url(),
            "AWS_REGION": around.region,
            "AWS_DEFAULT_REGION": around.region,
            **around.credentials(configuration.role_arn, "airflow-env.amazonaws.com", configuration.name),
        }
        if proxy := around.proxy_url(configuration.subnets, configuration.groups):
            # Airflow's own parts find each other without it.
            proxies = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": f"127.0.0.1:{self._site.port}"}
            aws |= proxies | {key.upper(): value for key, value in proxies.items()}
        container = Container(
            self._folder / name,
            Image(configuration.airflow_version),
            configuration,
            aws,
            say=lambda line: say(f"{name}: {line}"),
            component=component,
            has_dags=component != "WebServer" or around.web_server_has_dags,
            # Guide, "Apache Airflow access modes": a private web server installs from no index.
            has_index=component != "WebServer" or configuration.access_mode != "PRIVATE_ONLY",
            syncs_before_pip=component == "Worker",
        )
        container.keep_log = partial(self._logs.put, container.log_component)
        return container

    def _succeeded(self) -> None:
        self._last_update |= {"Status": "SUCCESS"}
        self.status, self.error = "AVAILABLE", ""
        if self.airflow and self.airflow.containers:
            self._around.say(f"AVAILABLE at {self.airflow.url}")

    def _failed(self, status: str, error: Exception) -> None:
        if self._site.stopped.is_set():
            return
        self.error = agents.ERROR_MESSAGE if isinstance(error, agents.RefusedError) else str(error)
        told = {"ErrorCode": agents.ERROR_CODE, "ErrorMessage": self.error[:1024] or "no reason"}
        self._last_update |= {"Status": "FAILED", "Error": told}
        self.status = status
        self._around.say(f"{status}: {error}")

    def _keep_in_sync(self) -> None:
        while not self._site.stopped.wait(SYNC_SECONDS):
            for container in self.airflow.containers if self.airflow else ():
                try:
                    container.sync_dags()
                except (BotoCoreError, ClientError, OSError) as error:
                    self._around.say(f"sync of dags/ failed, trying again in {SYNC_SECONDS} s: {error}")
