"""Release files to a running environment, or roll back, with one update of each stack that is affected.

A release sets object versions through the stacks' parameters, so nothing drifts from the templates. All other
parameters keep their deployed values.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import ROOT
from infra.build import build
from infra.cli.announcement import env_file
from infra.cli.console import say
from infra.cli.program import CommandError
from infra.deploy.release_history import begin, conclude, read, released, way_back
from infra.deploy.stacks import StackError, deploy_stack, parameters_of, settle
from infra.deploy.upload import PARTS, REFRESHER_KEY, require_versioned, upload_dags, upload_parts
from infra.deploy.verdict import released_and_judged
from infra.preflight import check, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.cli.aws import Aws
    from infra.cli.settings import Settings
    from infra.cli.templates import Template

_REQUIREMENTS = "requirements.txt"
_STRATEGY = "WorkerReplacementStrategy"
# The stacks that a release updates, in this order: the Lambda's copy of the code is never older than the plugin's.
_STACKS = ("refresher", "mwaa")


class ReleaseError(CommandError):
    """A release that cannot begin."""


class NotDeployedError(ReleaseError):
    """A stack that a release updates is not deployed."""


@dataclass(frozen=True)
class Deployed:
    """The stacks that releases update, as they are deployed.

    :param aws: the runner.
    :param settings: the settings.
    :param templates: all templates by stack.
    :param parameters: the deployed parameters by stack.
    """

    aws: Aws
    settings: Settings
    templates: Mapping[str, Template]
    parameters: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, aws: Aws, settings: Settings, templates: Mapping[str, Template]) -> Deployed:
        """Read the stacks, after waiting for what an interrupted run has begun.

        :param aws: the runner.
        :param settings: the settings.
        :param templates: all templates by stack.
        :raises NotDeployedError: if a stack is missing.
        """
        for stack in _STACKS:
            found = settle(aws, settings.stack_name(stack))
            if not found or not found.get("Outputs"):
                raise NotDeployedError(f"{settings.stack_name(stack)} is not deployed: run `make deploy` first.")
        return cls(
            aws, settings, templates, {stack: parameters_of(aws, settings.stack_name(stack)) for stack in _STACKS}
        )

    @property
    def bucket(self) -> str:
        """Return the environment's bucket."""
        return self.settings.parameters["BucketName"]

    @property
    def release(self) -> dict[str, str]:
        """Return the deployed versions."""
        return released({name: value for stack in _STACKS for name, value in self.parameters[stack].items()})

    def set(self, versions: Mapping[str, str]) -> None:
        """Update the stacks whose versions change, and follow the environment until pip's verdict.

        :param versions: the versions to set; if all are set already, only the verdict is read again.
        :raises CommandError: if an update or pip failed.
        """
        release = {**self.release, **versions}
        with released_and_judged(self.aws, self.settings, self.bucket, self.release, release):
            for stack in _STACKS:
                self._update(stack, versions)

    def _update(self, stack: str, versions: Mapping[str, str]) -> None:
        """Update one stack with those of the versions that it takes."""
        template, current = self.templates[stack], self.parameters[stack]
        known = {name: value for name, value in current.items() if name in template.parameters}
        mine = {name: value for name, value in versions.items() if name in template.parameters}
        if mine.items() <= known.items():
            return
        needed = [each for each in template.parameters.values() if each.default is None]
        if new := [each.name for each in needed if each.name not in known | mine]:
            raise StackError(f"{template.path.name} has new parameters ({', '.join(new)}): run `make deploy`.")
        settings = self.settings.parameters
        strategy = {_STRATEGY: settings[_STRATEGY]} if _STRATEGY in settings and stack == "mwaa" else {}
        name = self.settings.stack_name(stack)
        deploy_stack(self.aws, name, template, {**known, **strategy, **mine}, self.settings.environment_name)


def release_all(deployed: Deployed, requirements: Path, *, force: bool, root: Path = ROOT) -> None:
    """Check requirements.txt, build, upload all changed files, and set them with one update of the environment.

    :param deployed: the stacks.
    :param requirements: the file to upload as requirements.txt.
    :param force: skip the check, and release even if nothing changed.
    :param root: the project's directory.
    :raises CommandError: if the check finds a problem, or the release failed.
    """
    _release(deployed, tuple(PARTS), requirements, root, force=force)
    # Last: DAGs may import what the release installs, and would fail if the release failed.
    upload_dags(deployed.aws, deployed.bucket, root / "dags")


def release_requirements(deployed: Deployed, requirements: Path, *, force: bool, root: Path = ROOT) -> None:
    """Check, upload and set requirements.txt, and nothing else.

    :param deployed: the stacks.
    :param requirements: the file to upload as requirements.txt.
    :param force: skip the check, and release even if nothing changed.
    :param root: the project's directory.
    :raises CommandError: if the check finds a problem, or the release failed.
    """
    _release(deployed, (_REQUIREMENTS,), requirements, root, force=force)


def release_plugins(deployed: Deployed, *, root: Path = ROOT) -> None:
    """Build, upload and set plugins.zip, and refresher.zip, which contains part of the same code.

    :param deployed: the stacks.
    :param root: the project's directory.
    :raises CommandError: if the release failed.
    """
    _release(deployed, ("plugins.zip", REFRESHER_KEY), root / "requirements" / _REQUIREMENTS, root)


def roll_back(deployed: Deployed) -> None:
    """Set the last release that worked again.

    :param deployed: the stacks.
    :raises CommandError: if none is known, or it failed.
    """
    entries = read(deployed.aws, deployed.bucket)
    target = way_back(entries, deployed.release)
    if target is None:
        raise ReleaseError("No earlier release of this environment that worked is known, so there is no way back.")
    if target.get("verdict") != "good":
        say("It was not recorded whether that release worked: it is the last one that is not known to have failed.")
    versions = released(target)
    for name, version in versions.items():
        if version != deployed.release.get(name):
            say(f"{name}: {deployed.release.get(name)} → {version}")
    if versions.items() <= deployed.release.items():
        begin(deployed.aws, deployed.bucket, {}, deployed.release)
        conclude(deployed.aws, deployed.bucket, deployed.release, target.get("verdict", "none"))
        say("The environment has that release again already: the update to the later one was taken back.")
    else:
        deployed.set(versions)
    say("The files here are still those of the later release: correct them before the next `make release`.")


def _release(deployed: Deployed, keys: tuple[str, ...], requirements: Path, root: Path, *, force: bool = False) -> None:
    """Check and build what is among these files, upload those that changed, and set their versions.

    :param keys: of PARTS.
    :param force: skip the check, and make a new version of requirements.txt even if it is unchanged.
    """
    if _REQUIREMENTS in keys and not force:
        _check(requirements)
    if keys != (_REQUIREMENTS,):
        build(root)
    require_versioned(deployed.aws, deployed.bucket)
    always = (_REQUIREMENTS,) if force else ()
    uploaded = upload_parts(deployed.aws, deployed.bucket, keys, requirements, root, always=always)
    versions = released({PARTS[key]: each.version_id for key, each in uploaded.items()})
    if versions.items() <= deployed.release.items():
        say("nothing changed: the environment has these versions already")
    deployed.set(versions)


def _check(requirements: Path) -> None:
    report = check(requirements, read_settings(env_file(os.environ), os.environ))
    say(str(report))
    if report.problems:
        raise ReleaseError(f"Nothing was uploaded: correct {requirements}, or skip the check with FORCE=1.")
