"""Create or update everything: the stacks in their order, the uploads between them, pip's verdict at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import ROOT
from infra.build import build
from infra.cli.console import say
from infra.deploy.alarms import print_unconfirmed
from infra.deploy.parameters import fill
from infra.deploy.release_history import released
from infra.deploy.stacks import STILLBORN, deploy_stack, outputs, parameters_of, settle
from infra.deploy.upload import upload
from infra.deploy.verdict import released_and_judged
from infra.deploy.zones import zones

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.cli.aws import Aws
    from infra.cli.settings import Settings
    from infra.cli.templates import Template


def deploy(
    aws: Aws, settings: Settings, templates: Mapping[str, Template], requirements: Path, root: Path = ROOT
) -> None:
    """Build, deploy the stacks in their order, and follow the environment until pip's verdict.

    :param aws: the runner.
    :param settings: the settings.
    :param templates: all templates in the order of their deployment.
    :param requirements: the file to upload as requirements.txt.
    :param root: the project's directory.
    :raises CommandError: if a stack, the environment or pip failed, or pip's result is not known.
    """
    build(root)
    before = _parameters(aws, settings.stack_name("mwaa"))
    release = released(before | _parameters(aws, settings.stack_name("refresher"))) if before else {}
    earlier = zones(aws, settings, templates["network"])
    changed = False
    for each in ("network", "repository"):
        changed |= _deploy(aws, settings, each, templates[each], earlier)
    say("— uploads")
    uploaded, new = upload(aws, earlier["BucketName"], requirements, root)
    earlier |= uploaded
    changed |= _deploy(aws, settings, "refresher", templates["refresher"], earlier) or new
    with released_and_judged(aws, settings, earlier["BucketName"], release, released(earlier)):
        changed |= _deploy(aws, settings, "mwaa", templates["mwaa"], earlier)
    if email := settings.parameters.get("AlarmEmail"):
        print_unconfirmed(aws, earlier["AlarmTopicArn"], email)
    say(f"Airflow UI: {web_address(earlier['WebserverUrl'])}")
    say("deployed" if changed else "nothing changed: the stacks and all uploaded files are as they were")


def web_address(host: str) -> str:
    """Return the URL of the Airflow UI; MWAA returns a host name only.

    :param host: the environment's WebserverUrl.
    """
    on_this_machine = host.startswith(("127.0.0.1:", "localhost:"))
    return f"{'http' if on_this_machine else 'https'}://{host}"


def _parameters(aws: Aws, stack: str) -> dict[str, str]:
    """Return a stack's deployed parameters; none if the stack does not exist or was never complete."""
    found = settle(aws, stack)
    return parameters_of(aws, stack) if found and found["StackStatus"] not in STILLBORN else {}


def _deploy(aws: Aws, settings: Settings, stack: str, template: Template, earlier: dict[str, str]) -> bool:
    """Deploy one stack and add its outputs to those of the earlier ones; return whether it changed."""
    name = settings.stack_name(stack)
    say(f"— {name}")
    parameters = fill(template, earlier, settings.parameters)
    changed = deploy_stack(aws, name, template, parameters, settings.environment_name)
    earlier |= outputs(aws, name)
    return changed
