"""Deploy, update, inspect and delete the stacks: `python -m infra.deploy VERB`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from infra import ROOT
from infra.cli.announcement import announce, env_file
from infra.cli.aws import Aws
from infra.cli.console import say
from infra.cli.program import run
from infra.cli.settings import load
from infra.cli.templates import read_templates
from infra.deploy.deploy import deploy
from infra.deploy.destroy import destroy
from infra.deploy.refresh import refresh
from infra.deploy.release import (
    Deployed,
    NotDeployedError,
    release_all,
    release_plugins,
    release_requirements,
    roll_back,
)
from infra.deploy.status import status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.cli.settings import Settings
    from infra.cli.templates import Template

    Verb = Callable[[Aws, Settings, Mapping[str, Template], argparse.Namespace], None]


def _release_all(aws: Aws, settings: Settings, templates: Mapping[str, Template], given: argparse.Namespace) -> None:
    """Release everything; without an environment, fail, or do nothing if the option says so."""
    try:
        deployed = Deployed.read(aws, settings, templates)
    except NotDeployedError as error:
        if not given.if_deployed:
            raise
        say(f"nothing is released: {error}")
        return
    release_all(deployed, given.requirements, force=given.force)


def _release_requirements(
    aws: Aws, settings: Settings, templates: Mapping[str, Template], given: argparse.Namespace
) -> None:
    release_requirements(Deployed.read(aws, settings, templates), given.requirements, force=given.force)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    file, force = (argparse.ArgumentParser(add_help=False) for _ in range(2))
    shipped = ROOT / "requirements" / "requirements.txt"
    file.add_argument("--requirements", type=Path, default=shipped, help=f"the file (default: {shipped})")
    force.add_argument("--force", action="store_true", help="skip the check, and release even if nothing changed")

    def add(name: str, does: str, verb: Verb, *options: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=does, description=does, parents=options)
        added.set_defaults(run=verb)
        return added

    add(
        "deploy",
        "create or update all stacks",
        lambda aws, settings, templates, given: deploy(aws, settings, templates, given.requirements),
        file,
    )
    add("release", "check, upload and set all changed files with one update", _release_all, file, force).add_argument(
        "--if-deployed", action="store_true", help="do nothing if there is no environment yet"
    )
    add("release-requirements", "check, upload and set requirements.txt", _release_requirements, file, force)
    add(
        "release-plugins",
        "build, upload and set plugins.zip",
        lambda aws, settings, templates, _: release_plugins(Deployed.read(aws, settings, templates)),
    )
    add(
        "rollback",
        "set the last release that worked again",
        lambda aws, settings, templates, _: roll_back(Deployed.read(aws, settings, templates)),
    )
    add("status", "show the stacks, the environment and the index-url", lambda aws, settings, *_: status(aws, settings))
    add("refresh", "run the Lambda refresher now", lambda aws, settings, *_: refresh(aws, settings))
    add(
        "destroy",
        "delete everything",
        lambda aws, settings, _, given: destroy(aws, settings, confirmed=given.yes),
    ).add_argument("--yes", action="store_true", help="do not ask")
    return parser


def main() -> int:
    """Run one verb and return the exit status."""
    arguments = _parser().parse_args()

    def command() -> None:
        templates = read_templates()
        settings = load(env_file(os.environ), os.environ, templates)
        aws = Aws(settings.region, settings.environ)
        announce(aws, os.environ, templates)
        arguments.run(aws, settings, templates, arguments)

    again = f"Stopped here; AWS continues what it has begun. `make {arguments.verb}` again continues from there."
    return run(command, interrupted=again)


if __name__ == "__main__":
    sys.exit(main())
