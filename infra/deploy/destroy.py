"""Delete everything that deploy created; safe to repeat."""

from __future__ import annotations

import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from infra.cli.console import say, waiting
from infra.cli.program import CommandError
from infra.cli.templates import STACKS
from infra.deploy.polling import POLL_SECONDS, patient
from infra.deploy.stacks import StackError, delete_stack, describe, outputs, resources

if TYPE_CHECKING:
    from infra.cli.aws import Aws
    from infra.cli.settings import Settings

_BUCKET = "AWS::S3::Bucket"
_LOG_GROUP = "AWS::Logs::LogGroup"
# How long to wait for MWAA's own endpoints and network interfaces to disappear; such leftovers of another service took
# minutes (aws-cloudformation/cloudformation-coverage-roadmap #1327).
_LEFTOVER_SECONDS = 900.0
_AGAIN_SECONDS = 60.0
# Resources to list before they are deleted; the next deploy creates all others again.
_LOSSES = {
    "AWS::MWAA::Environment": "environment with its Airflow database",
    _BUCKET: "bucket with every object version",
    "AWS::CodeArtifact::Repository": "repository with its packages",
    "AWS::CodeArtifact::Domain": "domain",
}


class NotConfirmedError(CommandError):
    """The user did not confirm the deletion."""


def destroy(aws: Aws, settings: Settings, *, confirmed: bool) -> None:
    """Delete the stacks, the last one first: the writers before the bucket, and the bucket's content before the bucket.

    :param aws: the runner.
    :param settings: the settings.
    :param confirmed: whether to delete without asking.
    :raises NotConfirmedError: if the user does not confirm.
    """
    names = {stack: settings.stack_name(stack) for stack in reversed(STACKS)}
    there = {stack: name for stack, name in names.items() if describe(aws, name)}
    if not there:
        say(f"nothing to destroy: there is no stack of {settings.environment_name}")
        return
    listed = {stack: resources(aws, name) for stack, name in there.items()}
    for stack, name in there.items():
        _announce(name, listed[stack])
    if not any(each["ResourceType"] == _LOG_GROUP for each in listed.get("mwaa", [])):
        say(f"CloudWatch log groups airflow-{settings.environment_name}-*, which MWAA itself made, are kept.")
    if not confirmed:
        _ask(settings.environment_name)
    for stack, name in there.items():
        # The stack's own bucket, because .env may name another one by now.
        for each in listed[stack]:
            if each["ResourceType"] == _BUCKET:
                empty_bucket(aws, each["PhysicalResourceId"])
        delete = _delete_network if stack == "network" else delete_stack
        delete(aws, name)
    say(f"destroyed: nothing of {settings.environment_name} is left")


def _delete_network(aws: Aws, name: str) -> None:
    """Delete the network; MWAA's own endpoints in it may outlive the environment by minutes.

    They are in no stack: MWAA creates them in the environment's subnets with its security group (guide, "Managing
    access to service-specific Amazon VPC endpoints on Amazon MWAA").
    """
    group = outputs(aws, name).get("SecurityGroupId")
    if group:
        _wait_for_leftovers(aws, group)
    try:
        delete_stack(aws, name)
    except StackError as error:
        say(f"{error}: waiting until MWAA's network interfaces are gone, then deleting again.")
        time.sleep(_AGAIN_SECONDS)
        if group:
            _wait_for_leftovers(aws, group)
        delete_stack(aws, name)


def _wait_for_leftovers(aws: Aws, group: str) -> None:
    """Wait until no network interface uses a security group, for 15 minutes at most; the deletion shows the result."""
    deadline = time.monotonic() + _LEFTOVER_SECONDS
    filters = ["--filters", f"Name=group-id,Values={group}"]
    with waiting("network interfaces of MWAA that are still in the network"):
        while patient(partial(aws.call, "ec2", "describe-network-interfaces", *filters))["NetworkInterfaces"]:
            if time.monotonic() > deadline:
                return
            time.sleep(POLL_SECONDS)


def empty_bucket(aws: Aws, bucket: str) -> None:
    """Delete every object version and delete marker, 1000 at a time (S3 API: DeleteObjects).

    :param aws: the runner.
    :param bucket: the bucket; it may not exist any more.
    :raises AwsError: if S3 does not delete one.
    """
    total = 0
    while batch := _first_page(aws, bucket):
        with tempfile.TemporaryDirectory() as folder:
            request = Path(folder, "delete.json")
            request.write_text(json.dumps({"Objects": batch, "Quiet": True}))
            answer = aws.call("s3api", "delete-objects", "--bucket", bucket, "--delete", f"file://{request}") or {}
        for kept in answer.get("Errors") or []:
            reason = f"{kept['Code']}: {kept.get('Message', '')}"
            sentence = f"S3 did not delete {kept['Key']} in {bucket} ({reason}): delete it by hand."
            raise AwsError(sentence, operation="DeleteObjects", code=kept["Code"])
        total += len(batch)
        say(f"{bucket}: {total} object versions deleted")


def _first_page(aws: Aws, bucket: str) -> list[dict[str, str]]:
    """Return the first versions that are left; after their deletion the next ones are the first."""
    try:
        page = aws.call("s3api", "list-object-versions", "--bucket", bucket, "--no-paginate") or {}
    except AwsError as error:
        if error.code != "NoSuchBucket":
            raise
        return []
    found = [*(page.get("Versions") or []), *(page.get("DeleteMarkers") or [])]
    return [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]


def _announce(name: str, listed: list[dict[str, Any]]) -> None:
    say(f"stack {name}: {len(listed)} resources")
    for each in listed:
        if each["ResourceType"] in _LOSSES:
            say(f"  {each['PhysicalResourceId']}: {_LOSSES[each['ResourceType']]}")


def _ask(name: str) -> None:
    say(f"This cannot be undone. Type the environment's name ({name}) to go on:")
    try:
        typed = input().strip()
    except EOFError:
        sentence = "Nothing was deleted: there is no terminal to ask on (in scripts: `make destroy YES=1`)."
        raise NotConfirmedError(sentence) from None
    if typed != name:
        raise NotConfirmedError(f'Nothing was deleted: "{typed}" is not the environment\'s name.')
