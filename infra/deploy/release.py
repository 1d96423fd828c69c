"""Change what a running environment has installed: requirements and plugins, forward and back.

Each sets object versions through the stack's parameters, so that nothing drifts from the template.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from infra import ROOT
from infra.build import build
from infra.cli.announcement import env_file
from infra.cli.console import say, waiting
from infra.cli.program import DeployerError
from infra.deploy.events import POLL_SECONDS
from infra.deploy.install_log import read_installation
from infra.deploy.releases import previous, record, released
from infra.deploy.stacks import deploy_stack, parameters_of, settle
from infra.deploy.upload import put_if_changed, require_versioned
from infra.preflight import check, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.cli.aws import Aws
    from infra.cli.settings import Settings
    from infra.cli.templates import Template

_BUSY = {"CREATING", "UPDATING", "CREATING_SNAPSHOT", "PENDING", "ROLLING_BACK"}
_STRATEGY = "WorkerReplacementStrategy"


class ReleaseError(DeployerError):
    """Tell what stands in the way of a release, or what became of it."""


def release_requirements(aws: Aws, settings: Settings, template: Template, requirements: Path, *, force: bool) -> None:
    """Check requirements.txt, upload it, set it on the environment, and tell what pip made of it.

    :param aws: the runner.
    :param settings: the settings.
    :param template: the environment's.
    :param requirements: what is uploaded as requirements.txt.
    :param force: without the check, and even if nothing changed.
    :raises ReleaseError: when the check finds a problem, or pip failed.
    """
    if not force:
        report = check(requirements, read_settings(env_file(os.environ), os.environ))
        say(str(report))
        if report.problems:
            raise ReleaseError(f"Nothing was uploaded: correct {requirements}, or FORCE=1 if you know better.")
    _release(aws, settings, template, "RequirementsS3ObjectVersion", requirements, "requirements.txt", force=force)


def release_plugins(aws: Aws, settings: Settings, template: Template, *, root: Path = ROOT) -> None:
    """Build plugins.zip, upload it, set it on the environment, and follow the update.

    :param aws: the runner.
    :param settings: the settings.
    :param template: the environment's.
    :param root: the project's directory.
    """
    build(root)
    _release(aws, settings, template, "PluginsS3ObjectVersion", root / "build" / "plugins.zip", "plugins.zip")


def roll_back(aws: Aws, settings: Settings, template: Template) -> None:
    """Set the requirements and plugins again that the environment had before the last release.

    :param aws: the runner.
    :param settings: the settings.
    :param template: the environment's.
    :raises ReleaseError: when no earlier release is known, or pip failed.
    """
    current = _parameters(aws, settings)
    versions = previous(aws, settings.parameters["BucketName"], released(current))
    if versions is None:
        raise ReleaseError("No earlier release of this environment is known: there is nothing to go back to.")
    for name, version in versions.items():
        if version != current[name]:
            say(f"{name}: {current[name]} → {version}")
    _set(aws, settings, template, current, versions)
    say("The files here are still those of the later release: correct them before the next `make deploy`.")


def _release(
    aws: Aws, settings: Settings, template: Template, parameter: str, path: Path, key: str, *, force: bool = False
) -> None:
    """Upload a file if it changed, and set its version as the stack's parameter."""
    bucket = settings.parameters["BucketName"]
    current = _parameters(aws, settings)
    require_versioned(aws, bucket)
    stored = put_if_changed(aws, bucket, key, path, always=force)
    say(f"{key}: {'uploaded' if stored.changed else 'unchanged'}")
    if current.get(parameter) == stored.version_id:
        say("nothing changed: the environment has this already")
        return
    versions = {parameter: stored.version_id}
    record(aws, bucket, released(current), released(current | versions))
    _set(aws, settings, template, current, versions)


def _parameters(aws: Aws, settings: Settings) -> dict[str, str]:
    """Give the parameters of the environment's stack as they are deployed."""
    name = settings.stack_name("mwaa")
    stack = settle(aws, name)
    if not stack or not stack.get("Outputs"):
        raise ReleaseError(f"{name} is not deployed: run `make deploy` first.")
    return parameters_of(aws, name)


def _set(
    aws: Aws, settings: Settings, template: Template, current: Mapping[str, str], versions: Mapping[str, str]
) -> None:
    """Update the stack by these versions only, follow the environment's update, and tell what pip made of it."""
    name, stack = settings.environment_name, settings.stack_name("mwaa")
    strategy = {_STRATEGY: settings.parameters[_STRATEGY]} if _STRATEGY in settings.parameters else {}
    known = {parameter: value for parameter, value in current.items() if parameter in template.parameters}
    since_milliseconds = int(time.time() * 1000)
    deploy_stack(aws, stack, template, {**known, **strategy, **versions}, name)
    _follow(aws, name)
    _tell_installation(aws, name, since_milliseconds)


def _follow(aws: Aws, name: str) -> None:
    """Wait for the environment, whose update may outlast the stack's."""
    with waiting(f"environment {name}"):
        while (environment := _environment(aws, name))["Status"] in _BUSY:
            time.sleep(POLL_SECONDS)
    update = environment.get("LastUpdate") or {}
    if environment["Status"] != "AVAILABLE" or update.get("Status") == "FAILED":
        reason = (update.get("Error") or {}).get("ErrorMessage", "MWAA gives no reason")
        raise ReleaseError(f"The environment {name} is {environment['Status']}: {reason}. `make rollback` goes back.")
    say(f"environment {name}: AVAILABLE")


def _environment(aws: Aws, name: str) -> dict[str, Any]:
    environment: dict[str, Any] = aws.call("mwaa", "get-environment", "--name", name)["Environment"]
    return environment


def _tell_installation(aws: Aws, name: str, since_milliseconds: int) -> None:
    found = read_installation(aws, name, since_milliseconds)
    if found.errors:
        for line in found.errors:
            say(f"  {line}")
        raise ReleaseError(f"pip failed on the containers: {found.cause} `make rollback` goes back.")
    if not found.told:
        say(f"No requirements-install log has come yet: read it later in the log group airflow-{name}-Worker.")
    elif found.installed:
        say(f"installed: {', '.join(found.installed)}")
    else:
        say("installed: nothing new, the image holds all of it")
