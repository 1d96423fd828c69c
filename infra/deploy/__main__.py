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
from infra.cli.program import run
from infra.cli.settings import load
from infra.cli.templates import read_templates
from infra.deploy.destroy import destroy
from infra.deploy.release import release_plugins, release_requirements, roll_back
from infra.deploy.verbs import deploy, refresh, status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.cli.settings import Settings
    from infra.cli.templates import Template

_VERBS: dict[str, Callable[[Aws, Settings, Mapping[str, Template], argparse.Namespace], object]] = {
    "deploy": lambda aws, settings, templates, given: deploy(aws, settings, templates, given.requirements),
    "status": lambda aws, settings, _, __: status(aws, settings),
    "refresh": lambda aws, settings, _, __: refresh(aws, settings),
    "requirements": lambda aws, settings, templates, given: release_requirements(
        aws, settings, templates["mwaa"], given.requirements, force=given.force
    ),
    "plugins": lambda aws, settings, templates, _: release_plugins(aws, settings, templates["mwaa"]),
    "rollback": lambda aws, settings, templates, _: roll_back(aws, settings, templates["mwaa"]),
    "destroy": lambda aws, settings, _, given: destroy(aws, settings, confirmed=given.yes),
}


def main() -> int:
    """Run one verb and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("verb", choices=[*_VERBS])
    parser.add_argument(
        "--requirements", type=Path, default=ROOT / "requirements" / "requirements.txt", help="the file"
    )
    parser.add_argument("--force", action="store_true", help="requirements without the check, even if unchanged")
    parser.add_argument("--yes", action="store_true", help="destroy without asking")
    arguments = parser.parse_args()

    def command() -> None:
        templates = read_templates()
        settings = load(env_file(os.environ), os.environ, templates)
        aws = Aws(settings.region, settings.environ)
        announce(aws, os.environ, templates)
        _VERBS[arguments.verb](aws, settings, templates, arguments)

    again = f"Stopped here; what AWS has begun goes on. `make {arguments.verb}` again takes it up."
    return run(command, interrupted=again)


if __name__ == "__main__":
    sys.exit(main())
