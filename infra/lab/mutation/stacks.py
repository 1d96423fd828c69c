"""The four stacks on a local AWS, deployed through boto3, which is much faster than the AWS CLI."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from infra.cli.templates import STACKS
from infra.deploy.parameters import fill

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.cli.templates import Template
    from infra.local.server import Server

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_STACK_SECONDS = 120


class DeployError(Exception):
    """A stack was refused or has failed; the message says why."""


class Stacks:
    """The stacks of one environment.

    :param server: AWS on this machine, without Airflow.
    :param templates: all templates, in the order of their deployment.
    :param root: the folder whose build/ contains the zips.
    :param name: the environment's name.
    """

    def __init__(self, server: Server, templates: Mapping[str, Template], root: Path, name: str) -> None:
        self.server, self.templates, self.name = server, templates, name
        self.outputs: dict[str, str] = {}
        self._root = root
        self.settings = {
            "EnvironmentName": name,
            "BucketName": f"{name}-bucket",
            "DomainName": name,
            "RepositoryName": "python",
            "InHousePackages": "acme-*,solo",
            "AdditionalEndpoints": "sts,secretsmanager",
            "AlarmEmail": "operators@example.org",
        }

    @property
    def bucket(self) -> str:
        """Return the environment's bucket."""
        return self.settings["BucketName"]

    def client(self, service: str) -> Any:
        """Return the administrator's boto3 client of a service.

        :param service: such as s3.
        """
        return self.server.client(service)

    def deploy(self) -> None:
        """Deploy all stacks, and upload the files as soon as the bucket exists.

        :raises DeployError: if a stack fails.
        """
        for stack in STACKS:
            self.execute(stack, self.change(stack))
            described = self.client("cloudformation").describe_stacks(StackName=f"{self.name}-{stack}")["Stacks"][0]
            self.outputs |= {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
            if stack == "repository":
                self._upload()

    def change(self, stack: str, **other: str) -> str:
        """Create a change set and return its ARN.

        :param stack: the stack's short name, such as ``network``.
        :param other: parameters that differ from the settings.
        :raises DeployError: if CloudFormation refuses it.
        """
        cloudformation, name = self.client("cloudformation"), f"{self.name}-{stack}"
        template = self.templates[stack]
        parameters = fill(template, self.outputs, {**self.settings, **other}) | other
        known = {each["StackName"] for each in cloudformation.describe_stacks()["Stacks"]}
        try:
            created = cloudformation.create_change_set(
                StackName=name,
                ChangeSetName=f"c{time.monotonic_ns()}",
                ChangeSetType="UPDATE" if name in known else "CREATE",
                TemplateBody=template.path.read_text(encoding="utf-8"),
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=_CAPABILITIES,
            )
        except cloudformation.exceptions.ClientError as error:
            raise DeployError(f"{stack}: {error}") from error
        change_set: str = created["Id"]
        return change_set

    def execute(self, stack: str, change_set: str) -> None:
        """Execute a change set and wait for its end.

        :param stack: the stack's short name.
        :param change_set: its ARN.
        :raises DeployError: naming the resources that failed.
        """
        self.client("cloudformation").execute_change_set(ChangeSetName=change_set)
        status = self._settled(stack)
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise DeployError(f"{stack} is {status}: {self._failures(stack)}")

    def delete(self) -> None:
        """Delete the stacks, the last one first, and the bucket's content before the bucket.

        :raises DeployError: if a stack cannot be deleted.
        """
        for stack in reversed(STACKS):
            if stack == "repository":
                self._empty_bucket()
            self.client("cloudformation").delete_stack(StackName=f"{self.name}-{stack}")
            if (status := self._settled(stack)) not in {"DELETE_COMPLETE", ""}:
                raise DeployError(f"{stack} is {status}: {self._failures(stack)}")

    def _settled(self, stack: str) -> str:
        """Wait until nothing is in progress; return the status, empty once the stack is gone."""
        cloudformation, deadline = self.client("cloudformation"), time.monotonic() + _STACK_SECONDS
        while True:
            try:
                described = cloudformation.describe_stacks(StackName=f"{self.name}-{stack}")["Stacks"][0]
            except cloudformation.exceptions.ClientError:
                return ""
            status: str = described["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                return status
            if time.monotonic() > deadline:
                raise DeployError(f"{stack} is {status} after {_STACK_SECONDS} s")
            time.sleep(0.1)

    def _failures(self, stack: str) -> str:
        events = self.client("cloudformation").describe_stack_events(StackName=f"{self.name}-{stack}")["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        return "; ".join(f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}" for each in failed)

    def _upload(self) -> None:
        files = {
            "PluginsS3ObjectVersion": ("plugins.zip", "build/plugins.zip"),
            "RequirementsS3ObjectVersion": ("requirements.txt", "requirements/requirements.txt"),
            "StartupScriptS3ObjectVersion": ("startup.sh", "requirements/startup.sh"),
            "RefresherS3ObjectVersion": ("lambda/refresher.zip", "build/refresher.zip"),
        }
        self.outputs["RefresherS3Key"] = "lambda/refresher.zip"
        for parameter, (key, path) in files.items():
            body = (self._root / path).read_bytes()
            put = self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
            self.outputs[parameter] = put.get("VersionId", "null")

    def _empty_bucket(self) -> None:
        s3 = self.client("s3")
        listed = s3.list_object_versions(Bucket=self.bucket)
        for each in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=self.bucket, Key=each["Key"], VersionId=each["VersionId"])
