"""Check a requirements file: `python -m infra.preflight [FILE]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from infra.cli.announcement import announce, env_file
from infra.cli.console import say
from infra.cli.program import run
from infra.cli.templates import read_templates
from infra.preflight import Repository, check, read_settings

_PROBLEMS, _CANNOT_CHECK = 1, 2


def main() -> int:
    """Check one file; return 0 if it is good, 1 if it has problems, 2 if there is no verdict."""
    parser = argparse.ArgumentParser(prog="python -m infra.preflight", description=__doc__)
    parser.add_argument("requirements", nargs="?", type=Path, default=Path("requirements/requirements.txt"))
    arguments = parser.parse_args()

    def command() -> int:
        settings = read_settings(env_file(os.environ), os.environ)
        if isinstance(settings.source, Repository):
            announce(settings.source.aws, os.environ, read_templates())
        report = check(arguments.requirements, settings)
        say(str(report))
        return _PROBLEMS if report.problems else 0

    return run(command, failed=_CANNOT_CHECK)


if __name__ == "__main__":
    sys.exit(main())
