"""The Lambda refresher: it bootstraps the index-url file as a custom resource, and refreshes it on a schedule.

On the schedule it raises its errors, so that AWS retries and counts them. CloudFormation always gets a response.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from infra.refresher import cfn_response, metrics
from mwaa_codeartifact.core.connections import BotoConnections
from mwaa_codeartifact.core.destinations import facts_for
from mwaa_codeartifact.core.errors import CodeArtifactError, ConfigError
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import min_remaining_from_hours, read_target

if TYPE_CHECKING:
    from mwaa_codeartifact.core.index_url import LineFacts

logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger(__name__)

# For how long a Create tries, which is cheaper than a rollback of the stack. The function has 5 minutes, and
# CloudFormation gets its response 10 s before they end in any case.
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 5.0

_MIN_REMAINING = "CODEARTIFACT_MIN_REMAINING_HOURS"


def handler(event: dict[str, Any], context: Any) -> dict[str, Any] | None:
    """Respond to CloudFormation, or refresh on the schedule.

    :param event: a custom resource request; any other event counts as one of the schedule.
    :param context: the Lambda context.
    :returns: the result of a scheduled refresh, without the token.
    :raises CodeArtifactError: if a scheduled refresh failed; the old line is unchanged.
    """
    if "ResponseURL" in event:
        cfn_response.answer(event, context, bootstrap)
        return None
    return refresh_index_url(steps_in=True)


def bootstrap(event: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Publish the first line on Create and Update; do nothing on Delete.

    :param event: the custom resource request.
    :returns: physical resource id and attributes.
    :raises CodeArtifactError: if the refresh failed; on Create, errors that may disappear are retried for two minutes.
    """
    if event["RequestType"] == "Delete":
        return event["PhysicalResourceId"], {}
    patience = PATIENCE_SECONDS if event["RequestType"] == "Create" else 0
    destination = _refresh_patiently(patience)["destination"]
    return destination, {"Destination": destination}


class _StillError(CodeArtifactError):
    """An error that might have disappeared, but has not."""

    def __init__(self, error: CodeArtifactError, seconds: float) -> None:
        Exception.__init__(self, f"{error}, still after {seconds:.0f} seconds of trying")
        self.code = error.code


def _refresh_patiently(patience: float) -> dict[str, Any]:
    """Refresh, and retry errors that may disappear: role, repository and token are only seconds old.

    :param patience: for how long it retries (s).
    """
    started = time.monotonic()
    while True:
        try:
            return refresh_index_url(steps_in=False)
        except CodeArtifactError as error:
            tried = time.monotonic() - started
            if not error.may_pass or not patience:
                raise
            if tried >= patience:
                raise _StillError(error, tried) from error
            log.warning("%s: trying again, for %.0f more seconds", error, patience - tried)
        time.sleep(PAUSE_SECONDS)


def refresh_index_url(*, steps_in: bool) -> dict[str, Any]:
    """Refresh the function's target, and emit the metrics of its line.

    :param steps_in: whether a publish means that the DAG has missed its runs.
    :returns: the result, without the token.
    :raises CodeArtifactError: if the refresh failed; the old line is unchanged.
    """
    target = read_target(lambda name: os.environ.get(_variable(name)), named=_variable)
    min_remaining = min_remaining_from_hours(os.environ.get(_MIN_REMAINING, ""), named=_MIN_REMAINING)
    if not os.environ.get("ENVIRONMENT_NAME"):
        raise ConfigError(["ENVIRONMENT_NAME is not set: give the name of the MWAA environment"])
    connections = BotoConnections(boto3.client)
    try:
        result = refresh(target, refresher="lambda", min_remaining=min_remaining, connections=connections)
    except CodeArtifactError:
        with suppress(CodeArtifactError):
            facts = facts_for(target, connections.destination(target).head())
            if facts:
                _emit_metrics(facts, published=False, steps_in=steps_in)
        raise
    _emit_metrics(result.facts, published=result.state == "published", steps_in=steps_in)
    return result.as_dict()


def _variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"CODEARTIFACT_{name.upper()}"


def _emit_metrics(facts: LineFacts, *, published: bool, steps_in: bool) -> None:
    remaining = facts.remaining(datetime.now(UTC))
    metrics.emit(
        os.environ["ENVIRONMENT_NAME"],
        RemainingLifetime=(remaining.total_seconds(), "Seconds"),
        Refreshes=(int(published), "Count"),
        Fallbacks=(int(published and steps_in), "Count"),
    )
