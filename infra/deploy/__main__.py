"""Deploy the stacks to AWS and look after them: `python -m infra.deploy VERB`."""

from __future__ import annotations

import argparse
import os
import sys

from infra.build import ROOT
from infra.deploy.aws_cli import Aws, AwsError
from infra.deploy.console import say
from infra.deploy.destroy import NotConfirmedError, destroy
from infra.deploy.settings import SettingsError, load
from infra.deploy.stacks import StackError
from infra.deploy.templates import read_templates
from infra.deploy.verbs import deploy, refresh, status

_FAILED, _BAD_SETTINGS, _INTERRUPTED = 1, 2, 130


def main() -> int:
    """Run one verb and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("verb", choices=["deploy", "status", "refresh", "destroy"])
    parser.add_argument("--yes", action="store_true", help="destroy without asking")
    arguments = parser.parse_args()
    try:
        _run(arguments.verb, confirmed=arguments.yes)
    except SettingsError as error:
        for problem in error.problems:
            say(problem, sys.stderr)
        return _BAD_SETTINGS
    except (AwsError, StackError, NotConfirmedError) as error:
        say(str(error), sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        say(f"Stopped here; what AWS has begun goes on. `make {arguments.verb}` again takes it up.", sys.stderr)
        return _INTERRUPTED
    return 0


def _run(verb: str, *, confirmed: bool) -> None:
    templates = read_templates()
    settings = load(ROOT / ".env", os.environ, templates)
    aws = Aws(settings.region, settings.environ)
    if verb == "deploy":
        deploy(aws, settings, templates)
    elif verb == "status":
        status(aws, settings)
    elif verb == "refresh":
        refresh(aws, settings)
    else:
        destroy(aws, settings, confirmed=confirmed)


if __name__ == "__main__":
    sys.exit(main())
