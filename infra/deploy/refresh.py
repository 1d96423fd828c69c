"""Run the Lambda refresher now."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.aws import AwsError
from infra.cli.console import say
from infra.deploy.stacks import StackError, outputs

if TYPE_CHECKING:
    from infra.cli.aws import Aws
    from infra.cli.settings import Settings

_FUNCTION_SECONDS = "330"  # longer than the function's timeout; after 60 s, its default, the CLI would invoke it again


def refresh(aws: Aws, settings: Settings) -> None:
    """Invoke the Lambda refresher and print its result.

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
