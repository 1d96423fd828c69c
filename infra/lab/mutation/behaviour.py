"""Deploy templates to the local AWS and see whether they behave: exit 0, or 1 with one sentence of what does not.

No Airflow and no pip runs, so it takes seconds; MWAA's rules, its agents and the environment's network are at work.
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
from infra.lab.mutation.expectations import EXPECTATIONS, Unexpected
from infra.lab.mutation.stacks import DeployFailed, Stacks
from infra.local.server import Server


def main(templates: str) -> int:
    """Deploy, look, delete.

    :param templates: folder of the four templates.
    :returns: exit status.
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
        except (Unexpected, DeployFailed) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _root(folder: Path) -> Path:
    """Return a folder in which the zips can be built without touching those of the project."""
    for name in ("plugins", "infra", "dags", "requirements"):
        (folder / name).symlink_to(ROOT / name)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
