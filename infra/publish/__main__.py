"""Publish an in-house package: `python -m infra.publish DIST`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from infra.build import ROOT
from infra.deploy.aws_cli import Aws, AwsError
from infra.deploy.console import say
from infra.deploy.settings import SettingsError, load
from infra.deploy.templates import read_templates
from infra.publish.distribution import PublishError, distribution
from infra.publish.publish import publish

_FAILED, _BAD_SETTINGS, _INTERRUPTED = 1, 2, 130


def main() -> int:
    """Publish one package and give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.publish", description=__doc__)
    parser.add_argument("dist", help="a wheel, a source distribution, or a folder with a pyproject.toml")
    arguments = parser.parse_args()
    try:
        settings = load(ROOT / ".env", os.environ, read_templates())
        with tempfile.TemporaryDirectory() as folder:
            publish(Aws(settings.region, settings.environ), settings, distribution(arguments.dist, Path(folder)))
    except SettingsError as error:
        for problem in error.problems:
            say(problem, sys.stderr)
        return _BAD_SETTINGS
    except (AwsError, PublishError) as error:
        say(str(error), sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
