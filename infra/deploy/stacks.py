"""Create, update and delete stacks, and print their events."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from infra.cli.console import say
from infra.cli.program import CommandError
from infra.deploy.change_set import refusals
from infra.deploy.events import Events, is_absent
from infra.deploy.polling import POLL_SECONDS, patient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.cli.aws import Aws
    from infra.cli.templates import Template

# Statuses after a failed creation; CloudFormation cannot update such a stack (user guide: stack status codes).
STILLBORN = {"REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
_DEPLOYED = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


class StackError(CommandError):
    """A stack that failed."""


def deploy_stack(aws: Aws, name: str, template: Template, parameters: Mapping[str, str], environment: str) -> bool:
    """Create or update a stack, and return whether anything changed.

    :param aws: the runner.
    :param name: the stack's name.
    :param template: the template.
    :param parameters: a value for every parameter of the template.
    :param environment: the environment's name, for the tag.
    :raises StackError: if the stack fails.
    """
    stack = settle(aws, name)
    if stack and stack["StackStatus"] in STILLBORN:
        say(f"{name} is in {stack['StackStatus']} from an earlier failed creation: it is deleted first.")
        delete_stack(aws, name)
        stack = None
    events = Events(aws, name, new=stack is None)
    process = aws.start("cloudformation", "deploy", *_options(name, template, parameters, environment))
    try:
        events.follow(lambda: _ended(process))
    except BaseException:
        process.terminate()
        raise
    changed = _outcome(aws, name, process, events)
    say(f"{name}: {'deployed' if changed else 'unchanged'}")
    return changed


def delete_stack(aws: Aws, name: str) -> bool:
    """Delete a stack, wait until it is gone, and return whether there was one.

    :param aws: the runner.
    :param name: the stack's name.
    :raises StackError: if a resource cannot be deleted.
    """
    stack = settle(aws, name)
    if not stack:
        return False
    stack_id = stack["StackId"]  # a deleted stack is found by its id only
    events = Events(aws, stack_id)
    aws.call("cloudformation", "delete-stack", "--stack-name", stack_id)
    stack = _watch(aws, stack_id, events)
    if stack and stack["StackStatus"] != "DELETE_COMPLETE":
        raise StackError(_sentence(name, events.failures))
    say(f"{name}: deleted")
    return True


def describe(aws: Aws, name: str) -> dict[str, Any] | None:
    """Return a stack's description, or None if there is none.

    :param aws: the runner.
    :param name: the stack's name or id.
    """
    try:
        stack: dict[str, Any] = aws.call("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
    except AwsError as error:
        if is_absent(error):
            return None
        raise
    return stack


def outputs(aws: Aws, name: str) -> dict[str, str]:
    """Return a stack's outputs by name; none if there is no such stack.

    :param aws: the runner.
    :param name: the stack's name.
    """
    stack = describe(aws, name) or {}
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs") or []}


def parameters_of(aws: Aws, name: str) -> dict[str, str]:
    """Return a stack's deployed parameters by name; none if there is no such stack.

    :param aws: the runner.
    :param name: the stack's name.
    """
    stack = describe(aws, name) or {}
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters") or []}


def resources(aws: Aws, name: str) -> list[dict[str, Any]]:
    """Return the resources that a stack has now.

    :param aws: the runner.
    :param name: the stack's name.
    """
    found = aws.call("cloudformation", "describe-stack-resources", "--stack-name", name)["StackResources"]
    return [each for each in found if each["ResourceStatus"] != "DELETE_COMPLETE" and each.get("PhysicalResourceId")]


def settle(aws: Aws, name: str) -> dict[str, Any] | None:
    """Wait for a change in progress, and return the stack's description, or None if there is none.

    :param aws: the runner.
    :param name: the stack's name.
    """
    stack = describe(aws, name)
    if stack and _in_progress(stack):
        stack_id = stack["StackId"]
        say(f"{name} is in {stack['StackStatus']}: waiting for its end.")
        _watch(aws, stack_id, Events(aws, stack_id))
        stack = describe(aws, name)
    return stack


def _options(name: str, template: Template, parameters: Mapping[str, str], environment: str) -> list[str]:
    options = ["--stack-name", name, "--template-file", str(template.path), "--no-fail-on-empty-changeset"]
    # The second is for Transform: AWS::LanguageExtensions, without which no change set is created.
    options += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    options += ["--tags", "Project=mwaa-codeartifact", f"Environment={environment}"]
    if parameters:
        options += ["--parameter-overrides", *(f"{key}={value}" for key, value in parameters.items())]
    return options


def _outcome(aws: Aws, name: str, process: subprocess.Popen[str], events: Events) -> bool:
    """Return whether `aws cloudformation deploy` changed the stack."""
    try:
        changed = "No changes to deploy" not in aws.finish(process)
    except AwsError as error:
        if "No updates are to be performed" in str(error):  # an empty change set was refused at once
            return False
        # The CLI stops waiting at the first failure, before the rollback; after an hour; and if AWS does not answer.
        gave_up = "Failed to create/update the stack" in str(error) or (error.passing and _goes_on(aws, name))
        stack = _watch(aws, name, events) if gave_up else None
        if not stack or stack["StackStatus"] not in _DEPLOYED:
            causes = events.failures if gave_up else refusals(aws, name, str(error))
            raise StackError(_sentence(name, causes) if gave_up or causes else f"{name}: {error}") from error
        return True
    if changed:
        events.show()
    return changed


def _watch(aws: Aws, stack: str, events: Events) -> dict[str, Any] | None:
    """Print a stack's events until nothing is in progress, and return its description."""
    last: dict[str, Any] | None = None

    def over() -> bool:
        nonlocal last
        last = patient(lambda: describe(aws, stack))
        if last and _in_progress(last):
            time.sleep(POLL_SECONDS)
            return False
        return True

    events.follow(over)
    events.show()
    return last


def _goes_on(aws: Aws, name: str) -> bool:
    stack = patient(lambda: describe(aws, name))
    return bool(stack and _in_progress(stack))


def _in_progress(stack: dict[str, Any]) -> bool:
    status: str = stack["StackStatus"]
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def _ended(process: subprocess.Popen[str]) -> bool:
    try:
        process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _sentence(name: str, failures: list[dict[str, Any]]) -> str:
    causes = "; ".join(f"{each['LogicalResourceId']} ({each['ResourceType']}): {_reason(each)}" for each in failures)
    return f"{name} failed: {causes or 'see its events above'}"


def _reason(event: dict[str, Any]) -> str:
    reason: str = event.get("ResourceStatusReason", "no reason given")
    if event["ResourceType"] == "AWS::S3::Bucket" and "already exists" in reason:
        reason += " (bucket names are unique in all of S3: choose another BUCKET_NAME in .env)"
    return reason
