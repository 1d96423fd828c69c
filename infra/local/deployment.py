"""The project deployed on this machine by its own make targets, seen through AWS's own APIs."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from infra.deploy.upload import INDEX_URL_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.console import Console
    from infra.local.mwaa.airflow import Airflow
    from infra.local.server import Server

ENVIRONMENT = "local"
BUCKET = "local-mwaa-bucket"


class Deployment:
    """Deploy to a running server and ask what is there.

    :param server: AWS on this machine.
    :param console: where progress is told.
    :param root: folder of the Makefile.
    """

    def __init__(self, server: Server, console: Console, root: Path) -> None:
        self.server, self.console = server, console
        self._root = root
        self._settings = server.environ | {
            "ENVIRONMENT_NAME": ENVIRONMENT,
            "BUCKET_NAME": BUCKET,
            "DOMAIN_NAME": "local-domain",
            "REPOSITORY_NAME": "local-repository",
            "AIRFLOW_VERSION": os.environ.get("AIRFLOW_VERSION", "3.0.6"),
        }

    def deploy(self) -> None:
        """Run `make deploy`."""
        self.make("deploy")

    def make(self, target: str, *arguments: str) -> None:
        """Run a make target against the server and pass its output on.

        :param target: which.
        :param arguments: more of make's arguments.
        :raises RuntimeError: when it fails.
        """
        command = ["make", "--no-print-directory", target, *arguments]
        with subprocess.Popen(
            command,
            cwd=self._root,
            env=os.environ | self._settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout or ():
                self.console.say(target, line.rstrip())
        if process.returncode:
            raise RuntimeError(f"`make {target}` failed")

    def wait_until_available(self) -> Airflow:
        """Wait until the environment is available.

        :raises RuntimeError: when it fails to become so.
        """
        mwaa = self.client("mwaa")
        while (environment := mwaa.get_environment(Name=ENVIRONMENT)["Environment"])["Status"] != "AVAILABLE":
            if environment["Status"].endswith("FAILED"):
                raise RuntimeError(f"the environment is {environment['Status']}")
            time.sleep(0.5)
        airflow = self.server.environments[ENVIRONMENT].airflow
        assert airflow is not None  # noqa: S101  (an available environment has one)
        return airflow

    def client(self, service: str) -> Any:
        """Give a boto3 client that comes to the server."""
        variables = self._settings
        session: Any = boto3.Session(
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )
        return session.client(
            service, endpoint_url=variables["AWS_ENDPOINT_URL"], config=Config(inject_host_prefix=False)
        )

    def write_settings(self, path: Path) -> Path:
        """Write the environment variables for another shell."""
        path.write_text("".join(f"export {name}={value}\n" for name, value in self._settings.items()))
        return path.relative_to(self._root)

    def index_url_facts(self) -> dict[str, str]:
        """HEAD the index-url file and give its metadata."""
        metadata: dict[str, str] = self.client("s3").head_object(Bucket=BUCKET, Key=INDEX_URL_KEY)["Metadata"]
        return metadata

    def sum_of_metric(self, name: str) -> float:
        """Give the sum of a metric of this project over the last hour."""
        now = datetime.now(UTC)
        span = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1), "Period": 7200}
        answer = self.client("cloudwatch").get_metric_statistics(
            Namespace="MwaaCodeArtifact", MetricName=name, Statistics=["Sum"], **span
        )
        return float(sum(point["Sum"] for point in answer["Datapoints"]))

    def airflow(self, method: str, path: str, body: object = None) -> Any:
        """Call Airflow's REST API through MWAA's InvokeRestApi.

        :raises RuntimeError: when Airflow refuses.
        """
        mwaa = self.client("mwaa")
        try:
            answer = mwaa.invoke_rest_api(Name=ENVIRONMENT, Method=method, Path=path, Body=body or {})
        except mwaa.exceptions.RestApiClientException as error:
            raise RuntimeError(f"Airflow refused {method} {path}: {error.response['RestApiResponse']}") from error
        return answer["RestApiResponse"]
