"""The environment of the mwaa stack: when its last change began, and how it ended."""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from infra.cli.console import say, waiting
from infra.cli.program import CommandError
from infra.deploy.events import newest_events
from infra.deploy.polling import POLL_SECONDS, patient
from infra.mwaa_facts import BUSY_STATUSES

if TYPE_CHECKING:
    from infra.cli.aws import Aws

_TYPE = "AWS::MWAA::Environment"


class EnvironmentFailedError(CommandError):
    """MWAA could not create or update the environment."""


def last_change(aws: Aws, stack: str) -> int | None:
    """Return when CloudFormation last began to create or update the environment, in milliseconds of Unix time.

    The time is of AWS's clock, like those of the log streams. None if the stack's newest events contain no such change.

    :param aws: the runner.
    :param stack: name of the environment's stack.
    """
    began = None
    for event in newest_events(aws, stack):
        if event["ResourceType"] != _TYPE:
            continue
        if event["ResourceStatus"] in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}:
            began = event["Timestamp"]  # a creation has two such events; the earlier one counts
        elif began:
            break
    return int(datetime.fromisoformat(began).timestamp() * 1000) if began else None


def wait_until_idle(aws: Aws, name: str) -> dict[str, Any] | None:
    """Wait while MWAA changes or maintains the environment; return GetEnvironment's answer, or None if there is none.

    MWAA accepts no update in this time.

    :param aws: the runner.
    :param name: the environment's name.
    """
    with waiting(f"environment {name}"):
        try:
            while (environment := _describe(aws, name))["Status"] in BUSY_STATUSES - {"DELETING"}:
                time.sleep(POLL_SECONDS)
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            return None
    return environment


def follow(aws: Aws, name: str) -> dict[str, Any]:
    """Wait for the environment, whose update may outlast the stack's, and return GetEnvironment's answer.

    CloudFormation reports success as soon as the status is AVAILABLE, whatever LastUpdate says (its handler for
    AWS::MWAA::Environment, UpdateHandler.java); MWAA itself rolls back a failed update.

    :param aws: the runner.
    :param name: the environment's name.
    :raises EnvironmentFailedError: with MWAA's reason, if the last update failed or the environment is not available.
    """
    environment = wait_until_idle(aws, name) or {"Status": "DELETED"}
    update = environment.get("LastUpdate") or {}
    reason = (update.get("Error") or {}).get("ErrorMessage", "MWAA gives no reason")
    if environment["Status"] != "AVAILABLE":
        raise EnvironmentFailedError(f"The environment {name} is {environment['Status']}: {reason}.")
    if update.get("Status") == "FAILED":
        raise EnvironmentFailedError(
            f"The last update of the environment {name} failed, and MWAA went back to the previous state: {reason}."
        )
    say(f"environment {name}: AVAILABLE")
    return environment


def _describe(aws: Aws, name: str) -> dict[str, Any]:
    answer = patient(partial(aws.call, "mwaa", "get-environment", "--name", name))
    environment: dict[str, Any] = answer["Environment"]
    return environment
