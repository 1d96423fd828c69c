"""Publish an in-house package: `python -m infra.publish DIST`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from infra.cli.announcement import announce, env_file
from infra.cli.aws import Aws
from infra.cli.program import run
from infra.cli.settings import load
from infra.cli.templates import read_templates
from infra.publish.distribution import distribution
from infra.publish.publish import publish


def main() -> int:
    """Publish one package and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m infra.publish", description=__doc__)
    parser.add_argument("dist", help="a wheel, a source distribution, or a folder with a pyproject.toml")
    arguments = parser.parse_args()

    def command() -> None:
        templates = read_templates()
        settings = load(env_file(os.environ), os.environ, templates)
        aws = Aws(settings.region, settings.environ)
        announce(aws, os.environ, templates)
        with tempfile.TemporaryDirectory() as folder:
            publish(aws, settings, distribution(arguments.dist, Path(folder)))

    return run(command)


if __name__ == "__main__":
    sys.exit(main())
