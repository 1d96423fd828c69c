"""Remove each element from the templates, one at a time, and report whether a check notices: `make mutate`.

The cheapest check runs first: cfn-lint, then the behaviour of the stacks on the local AWS
(``infra.lab.mutation.behaviour``). Tests that only repeat a template do not count as checks.
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

# One for each core of a small machine.
_THREADS = 2
_BEHAVIOUR_SECONDS = 600
# Independent resources are created in random order, so a missing DependsOn shows in some orders only.
_ORDERS = 6
_PRECAUTION = "it is not known whether package groups that are created in parallel conflict"
# The mutations that no check notices, and the reason why that is right.
SURVIVORS: dict[str, str] = {
    "network: switch Vpc/EnableDnsSupport": "true is the default of a VPC; the endpoints' private DNS needs it",
    "network: rule EnvironmentSecurityGroup/MWAA requires open outbound rules; the VPC has no route that leads out": (
        "a group without outbound rules of its own allows all outbound traffic as well"
    ),
    "repository: switch PublicPackages/DependsOn": _PRECAUTION,
    "repository: switch Fn::ForEach::InHousePackageGroups/DependsOn": _PRECAUTION,
    "repository: switch Bucket/BucketEncryption": "it is Amazon S3's default for a new bucket; reviewers look for it",
}


@dataclass(frozen=True)
class MutationResult:
    """The result of checking one mutation.

    :param mutation: the removed element.
    :param noticed_by: ``lint``, ``behaviour``, ``reason`` (a survivor with its reason) or empty.
    :param message: the first line of the check's message, or the reason.
    :param seconds: the duration of the checks.
    """

    mutation: Mutation
    noticed_by: str
    message: str
    seconds: float


def main() -> int:
    """Check the mutations and return the exit status: 1 if any survives without a reason."""
    parser = argparse.ArgumentParser(prog="python -m infra.lab.mutation", description=__doc__)
    parser.add_argument(
        "--sample", type=int, default=0, help="the number of mutations to check, chosen at random (default: all)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the seed of that choice (default: a new one each day)")
    parser.add_argument("--only", default="", help="check only mutations whose name contains this text")
    arguments = parser.parse_args()
    wanted = [each for each in every_mutation() if arguments.only in each.name]
    if arguments.sample:
        seed = arguments.seed or int(time.time() // 86400)
        say(f"{arguments.sample} of {len(wanted)} mutations, seed {seed}")
        wanted = random.Random(seed).sample(wanted, min(arguments.sample, len(wanted)))  # noqa: S311  (no secret)
    with ThreadPoolExecutor(_THREADS) as pool:
        results = []
        for result in pool.map(check, wanted):
            results.append(result)
            say(_line(result))
    return _summary(results)


def every_mutation() -> list[Mutation]:
    """Return the mutations of all templates."""
    return [each for stack in STACKS for each in mutations(stack, read(TEMPLATES / f"{stack}.yaml"))]


def check(mutation: Mutation) -> MutationResult:
    """Run the checks on one mutation until one notices.

    :param mutation: the element to remove.
    """
    began = time.monotonic()
    mutated = json.dumps(mutation.apply(read(TEMPLATES / f"{mutation.template}.yaml")), indent=1)
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        for stack in STACKS:
            path = Path(folder, f"{stack}.yaml")
            path.write_text(mutated if stack == mutation.template else (TEMPLATES / path.name).read_text())
        noticed_by, message = "lint", _lint(mutated)
        for seed in range(_ORDERS if mutation.label.endswith("/DependsOn") else 1):
            if not message:
                noticed_by, message = "behaviour", _check_behaviour(Path(folder), seed)
        if message:
            return MutationResult(mutation, noticed_by, message, time.monotonic() - began)
    reason = SURVIVORS.get(mutation.name, "")
    return MutationResult(mutation, "reason" if reason else "", reason, time.monotonic() - began)


def _lint(mutated: str) -> str:
    """Return cfn-lint's first finding, or an empty string."""
    found = lint(mutated, config=ManualArgs(regions=["eu-west-1"]))
    return next((f"{match.rule.id} {match.message}" for match in found), "")


def _check_behaviour(folder: Path, seed: int) -> str:
    """Return the first unexpected behaviour of the stacks, or an empty string.

    :param folder: folder of the templates.
    :param seed: seed of the order in which independent resources are created.
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
        return f"the stacks were not finished within {_BEHAVIOUR_SECONDS} s"
    if not ended.returncode:
        return ""
    return (ended.stderr.strip().splitlines() or ["it printed nothing"])[-1]


def _line(result: MutationResult) -> str:
    how = result.noticed_by or "SURVIVES"
    return f"{how:10} {result.seconds:5.1f} s  {result.mutation.name}  {result.message[:200]}"


def _summary(results: Iterable[MutationResult]) -> int:
    counted: dict[str, int] = {}
    for result in results:
        counted[result.noticed_by or "SURVIVES"] = counted.get(result.noticed_by or "SURVIVES", 0) + 1
    say(", ".join(f"{how}: {count}" for how, count in sorted(counted.items())))
    return 1 if "SURVIVES" in counted else 0


if __name__ == "__main__":
    sys.exit(run(main))
