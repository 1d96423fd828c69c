"""Deploy templates to the local AWS and check the stacks' behaviour: exit 0, or 1 with one sentence of what is wrong.

Neither Airflow nor pip runs, so it takes seconds; MWAA's rules, its agents and the environment's network do apply.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from pathlib import Path

from infra import ROOT
from infra.build import build
from infra.cli.templates import read_templates
from infra.lab.mutation.expectations import EXPECTATIONS, UnexpectedError
from infra.lab.mutation.stacks import DeployError, Stacks
from infra.local.server import Server


def main(templates: str) -> int:
    """Deploy the stacks, check every expectation, and delete the stacks.

    :param templates: the folder of the four templates.
    :returns: the exit status.
    """
    os.environ["LOCAL_LAMBDA_RETRY_SCALE"] = "0.02"  # a minute is about a second
    with tempfile.TemporaryDirectory(prefix="behaviour-") as folder:
        try:
            build(_root(Path(folder)))
            server = Server(Path(folder, "aws"), 0, 0, lambda _speaker, _line: None, run_airflow=False)
            with server:
                stacks = Stacks(server, read_templates(Path(templates)), Path(folder), f"m{uuid.uuid4().hex[:8]}")
                stacks.deploy()
                for expectation in EXPECTATIONS:
                    expectation(stacks)
                stacks.delete()
        except (UnexpectedError, DeployError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _root(folder: Path) -> Path:
    """Link the sources into a folder and return it: the zips are built there, not among the project's."""
    for name in ("plugins", "infra", "dags", "requirements"):
        (folder / name).symlink_to(ROOT / name)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
