"""The reasons for a refused change set that CloudFormation reports as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from infra.cli.console import say

if TYPE_CHECKING:
    from infra.cli.aws import Aws


def refusals(aws: Aws, stack: str, message: str) -> list[dict[str, Any]]:
    """Return the failures in a stack's newest change set, as events with a ResourceStatusReason.

    Since November 2025 CloudFormation validates early: the change set's own reason names a validation only, and the
    resources with their reasons are events of the change set (CloudFormation API: DescribeEvents, EventType
    VALIDATION_ERROR). The API takes the change set's ARN, not its name (aws-cloudformation/cloudformation-cli #1116).

    :param aws: the runner.
    :param stack: the stack's name.
    :param message: the AWS CLI's; without "validation" in it there are no such events.
    """
    if "validation" not in message.lower():
        return []
    try:
        found = aws.call("cloudformation", "list-change-sets", "--stack-name", stack)["Summaries"]
        newest = max(found, key=lambda each: each["CreationTime"], default=None)
        if newest is None:
            return []
        options = ["--change-set-name", newest["ChangeSetId"], "--filters", "FailedEvents=true"]
        events: list[dict[str, Any]] = aws.call("cloudformation", "describe-events", *options)["OperationEvents"]
    except AwsError as error:  # an older AWS CLI, or no right to cloudformation:DescribeEvents
        say(f"The reasons cannot be read ({error}): see the change set of {stack} in the CloudFormation console.")
        return []
    reasons = ((event, event.get("ValidationStatusReason") or event.get("HookStatusReason")) for event in events)
    return [
        {**event, "ResourceStatusReason": reason}
        for event, reason in reasons
        if reason and event.get("ValidationFailureMode") != "WARN"
    ]
