"""MWAA environments: each starts a container and Airflow in a thread of its own and keeps its dags/ in sync."""

from __future__ import annotations

import secrets
import subprocess
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.local.moto.iam import assume_role
from infra.local.mwaa.airflow import Airflow
from infra.local.mwaa.container import Container
from infra.local.mwaa.image import Image
from infra.local.mwaa.logs import Logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.local.mwaa.configuration import Configuration

# So often MWAA's containers look for changed DAGs.
_SYNC_SECONDS = 30
_FAILED = {"CREATING": "CREATE_FAILED", "UPDATING": "UPDATE_FAILED"}


class Environment:
    """Run one environment.

    :param configuration: its properties.
    :param arn: its ARN.
    :param folder: where its containers and its database live.
    :param endpoint_url: where AWS is.
    :param proxy_url: where what runs in its VPC finds the way to AWS.
    :param port: of the UI.
    :param say: told every line of progress.
    """

    def __init__(
        self,
        configuration: Configuration,
        arn: str,
        folder: Path,
        endpoint_url: str,
        proxy_url: str,
        port: int,
        say: Callable[[str], None],
    ) -> None:
        Image(configuration.airflow_version)  # a version without an image fails the stack, not the thread
        self.configuration, self.arn, self.status, self.error = configuration, arn, "CREATING", ""
        self.created = datetime.now(UTC)
        self.airflow: Airflow | None = None
        self._folder, self._endpoint_url, self._port, self._say = folder, endpoint_url, port, say
        self._proxy_url = proxy_url
        self._containers = 0
        self._logs = Logs(arn)
        self._password = secrets.token_urlsafe(9)
        self._stopped = threading.Event()
        self.container: Container
        self._run()

    def update(self, configuration: Configuration) -> None:
        """Replace the container by one with another configuration."""
        Image(configuration.airflow_version)
        self.stop()
        self.configuration, self.status = configuration, "UPDATING"
        self._stopped = threading.Event()
        self._run()

    def stop(self) -> None:
        """Stop the container."""
        self._stopped.set()
        self._thread.join()

    def new_container(self, say: Callable[[str], None]) -> Container:
        """Make a container of this environment, not started yet.

        :param say: told every line of its progress.
        """
        self._containers += 1
        region, account = self.arn.split(":")[3:5]
        source = {"aws:SourceAccount": account, "aws:SourceArn": self.arn}
        aws = {
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), self._proxy_url),
            "NO_PROXY": f"127.0.0.1:{self._port}",  # Airflow's own
            **assume_role(self.configuration.role_arn, "airflow-env.amazonaws.com", region, source),
        }
        root = self._folder / f"container-{self._containers}"
        image = Image(self.configuration.airflow_version)
        return Container(root, image, self.configuration, aws, say, keep_log=self._logs.put)

    def _run(self) -> None:
        self._thread = threading.Thread(target=self._live, name=f"mwaa-{self.configuration.name}")
        self._thread.start()

    def _live(self) -> None:
        failed = _FAILED[self.status]
        try:
            container = self.container = self.new_container(self._say)
            container.prepare()
            self.airflow = Airflow(container, self._folder / "database", self._port, self._password)
            try:
                # The database does not wait for pip: on MWAA too, a container of its own migrates it.
                database = self.airflow.prepare_database()
                container.install_requirements()
                self.airflow.start(database)
                self.status, failed = "AVAILABLE", "UNAVAILABLE"
                self._say(f"AVAILABLE at {self.airflow.url}")
                self._keep_in_sync(container)
            finally:
                self.airflow.stop()
        except Exception as error:  # noqa: BLE001  (whatever it is, the environment's status tells it)
            self.status, self.error = failed, str(error)
            self._say(f"{failed}: {error}")

    def _keep_in_sync(self, container: Container) -> None:
        while not self._stopped.wait(_SYNC_SECONDS):
            try:
                container.sync_dags()
            except subprocess.CalledProcessError as error:
                self._say(f"sync of dags/ failed, trying again in {_SYNC_SECONDS} s: {error}")

    def _startup_script(self) -> dict[str, str]:
        if self.configuration.startup_script is None:
            return {}
        key, version_id = self.configuration.startup_script
        return {"StartupScriptS3Path": key, "StartupScriptS3ObjectVersion": version_id}

    def describe(self) -> dict[str, Any]:
        """Describe the environment as GetEnvironment does."""
        return {
            "Name": self.configuration.name,
            "Arn": self.arn,
            "Status": self.status,
            "AirflowVersion": self.configuration.airflow_version,
            "CreatedAt": self.created.timestamp(),
            "ExecutionRoleArn": self.configuration.role_arn,
            "SourceBucketArn": f"arn:aws:s3:::{self.configuration.bucket}",
            "PluginsS3ObjectVersion": self.configuration.plugins[1],
            "RequirementsS3ObjectVersion": self.configuration.requirements[1],
            **self._startup_script(),
            "AirflowConfigurationOptions": self.configuration.options,
            "WebserverUrl": f"127.0.0.1:{self._port}",
            "LastUpdate": {"Status": "FAILED", "Error": {"ErrorCode": "FAILED", "ErrorMessage": self.error}}
            if self.error
            else {"Status": "SUCCESS"},
        }
