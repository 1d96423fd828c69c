"""The project deployed on this machine by its own make targets, seen through AWS's own APIs."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from infra.cli.templates import read_templates
from infra.deploy.upload import INDEX_URL_KEY
from infra.local.mwaa.majors import major_of
from infra.mwaa_facts import access_modes

if TYPE_CHECKING:
    from pathlib import Path

    from infra.cli.console import Console
    from infra.local.mwaa.airflow import Airflow
    from infra.local.server import Server

ENVIRONMENT = "local"
BUCKET = "local-mwaa-bucket"
_DAG_RUN_SECONDS = 120


class Deployment:
    """Deploy to a running server and ask what is there.

    :param server: AWS on this machine.
    :param console: where progress is told.
    :param root: folder of the Makefile.
    """

    def __init__(self, server: Server, console: Console, root: Path) -> None:
        self.server, self.console = server, console
        self._root = root
        version = os.environ.get("AIRFLOW_VERSION") or _default_version()
        self._settings = server.environ | {
            "ENVIRONMENT_NAME": ENVIRONMENT,
            "BUCKET_NAME": BUCKET,
            "DOMAIN_NAME": "local-domain",
            "REPOSITORY_NAME": "local-repository",
            "IN_HOUSE_PACKAGES": "acme-*",
            "AIRFLOW_VERSION": version,
            "WEBSERVER_ACCESS_MODE": access_modes(version)[0],
            # The user's settings are for AWS: neither .env, nor profiles may have a word here.
            "ENV_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
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
            env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | self._settings,
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
        return self.server.client(service)

    def write_settings(self, path: Path) -> None:
        """Write the environment variables for another shell, for nobody else to read: keys are among them."""
        lines = ["unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self._settings.items()]
        path.touch(mode=0o600)
        path.write_text("\n".join([*lines, ""]))

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

    def trigger(self, dag: str, conf: dict[str, object]) -> str:
        """Begin a run of a DAG, and give the run's id.

        :param dag: which.
        :param conf: the run's parameters.
        :raises RuntimeError: when Airflow refuses.
        """
        version = self.client("mwaa").get_environment(Name=ENVIRONMENT)["Environment"]["AirflowVersion"]
        body = {**major_of(version).dag_run, "conf": conf}
        run: str = self.airflow("POST", f"/dags/{dag}/dagRuns", body)["dag_run_id"]
        return run

    def run_dag(self, dag: str, **params: object) -> str:
        """Wait until a DAG is parsed, unpause and trigger it, wait for its success, and give the run's id.

        :param dag: its id.
        :param params: of the run.
        :raises RuntimeError: when it does not succeed in time.
        """
        deadline = time.monotonic() + _DAG_RUN_SECONDS
        while dag not in {known["dag_id"] for known in self.airflow("GET", "/dags")["dags"]}:
            if time.monotonic() > deadline:
                raise RuntimeError(f"Airflow did not parse {dag} within {_DAG_RUN_SECONDS} s")
            time.sleep(1)
        self.pause(dag, is_paused=False)
        run = self.trigger(dag, params)
        state = "queued"
        while state in {"queued", "running"}:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{dag} did not end within {_DAG_RUN_SECONDS} s")
            time.sleep(1)
            state = self.airflow("GET", f"/dags/{dag}/dagRuns/{run}")["state"]
        if state != "success":
            raise RuntimeError(f"{dag} ended with {state}")
        return run

    def pause(self, dag: str, *, is_paused: bool) -> None:
        """Pause or unpause a DAG."""
        self.airflow("PATCH", f"/dags/{dag}?update_mask=is_paused", {"is_paused": is_paused})

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

    def roles(self, stack: str) -> dict[str, list[dict[str, Any]]]:
        """Give the policy documents of every role of a stack, as they are deployed, by the role's name."""
        iam = self.client("iam")
        resources = self.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        names = [found["PhysicalResourceId"] for found in resources if found["ResourceType"] == "AWS::IAM::Role"]
        return {
            name: [
                iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
            ]
            for name in names
        }


def _default_version() -> str:
    return read_templates()["mwaa"].parameters["AirflowVersion"].default or ""
