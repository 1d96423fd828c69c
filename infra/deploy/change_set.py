"""Why CloudFormation refused a change set, where it says so elsewhere than in the change set's own reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from infra.cli.console import say

if TYPE_CHECKING:
    from infra.cli.aws import Aws


def refusals(aws: Aws, stack: str, told: str) -> list[dict[str, Any]]:
    """Return what failed in the newest change set of a stack, as events with a ResourceStatusReason.

    Since November 2025 CloudFormation validates early: the change set fails with the name of a validation only, and the
    resources with their reasons are events of the change set (CloudFormation API: DescribeEvents, EventType
    VALIDATION_ERROR). They are asked for by the change set's ARN; its name is not accepted
    (aws-cloudformation/cloudformation-cli #1116).

    :param aws: the runner.
    :param stack: the stack's name.
    :param told: what the AWS CLI said; without "validation" in it there are no such events.
    """
    if "validation" not in told.lower():
        return []
    try:
        found = aws.call("cloudformation", "list-change-sets", "--stack-name", stack)["Summaries"]
        newest = max(found, key=lambda each: each["CreationTime"], default=None)
        if newest is None:
            return []
        options = ["--change-set-name", newest["ChangeSetId"], "--filters", "FailedEvents=true"]
        events: list[dict[str, Any]] = aws.call("cloudformation", "describe-events", *options)["OperationEvents"]
    except AwsError as error:  # an older AWS CLI, or no right to cloudformation:DescribeEvents
        say(f"The reasons cannot be read ({error}); see the change set of {stack} in the CloudFormation console.")
        return []
    reasons = ((event, event.get("ValidationStatusReason") or event.get("HookStatusReason")) for event in events)
    return [
        {**event, "ResourceStatusReason": reason}
        for event, reason in reasons
        if reason and event.get("ValidationFailureMode") != "WARN"
    ]
