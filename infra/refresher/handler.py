"""The Lambda refresher: bootstraps the index-url file as a custom resource, and refreshes it on a schedule.

On the schedule it raises what goes wrong, so that AWS retries and counts it. CloudFormation always gets an answer.
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
from mwaa_codeartifact.core.connections import CLIENT_CONFIG, Clients
from mwaa_codeartifact.core.destinations import facts_for
from mwaa_codeartifact.core.errors import CodeArtifactError, ConfigError
from mwaa_codeartifact.core.refresh import refresh
from mwaa_codeartifact.core.target import Target, min_remaining_from_hours

if TYPE_CHECKING:
    from mwaa_codeartifact.core.index_url import LineFacts

logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger(__name__)

# How long a Create tries, which is cheaper than rolling the stack back. The function has 5 minutes, and CloudFormation
# gets its answer 10 s before their end in any case.
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 5.0

_SETTINGS = {
    "domain": "CODEARTIFACT_DOMAIN",
    "domain_owner": "CODEARTIFACT_DOMAIN_OWNER",
    "repository": "CODEARTIFACT_REPOSITORY",
    "region": "CODEARTIFACT_REGION",
    "destination": "CODEARTIFACT_DESTINATION",
}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any] | None:
    """Answer CloudFormation, or refresh for the schedule.

    :param event: a custom resource request, or anything else, which counts as the schedule's tick.
    :param context: the Lambda context.
    :raises CodeArtifactError: when a scheduled refresh failed; the old line still stands.
    """
    if "ResponseURL" in event:
        cfn_response.answer(event, context, bootstrap)
        return None
    return refresh_index_url(steps_in=True)


def bootstrap(event: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Publish the first line on Create and Update; leave the file alone on Delete.

    :returns: physical resource id and attributes.
    :raises CodeArtifactError: when it failed, on Create only after what may pass has been tried for two minutes.
    """
    if event["RequestType"] == "Delete":
        return event["PhysicalResourceId"], {}
    patience = PATIENCE_SECONDS if event["RequestType"] == "Create" else 0
    destination = _refresh_patiently(patience)["destination"]
    return destination, {"Destination": destination}


class _StillError(CodeArtifactError):
    """An error that might have passed, and has not."""

    def __init__(self, error: CodeArtifactError, seconds: float) -> None:
        Exception.__init__(self, f"{error}, still after {seconds:.0f} seconds of trying")
        self.code = error.code


def _refresh_patiently(patience: float) -> dict[str, Any]:
    """Refresh, and again while the error is one that may pass: role, repository and token are seconds old.

    :param patience: for how long it is begun again (s).
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
    """Refresh the function's target, and tell CloudWatch how fresh it is.

    :param steps_in: whether a publish means that the DAG has missed its runs.
    :raises CodeArtifactError: when it failed; the old line still stands.
    """
    target = Target.from_settings(
        {option: os.environ.get(variable) for option, variable in _SETTINGS.items()}, named=_SETTINGS.__getitem__
    )
    min_remaining = min_remaining_from_hours(
        os.environ.get("CODEARTIFACT_MIN_REMAINING_HOURS", ""), named="CODEARTIFACT_MIN_REMAINING_HOURS"
    )
    if not os.environ.get("ENVIRONMENT_NAME"):
        raise ConfigError(["ENVIRONMENT_NAME is not set: give the name of the MWAA environment"])
    clients = Clients(
        codeartifact=boto3.client("codeartifact", region_name=target.region, config=CLIENT_CONFIG),
        s3=boto3.client("s3", config=CLIENT_CONFIG),
    )
    try:
        result = refresh(target, refresher="lambda", min_remaining=min_remaining, clients=clients)
    except CodeArtifactError:
        with suppress(CodeArtifactError):
            facts = facts_for(target, clients.destination(target.destination).head())
            if facts:
                _tell(facts, published=False, steps_in=steps_in)
        raise
    _tell(result.facts, published=result.state == "published", steps_in=steps_in)
    return result.as_dict()


def _tell(facts: LineFacts, *, published: bool, steps_in: bool) -> None:
    remaining = facts.token_expires_at - datetime.now(UTC)
    metrics.emit(
        os.environ["ENVIRONMENT_NAME"],
        RemainingLifetime=(remaining.total_seconds(), "Seconds"),
        Refreshes=(int(published), "Count"),
        Fallbacks=(int(published and steps_in), "Count"),
    )
