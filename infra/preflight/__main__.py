"""Check a requirements file: `python -m infra.preflight [FILE]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from infra.build import ROOT
from infra.deploy.aws_cli import AwsError
from infra.deploy.console import say
from infra.deploy.settings import SettingsError
from infra.preflight import CannotCheckError, check, read_settings

_PROBLEMS, _CANNOT_CHECK, _INTERRUPTED = 1, 2, 130


def main() -> int:
    """Check one file: 0 if it is good, 1 if it is not, 2 if that could not be found out."""
    parser = argparse.ArgumentParser(prog="python -m infra.preflight", description=__doc__)
    parser.add_argument("requirements", nargs="?", type=Path, default=Path("requirements/requirements.txt"))
    arguments = parser.parse_args()
    try:
        report = check(arguments.requirements, read_settings(ROOT / ".env", os.environ))
    except SettingsError as error:
        for problem in error.problems:
            say(problem, sys.stderr)
        return _CANNOT_CHECK
    except (AwsError, CannotCheckError) as error:
        say(str(error), sys.stderr)
        return _CANNOT_CHECK
    except KeyboardInterrupt:
        return _INTERRUPTED
    say(str(report))
    return _PROBLEMS if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
