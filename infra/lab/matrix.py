"""Run Airflow's tests in every version's environment, two at a time, and print a table of the results."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import ROOT, setup
from infra.cli.console import Console, say
from infra.cli.program import CommandError, run
from infra.cli.table import table as columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# On two cores a pair took 163 s, one version alone 136 s: a run often waits for processes that it has started.
_AT_A_TIME = 2
# The end of what pytest prints, such as "2 failed, 94 passed, 6 warnings in 41.70s".
_SUMMARY = re.compile(r"=+ (.*) in [\d.]+s.*=+$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """The result of the tests on one version.

    :param airflow_version: such as 3.0.6.
    :param passed: whether all passed.
    :param summary: the last line of pytest, such as "3 passed".
    :param seconds: their duration.
    :param log: the output of pytest.
    """

    airflow_version: str
    passed: bool
    summary: str
    seconds: float
    log: Path


def main(arguments: Sequence[str]) -> int:
    """Build the missing environments, run the tests, print the table, and return the exit status.

    :param arguments: of the command line.
    :raises CommandError: if no version is left to test.
    """
    parser = argparse.ArgumentParser(prog="python -m infra.lab.matrix", description=__doc__)
    parser.add_argument("--without", default="", help="versions that are tested elsewhere, separated by spaces")
    parser.add_argument("--pytest", default="", help="further arguments for pytest, such as '-k page'")
    options = parser.parse_args(arguments)
    versions = [version for version in setup.known_versions() if version not in options.without.split()]
    if not versions:
        raise CommandError("WITHOUT names every version of Airflow, so there is no version to test: leave one out")
    for version in versions:
        setup.build_airflow(version)
    with Console() as console:
        outcomes = test(ROOT, versions, shlex.split(options.pytest), console)
    say(table(outcomes))
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def test(root: Path, versions: Sequence[str], pytest_arguments: Sequence[str], console: Console) -> list[Outcome]:
    """Run tests/airflow on versions whose environments exist.

    :param root: the project's folder.
    :param versions: of Airflow.
    :param pytest_arguments: further arguments for pytest.
    :param console: prints the progress, and the whole output of pytest for a version that fails.
    :returns: an outcome for each version, in the same order.
    """

    def test_version(version: str) -> Outcome:
        console.say(version, "tests/airflow …")
        outcome = _test_one(root, version, pytest_arguments)
        for line in [] if outcome.passed else outcome.log.read_text().splitlines():
            console.say(version, line)
        console.say(version, f"{outcome.summary} ({outcome.seconds:.0f} s)")
        return outcome

    with ThreadPoolExecutor(_AT_A_TIME) as pool:  # the newest first: they take longest
        return list(pool.map(test_version, reversed(versions)))[::-1]


def _test_one(root: Path, version: str, pytest_arguments: Sequence[str]) -> Outcome:
    log = root / "build" / f"tests-airflow-{version}.log"
    log.parent.mkdir(exist_ok=True)
    python = str(root / ".local" / f"airflow-{version}" / "bin" / "python")
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "tests/airflow", "-o", "filterwarnings=default"]
    started = time.monotonic()
    with log.open("w") as output:
        ended = subprocess.run(
            [*command, *pytest_arguments], cwd=root, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    summaries = _SUMMARY.findall(log.read_text())
    summary = summaries[-1] if summaries else f"ended with status {ended.returncode}"
    return Outcome(version, ended.returncode == 0, summary, time.monotonic() - started, log)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a table."""
    rows = [("Airflow", "", "seconds", "tests")]
    rows += [
        (outcome.airflow_version, "passed" if outcome.passed else "FAILED", f"{outcome.seconds:.0f}", outcome.summary)
        for outcome in outcomes
    ]
    return "\n".join(columns(rows, "<<><"))


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
