"""One run of the stacks on this machine, watched over by ``python -m infra.local``, which stops it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from infra import ROOT
from infra.acceptance.acceptance import prove
from infra.acceptance.steps import ProofError
from infra.cli.console import Console
from infra.cli.program import DeployerError
from infra.local.demos.demo import demo, releases
from infra.local.demos.deployment import Deployment
from infra.local.runs import AWS_ENV, die_with_parent
from infra.local.server import Server


def main(verb: str, folder: Path, airflow_port: int, aws_port: int) -> int:
    """Run one verb.

    :param verb: ``stay``, ``demo``, ``releases`` or ``acceptance``.
    :param folder: for all that it writes.
    :param airflow_port: of Airflow's UI.
    :param aws_port: of AWS's endpoint.
    :returns: exit status: 0 done, 1 something failed.
    """
    die_with_parent()
    with Console() as console:
        if (ROOT / ".env").exists():
            console.say("local", ".env is not read here: it is for AWS (AIRFLOW_VERSION=2.11.2 make local works)")
        try:
            with Server(folder / "aws", aws_port, airflow_port, console.say) as server:
                deployment = Deployment(server, console, ROOT)
                verbs = {"demo": demo, "releases": releases, "stay": stay, "acceptance": acceptance}
                verbs[verb](deployment, folder)
        except (ProofError, DeployerError, RuntimeError) as error:
            console.say("failed", f"{error} (logs: {folder})")
            return 1
    return 0


def acceptance(deployment: Deployment, _: Path) -> None:
    """Take the steps of `make acceptance` here.

    :raises ProofError: if one of them fails.
    """
    if prove(deployment, ROOT / "build", "the local AWS"):
        raise ProofError("the acceptance does not hold: see its report")


def stay(deployment: Deployment, _: Path) -> None:
    """Deploy, tell how to look around, and stay until Ctrl-C."""
    deployment.make("deploy")
    airflow = deployment.running
    say = deployment.console.say
    deployment.write_settings(AWS_ENV)
    say("local", f"Airflow is at {airflow.url}, user {airflow.user}, password {airflow.password}")
    say("local", "Watch the DAG refresh_codeartifact_index_url; trigger example_codeartifact to see numpy at work")
    say(
        "local", f"In another shell: `. {AWS_ENV.relative_to(ROOT)}`, then `make status`, `make refresh`, `make deploy`"
    )
    say("local", "Ctrl-C stops everything")
    deployment.console.quiet()
    signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])))
