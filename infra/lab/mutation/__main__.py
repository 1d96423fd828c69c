"""Remove everything from the templates, one thing at a time, and see whether a check notices: `make mutate`.

Checks are tried in the order of their costs: cfn-lint, then the behaviour of the stacks on the local AWS
(``infra.lab.mutation.behaviour``). A test that merely repeats a template is none of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cfnlint.api import lint
from cfnlint.config import ManualArgs

from infra import ROOT
from infra.cli.console import say
from infra.cli.program import run
from infra.cli.templates import STACKS, TEMPLATES
from infra.lab.mutation.mutations import mutations, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.lab.mutation.mutations import Mutation

# On two cores two behave at a time.
_AT_A_TIME = 2
_BEHAVIOUR_SECONDS = 600
# Independent resources are made in random order, so a missing DependsOn shows in some orders only: so many are tried.
_ORDERS = 6
_PRECAUTION = "nobody knows whether package groups that are made side by side conflict"
# What no check notices, and why that is right: the mutation's name to the reason.
SURVIVORS: dict[str, str] = {
    "network: switch Vpc/EnableDnsSupport": "true is what a VPC has by itself; the endpoints' private DNS needs it",
    "network: rule EnvironmentSecurityGroup/MWAA requires open outbound rules; the VPC has no route that leads out": (
        "a group without outbound rules of its own lets everything out as well"
    ),
    "repository: switch PublicPackages/DependsOn": _PRECAUTION,
    "repository: switch Fn::ForEach::InHousePackageGroups/DependsOn": _PRECAUTION,
    "repository: switch Bucket/BucketEncryption": "Amazon S3 encrypts a new bucket so by itself; reviewers look for it",
}


@dataclass(frozen=True)
class Outcome:
    """How a mutation fared.

    :param mutation: what was removed.
    :param noticed_by: ``lint``, ``behaviour``, ``reason`` (a survivor with its reason) or empty.
    :param said: the first line of what the check said, or the reason.
    :param seconds: how long the checks took.
    """

    mutation: Mutation
    noticed_by: str
    said: str
    seconds: float


def main() -> int:
    """Check the mutations and return the exit status: 1 if any survives without a reason."""
    parser = argparse.ArgumentParser(prog="python -m infra.lab.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="check so many, picked by chance (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="what picks them (default: another one each day)")
    parser.add_argument("--only", default="", help="check those whose name holds this text")
    arguments = parser.parse_args()
    wanted = [each for each in every_mutation() if arguments.only in each.name]
    if arguments.sample:
        seed = arguments.seed or int(time.time() // 86400)
        say(f"{arguments.sample} of {len(wanted)} mutations, seed {seed}")
        wanted = random.Random(seed).sample(wanted, min(arguments.sample, len(wanted)))  # noqa: S311  (no secret)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        outcomes = []
        for outcome in pool.map(check, wanted):
            outcomes.append(outcome)
            say(_line(outcome))
    return _summary(outcomes)


def every_mutation() -> list[Mutation]:
    """Return the mutations of all templates."""
    return [each for stack in STACKS for each in mutations(stack, read(TEMPLATES / f"{stack}.yaml"))]


def check(mutation: Mutation) -> Outcome:
    """Try one mutation on each check until one notices.

    :param mutation: what is removed.
    """
    began = time.monotonic()
    mutated = json.dumps(mutation.apply(read(TEMPLATES / f"{mutation.template}.yaml")), indent=1)
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        for stack in STACKS:
            path = Path(folder, f"{stack}.yaml")
            path.write_text(mutated if stack == mutation.template else (TEMPLATES / path.name).read_text())
        noticed_by, said = "lint", _lint(mutated)
        for seed in range(_ORDERS if mutation.label.endswith("/DependsOn") else 1):
            if not said:
                noticed_by, said = "behaviour", _behave(Path(folder), seed)
        if said:
            return Outcome(mutation, noticed_by, said, time.monotonic() - began)
    reason = SURVIVORS.get(mutation.name, "")
    return Outcome(mutation, "reason" if reason else "", reason, time.monotonic() - began)


def _lint(mutated: str) -> str:
    """Return cfn-lint's first complaint, empty if it has none."""
    found = lint(mutated, config=ManualArgs(regions=["eu-west-1"]))
    return next((f"{match.rule.id} {match.message}" for match in found), "")


def _behave(folder: Path, seed: int) -> str:
    """Return what the stacks' behaviour shows, empty if all is as it should be.

    :param seed: of the order in which independent resources are made.
    """
    command = [sys.executable, "-m", "infra.lab.mutation.behaviour", str(folder)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}  # the developer's
    try:
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env={**environ, "LOCAL_CLOUDFORMATION_SEED": str(seed)},
            capture_output=True,
            text=True,
            timeout=_BEHAVIOUR_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"nothing was decided within {_BEHAVIOUR_SECONDS} s"
    if not ended.returncode:
        return ""
    return (ended.stderr.strip().splitlines() or ["it ended without a word"])[-1]


def _line(outcome: Outcome) -> str:
    how = outcome.noticed_by or "SURVIVES"
    return f"{how:10} {outcome.seconds:5.1f} s  {outcome.mutation.name}  {outcome.said[:200]}"


def _summary(outcomes: Iterable[Outcome]) -> int:
    counted: dict[str, int] = {}
    for outcome in outcomes:
        counted[outcome.noticed_by or "SURVIVES"] = counted.get(outcome.noticed_by or "SURVIVES", 0) + 1
    say(", ".join(f"{how}: {count}" for how, count in sorted(counted.items())))
    return 1 if "SURVIVES" in counted else 0


if __name__ == "__main__":
    sys.exit(run(main))
