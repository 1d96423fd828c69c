"""What the deployer does: deploy and refresh (status and destroy have modules of their own)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import ROOT
from infra.build import build
from infra.cli.aws import AwsError
from infra.cli.console import say
from infra.deploy.parameters import fill
from infra.deploy.releases import record, released
from infra.deploy.stacks import StackError, deploy_stack, outputs, parameters_of
from infra.deploy.upload import upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.cli.aws import Aws
    from infra.cli.settings import Settings
    from infra.cli.templates import Template

_FUNCTION_SECONDS = "330"  # more than the function's timeout; the CLI's own is 60 s and would invoke it again


def deploy(
    aws: Aws, settings: Settings, templates: Mapping[str, Template], requirements: Path, root: Path = ROOT
) -> None:
    """Build, then bring up the stacks in their order, with the uploads as soon as the bucket is there.

    :param aws: the runner.
    :param settings: the settings.
    :param templates: all templates in the order of their deployment.
    :param requirements: what is uploaded as requirements.txt.
    :param root: the project's directory.
    """
    build(root)
    earlier: dict[str, str] = {}
    changed = False
    before = released(parameters_of(aws, settings.stack_name("mwaa")))
    for stack, template in templates.items():
        name = settings.stack_name(stack)
        say(f"— {name}")
        parameters = fill(template, earlier, settings.parameters)
        changed |= deploy_stack(aws, name, template, parameters, settings.environment_name)
        earlier |= outputs(aws, name)
        if stack == "repository":
            say("— uploads")
            uploaded, new = upload(aws, earlier["BucketName"], requirements, root)
            earlier |= uploaded
            changed |= new
    if before != (after := released(earlier)):
        record(aws, earlier["BucketName"], before, after)
    say(f"Airflow UI: {earlier['WebserverUrl']}")
    say("deployed" if changed else "nothing changed: the stacks and all uploaded files are as they were")


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
