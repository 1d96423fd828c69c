"""Deploy the stacks to AWS and look after them: `python -m infra.deploy VERB`."""

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


def _release(aws: Aws, settings: Settings, templates: Mapping[str, Template], arguments: argparse.Namespace) -> None:
    """Release everything; without an environment that is an error, or left to deploy."""
    try:
        deployed = Deployed.read(aws, settings, templates)
    except NotDeployedError as error:
        if not arguments.if_deployed:
            raise
        say(f"nothing is released: {error}")
        return
    release_all(deployed, arguments.requirements, force=arguments.force)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add(name: str, does: str, verb: Verb) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=does, description=does)
        added.set_defaults(run=verb)
        return added

    with_file = [
        add("deploy", "bring up all stacks", lambda aws, settings, templates, given: deploy(
            aws, settings, templates, given.requirements
        )),
        add("release", "check, upload and set all that is new, by one update", _release),
        add("requirements", "check, upload and set requirements.txt", lambda aws, settings, templates, given: (
            release_requirements(Deployed.read(aws, settings, templates), given.requirements, force=given.force)
        )),
    ]  # fmt: skip
    for verb in with_file:
        file = ROOT / "requirements" / "requirements.txt"
        verb.add_argument("--requirements", type=Path, default=file, help=f"the file (default: {file})")
    for verb in with_file[1:]:
        verb.add_argument("--force", action="store_true", help="without the check, and even if nothing changed")
    with_file[1].add_argument("--if-deployed", action="store_true", help="do nothing where there is no environment yet")
    add("plugins", "build, upload and set plugins.zip", lambda aws, settings, templates, _: release_plugins(
        Deployed.read(aws, settings, templates)
    ))  # fmt: skip
    add("rollback", "set the last release again that worked", lambda aws, settings, templates, _: roll_back(
        Deployed.read(aws, settings, templates)
    ))  # fmt: skip
    add("status", "show what is there", lambda aws, settings, _, __: status(aws, settings))
    add("refresh", "let the Lambda refresh the index-url", lambda aws, settings, _, __: refresh(aws, settings))
    add("destroy", "delete everything", lambda aws, settings, _, given: destroy(
        aws, settings, confirmed=given.yes
    )).add_argument("--yes", action="store_true", help="without asking")  # fmt: skip
    return parser


def main() -> int:
    """Run one verb and give the exit status."""
    arguments = _parser().parse_args()

    def command() -> None:
        templates = read_templates()
        settings = load(env_file(os.environ), os.environ, templates)
        aws = Aws(settings.region, settings.environ)
        announce(aws, os.environ, templates)
        arguments.run(aws, settings, templates, arguments)

    again = f"Stopped here; what AWS has begun goes on. `make {arguments.verb}` again takes it up."
    return run(command, interrupted=again)


if __name__ == "__main__":
    sys.exit(main())
