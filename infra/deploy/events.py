"""A stack's events as they happen."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from infra.cli.console import say, waiting
from infra.deploy.polling import patient

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.cli.aws import Aws

_PAGE = "100"  # newest first; more events than happen between two requests
# Reasons that are consequences of another resource's failure; the last is the stack's own summary.
_CONSEQUENCES = ("resource creation cancelled", "resource update cancelled", "the following resource(s) failed")


class Events:
    """A stack's events from now on, each printed once.

    :param aws: the runner.
    :param stack: the name; the id if the stack will be deleted.
    :param new: whether the stack does not exist yet, so that all its events are new (default: no).
    """

    def __init__(self, aws: Aws, stack: str, *, new: bool = False) -> None:
        self._aws, self._stack = aws, stack
        self._seen = set() if new else {event["EventId"] for event in patient(self._newest)}
        self.failures: list[dict[str, Any]] = []

    def follow(self, over: Callable[[], bool]) -> None:
        """Print events until the change is over; the last ones may remain for show.

        :param over: waits for a moment, then returns whether the change is over.
        """
        with waiting(f"stack {self._stack.split('/')[-2] if '/' in self._stack else self._stack}"):
            while not over():
                self.show()

    def show(self) -> None:
        """Print the events since the last call."""
        for event in reversed(patient(self._newest)):
            if event["EventId"] not in self._seen:
                self._seen.add(event["EventId"])
                say(_line(event))
                if _is_cause(event):
                    self.failures.append(event)

    def _newest(self) -> list[dict[str, Any]]:
        return newest_events(self._aws, self._stack)


def newest_events(aws: Aws, stack: str) -> list[dict[str, Any]]:
    """Return a stack's last events, the newest first; none if the stack does not exist.

    :param aws: the runner.
    :param stack: name or id.
    """
    try:
        answer = aws.call("cloudformation", "describe-stack-events", "--stack-name", stack, "--max-items", _PAGE)
    except AwsError as error:
        if is_absent(error):
            return []
        raise
    events: list[dict[str, Any]] = answer["StackEvents"]
    return events


def is_absent(error: AwsError) -> bool:
    """Return whether an error means that the stack does not exist; CloudFormation has no error code for this.

    :param error: of an AWS CLI call.
    """
    return error.code == "ValidationError" and "does not exist" in str(error)


def _line(event: dict[str, Any]) -> str:
    moment = datetime.fromisoformat(event["Timestamp"]).astimezone().strftime("%H:%M:%S")
    reason = f"  {event['ResourceStatusReason']}" if event.get("ResourceStatusReason") else ""
    resource = f"{event['LogicalResourceId']} ({event['ResourceType']})"
    return f"  {moment}  {event['ResourceStatus']:<20}  {resource}{reason}"


def _is_cause(event: dict[str, Any]) -> bool:
    failed: bool = event["ResourceStatus"].endswith("_FAILED")
    return failed and not event.get("ResourceStatusReason", "").lower().startswith(_CONSEQUENCES)
