"""The project deployed on this machine by its own make targets, with a look behind AWS where a proof needs one."""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.sns.models import sns_backends

from infra.acceptance.site import Site
from infra.cli.templates import read_templates
from infra.local.mwaa.configuration import Configuration
from infra.mwaa_facts import access_modes

if TYPE_CHECKING:
    from pathlib import Path

    from infra.cli.console import Console
    from infra.local.mwaa.airflow import Airflow
    from infra.local.mwaa.container import Container
    from infra.local.server import Server

# Long enough to mint, verify and publish; short enough to wait for its end.
SHORT_LIFE = timedelta(seconds=20)


class Deployment(Site):
    """Deploy to a running server and ask what is there.

    :param server: AWS on this machine.
    :param console: where progress is printed.
    :param root: folder of the Makefile.
    """

    packages = "/airflow/.local/"

    def __init__(self, server: Server, console: Console, root: Path) -> None:
        self.server, self.console = server, console
        version = os.environ.get("AIRFLOW_VERSION") or read_templates()["mwaa"].parameters["AirflowVersion"].default
        settings = server.environ | {
            "ENVIRONMENT_NAME": "local",
            "BUCKET_NAME": "local-mwaa-bucket",
            "DOMAIN_NAME": "local-domain",
            "REPOSITORY_NAME": "local-repository",
            "IN_HOUSE_PACKAGES": "acme-*",
            "AIRFLOW_VERSION": version or "",
            "WEBSERVER_ACCESS_MODE": access_modes(version or "")[0],
            "ALARM_EMAIL": "operators@example.org",
            # The user's profiles are for AWS.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        super().__init__(settings, console.say, root)

    def client(self, service: str) -> Any:
        """Return a boto3 client that comes to the server.

        :param service: such as s3.
        """
        return self.server.client(service)

    def short_token(self) -> tuple[str, datetime]:
        """Mint a token that lives for seconds: nobody waits a quarter of an hour for a demonstration."""
        self.server.codeartifact.token_life_limit = SHORT_LIFE
        try:
            return super().short_token()
        finally:
            self.server.codeartifact.token_life_limit = None

    @property
    def running(self) -> Airflow:
        """Return the environment's Airflow."""
        airflow = self.server.environments[self.name].airflow
        assert airflow is not None  # noqa: S101  (who asks has deployed it)
        return airflow

    def write_settings(self, path: Path) -> None:
        """Write the environment variables for another shell, for nobody else to read: keys are among them.

        :param path: where to.
        """
        lines = ["unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.settings.items()]
        path.touch(mode=0o600)
        path.write_text("\n".join([*lines, ""]))

    def told(self, text: str) -> bool:
        """Check whether any line of the output so far holds a text.

        :param text: such as a sentence of the deployer's.
        """
        return any(text in line for line in self.console.lines)

    def new_container(self, *, startup_script: bool = True) -> Container:
        """Return one more worker of the environment, not started yet.

        :param startup_script: whether it runs the startup script (default), or as most environments are today.
        """
        environment = self.server.environments[self.name]
        container = environment.new_container(lambda line: self.console.say("container", line))
        if not startup_script:
            container.configuration = Configuration(container.configuration | {"StartupScriptS3Path": ""})
        return container

    @staticmethod
    def imported(container: Container, *modules: str) -> list[str]:
        """Import modules as a task on a container would and return their paths, none if one is missing.

        :param container: where.
        :param modules: their names.
        """
        paths = ", ".join(f"{module}.__file__" for module in modules)
        program = f"import {', '.join(modules)}; print({paths}, sep='\\n')"
        command = [str(container.programs / "python"), "-c", program]
        ended = subprocess.run(command, env=container.environ, capture_output=True, text=True, check=False)
        return ended.stdout.splitlines()

    def sum_of_metric(self, name: str) -> float:
        """Return the sum of a metric of this project over the last hour.

        :param name: the metric's.
        """
        now = datetime.now(UTC)
        span = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1), "Period": 7200}
        answer = self.client("cloudwatch").get_metric_statistics(
            Namespace="MwaaCodeArtifact", MetricName=name, Statistics=["Sum"], **span
        )
        return float(sum(point["Sum"] for point in answer["Datapoints"]))

    def alarm_messages(self) -> list[str]:
        """Return the messages that alarms have published to the deployment's topic."""
        arn = self.outputs("refresher")["AlarmTopicArn"]
        topic = sns_backends[arn.split(":")[4]][arn.split(":")[3]].get_topic(arn)
        return [message for _, message, *_ in topic.sent_notifications]

    def roles(self, stack: str) -> dict[str, list[dict[str, Any]]]:
        """Return the policy documents of every role of a stack, as they are deployed, by the role's name.

        :param stack: which one, such as ``mwaa``.
        """
        iam, name = self.client("iam"), f"{self.name}-{stack}"
        resources = self.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
        names = [found["PhysicalResourceId"] for found in resources if found["ResourceType"] == "AWS::IAM::Role"]
        return {
            name: [
                iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
            ]
            for name in names
        }
