"""What the deployer does besides deploying, releasing and destroying: status and refresh."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from infra.cli.console import say
from infra.cli.templates import STACKS
from infra.deploy.stacks import StackError, describe, outputs
from infra.deploy.upload import INDEX_URL_KEY
from mwaa_codeartifact.core.index_url import LineFacts, format_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.cli.aws import Aws
    from infra.cli.settings import Settings

_FUNCTION_SECONDS = "330"  # more than the function's timeout; the CLI's own is 60 s and would invoke it again


def status(aws: Aws, settings: Settings) -> None:
    """Show the stacks, the environment and how fresh the index-url file is.

    :param aws: the runner.
    :param settings: the settings.
    :raises AwsError: after all the rest is told, if something could not be found out.
    """
    for stack in STACKS:
        name = settings.stack_name(stack)
        found = describe(aws, name)
        say(f"stack {name}: {found['StackStatus'] if found else 'not there'}")
    name, bucket = settings.environment_name, settings.parameters["BucketName"]
    errors = [
        _tell(f"environment {name}", lambda: _environment(aws, name)),
        _tell(f"index-url file s3://{bucket}/{INDEX_URL_KEY}", lambda: freshness(aws, bucket)),
    ]
    first = next(filter(None, errors), None)
    if first:
        raise first


def refresh(aws: Aws, settings: Settings) -> None:
    """Invoke the Lambda refresher now and show its result.

    :param aws: the runner.
    :param settings: the settings.
    :raises AwsError: if the refresh failed.
    """
    name = settings.stack_name("refresher")
    function = outputs(aws, name).get("RefresherFunctionName")
    if not function:
        raise StackError(f"{name} is not deployed: run `make deploy` first.")
    with tempfile.TemporaryDirectory() as folder:
        event, result = Path(folder, "event.json"), Path(folder, "result.json")
        event.write_text("{}")
        options = ["--function-name", function, "--payload", f"fileb://{event}"]
        options += ["--cli-read-timeout", _FUNCTION_SECONDS, str(result)]
        answer = aws.call("lambda", "invoke", *options)
        payload: dict[str, Any] = json.loads(result.read_text())
    if answer.get("FunctionError"):
        message = f"{payload.get('errorType', answer['FunctionError'])}: {payload.get('errorMessage', payload)}"
        raise AwsError(f"The refresher {function} failed: {message}", operation="Invoke")
    say(json.dumps(payload, indent=2))


def freshness(aws: Aws, bucket: str) -> str:
    """Tell how fresh the index-url file is, from a HEAD: nobody needs the secret for that.

    :param aws: the runner.
    :param bucket: the environment's bucket.
    """
    try:
        answer = aws.call("s3api", "head-object", "--bucket", bucket, "--key", INDEX_URL_KEY)
    except AwsError as error:
        if error.code != "404":
            raise
        return "not there"
    facts = LineFacts.from_metadata(answer["Metadata"])
    if facts is None:
        return "stale: it was not written by a refresher, so nobody knows when its token expires"
    hours = (facts.token_expires_at - datetime.now(UTC)).total_seconds() / 3600
    life = f"{hours:.1f} h left" if hours > 0 else "EXPIRED"
    return (
        f"{life}, token-expires-at {format_time(facts.token_expires_at)}, "
        f"refreshed-at {format_time(facts.refreshed_at)}, refreshed-by {facts.refreshed_by}"
    )


def _tell(subject: str, look: Callable[[], str]) -> AwsError | None:
    """Say what is found; hand an error back, so that what comes after it is told all the same."""
    try:
        say(f"{subject}: {look()}")
    except AwsError as error:
        say(f"{subject}: not known")
        return error
    return None


def _environment(aws: Aws, name: str) -> str:
    try:
        environment = aws.call("mwaa", "get-environment", "--name", name)["Environment"]
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        return "not there"
    update = environment.get("LastUpdate", {})
    failed = f", last update failed: {update.get('Error', {}).get('ErrorMessage')}" if update.get("Error") else ""
    return f"{environment['Status']}, Airflow {environment['AirflowVersion']}, {environment['WebserverUrl']}{failed}"
