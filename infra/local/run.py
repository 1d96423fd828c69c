"""One run of the stacks on this machine; ``python -m infra.local`` starts, watches and stops it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

from infra import ROOT
from infra.acceptance.acceptance import prove
from infra.acceptance.steps import ProofError
from infra.cli.console import Console
from infra.cli.program import CommandError
from infra.local.demos.demo import demo, releases
from infra.local.demos.deployment import Deployment
from infra.local.runs import AWS_ENV
from infra.local.server import Server


def main(verb: str, folder: str, airflow_port: str, aws_port: str) -> int:
    """Run one verb, which writes into a folder; return the exit status, 1 if something failed."""
    if sys.platform == "linux":  # the kernel kills this process when its parent ends: prctl(2), PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    os.environ.setdefault("LOCAL_IAM_PROPAGATION_SECONDS", "3")  # so the bootstrap must retry, as on AWS
    with Console() as console:
        if (ROOT / ".env").exists():
            console.say("local", ".env is not read here, it is for AWS (but AIRFLOW_VERSION=2.11.2 make local works)")
        try:
            with Server(Path(folder, "aws"), int(aws_port), int(airflow_port), console.say) as server:
                verbs = {"demo": demo, "releases": releases, "stay": _stay, "acceptance": _acceptance}
                verbs[verb](Deployment(server, console, ROOT), Path(folder))
        except (CommandError, RuntimeError) as error:
            console.say("failed", f"{error} (logs: {folder})")
            return 1
    return 0


def _acceptance(deployment: Deployment, _: Path) -> None:
    """Run the steps of `make acceptance` here."""
    if prove(deployment, ROOT / "build", "the local AWS"):
        raise ProofError("the acceptance failed: see its report")


def _stay(deployment: Deployment, _: Path) -> None:
    """Deploy, print how to use the environment, and wait for Ctrl-C."""
    deployment.make("deploy")
    airflow = deployment.running
    deployment.write_settings(AWS_ENV)
    for line in (
        f"Airflow is at {airflow.url}, user {airflow.user}, password {airflow.password}",
        "Watch the DAG refresh_codeartifact_index_url; trigger example_codeartifact to use numpy in a task",
        f"In another shell: `. {AWS_ENV.relative_to(ROOT)}`, then `make status`, `make refresh`, `make deploy`",
        "Ctrl-C stops everything",
    ):
        deployment.console.say("local", line)
    deployment.console.quiet()
    signal.pause()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
