"""The project deployed on this machine by its own make targets, with access to the local AWS's state for proofs."""

from __future__ import annotations

import os
import shlex
import subprocess
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from infra.acceptance.site import Site
from infra.cli.templates import read_templates
from infra.local.mwaa.configuration import Configuration
from infra.mwaa_facts import access_modes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.cli.console import Console
    from infra.local.mwaa.airflow import Airflow
    from infra.local.mwaa.container import Container
    from infra.local.server import Server

# Long enough to mint, verify and publish; short enough to wait until it has expired.
_SHORT_LIFE = timedelta(seconds=20)


class Deployment(Site):
    """A deployment to a running server, made with the Makefile in a folder."""

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
            "AIRFLOW_VERSION": str(version),
            "WEBSERVER_ACCESS_MODE": access_modes(str(version))[0],
            "ALARM_EMAIL": "operators@example.org",
            # The user's profiles are for AWS.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        super().__init__(settings, console.say, root)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the server."""
        return self.server.client(service)

    @contextmanager
    def short_lives(self) -> Iterator[None]:
        """Limit the lifetime of minted tokens to seconds while the context is entered."""
        self.server.codeartifact.token_life_limit = _SHORT_LIFE
        try:
            yield
        finally:
            self.server.codeartifact.token_life_limit = None

    def short_token(self) -> tuple[str, datetime]:
        """Mint a token that expires in seconds: AWS's minimum of 15 minutes is too long for a demonstration."""
        with self.short_lives():
            return super().short_token()

    @property
    def running(self) -> Airflow:
        """Return the environment's Airflow."""
        return cast("Airflow", self.server.environments[self.name].airflow)  # the caller has deployed it

    def write_settings(self, path: Path) -> None:
        """Write the environment variables for another shell, readable by this user only: they contain keys."""
        lines = ["unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.settings.items()]
        path.touch(mode=0o600)
        path.write_text("\n".join([*lines, ""]))

    def printed(self, text: str) -> bool:
        """Return whether any line of the output so far, including the containers', contains a text."""
        return any(text in line for line in self.console.lines)

    def new_container(self, *, startup_script: bool = True) -> Container:
        """Return one more worker, not started yet; without a startup script, as in most of today's environments."""
        environment = self.server.environments[self.name]
        container = environment.new_container(lambda line: self.console.say("container", line))
        if not startup_script:
            container.configuration = Configuration(container.configuration | {"StartupScriptS3Path": ""})
        return container

    @staticmethod
    def imported(container: Container, *modules: str) -> list[str]:
        """Import modules as a task in a container does, and return their paths; none if one is missing."""
        paths = ", ".join(f"{module}.__file__" for module in modules)
        program = f"import {', '.join(modules)}; print({paths}, sep='\\n')"
        command = [str(container.programs / "python"), "-c", program]
        ended = subprocess.run(command, env=container.environ, capture_output=True, text=True, check=False)
        return ended.stdout.splitlines()

    def roles(self, stack: str) -> dict[str, list[dict[str, Any]]]:
        """Return the policy documents of every role of a stack, such as ``mwaa``, by the role's name."""
        iam, name = self.client("iam"), f"{self.name}-{stack}"
        resources = self.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
        return {
            (role := found["PhysicalResourceId"]): [
                iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
                for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
            ]
            for found in resources
            if found["ResourceType"] == "AWS::IAM::Role"
        }
