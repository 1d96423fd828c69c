"""Measure the time that the plugin and the refresh DAG cost Airflow: `python -m infra.lab.bench [VERSION …]`.

Timings are noisy, so all figures are measured in turn in one run, and their medians are compared.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra import ROOT, setup
from infra.cli.console import say
from infra.cli.program import run
from infra.cli.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROUNDS = 5
_PLUGIN_MILLISECONDS = 50
_PARSE_RATIO = 1.1
_HEAD = (
    "Airflow", "plugin", "whole: empty", "refresh", "ratio", "parse: empty", "one task", "refresh", "",
)  # fmt: skip
_PROBE = Path(__file__).with_name("probe.py")
_EMPTY_DAG = '''"""An airflow dag with nothing in it."""
from datetime import datetime
try:
    from airflow.sdk import DAG, BaseOperator
except ImportError:
    from airflow import DAG
    from airflow.models import BaseOperator
with DAG("empty", schedule=None, start_date=datetime(2024, 1, 1)):
    pass
'''
_ONE_TASK_DAG = _EMPTY_DAG.replace("    pass", '    BaseOperator(task_id="idle")')


@dataclass(frozen=True)
class Probe:
    """The measurement of one process.

    :param whole_seconds: time from its start to its end.
    :param milliseconds: the time that it measured itself, see probe.py.
    """

    whole_seconds: float
    milliseconds: float


@dataclass(frozen=True)
class Figures:
    """One version's probes by their subject: ``plugin``, ``empty``, ``one task`` and ``refresh``."""

    probes: dict[str, list[Probe]]

    def milliseconds(self, subject: str) -> float:
        """Return the median of the times that the processes measured."""
        return statistics.median(probe.milliseconds for probe in self.probes[subject])

    def seconds(self, subject: str) -> float:
        """Return the median time of the whole process."""
        return statistics.median(probe.whole_seconds for probe in self.probes[subject])

    @property
    def parse_ratio(self) -> float:
        """Return the time of a process that parses the refresh DAG, divided by that of one that parses an empty DAG."""
        return self.seconds("refresh") / self.seconds("empty")

    @property
    def is_within_limits(self) -> bool:
        """Return whether both limits hold."""
        return self.milliseconds("plugin") <= _PLUGIN_MILLISECONDS and self.parse_ratio <= _PARSE_RATIO

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the cells of a row: see _HEAD."""
        plugin, *parses = (self.milliseconds(subject) for subject in self.probes)
        whole = (f"{self.seconds(subject):.2f}" for subject in ("empty", "refresh"))
        note = "" if self.is_within_limits else "over the limit"
        return (f"{plugin:.1f}", *whole, f"{self.parse_ratio:.2f}", *(f"{parse:.0f}" for parse in parses), note)


def main(versions: list[str]) -> int:
    """Measure each version; return 1 if a limit does not hold.

    :param versions: such as 3.0.6 (default: all).
    """
    say(f"Limits: the plugin file {_PLUGIN_MILLISECONDS} ms; a process that parses the refresh DAG, {_PARSE_RATIO}")
    say("times one that parses an empty DAG. The last columns: the parse alone, in a process that has loaded Airflow.")
    say("plugin and parse in ms, whole process in s")
    found: list[Figures] = []

    def rows() -> Iterator[tuple[str, ...]]:
        yield _HEAD
        for version in versions or setup.known_versions():
            setup.build_airflow(version)
            found.append(measure(version))
            yield version, *found[-1].cells

    for line in table(rows(), "<>>>>>>><", [len(name) for name in _HEAD]):
        say(line)
    return 0 if all(figures.is_within_limits for figures in found) else 1


def measure(version: str, rounds: int = _ROUNDS) -> Figures:
    """Measure one version.

    :param version: the version, whose environment must exist.
    :param rounds: number of measurements of each figure (default: 5).
    """
    with tempfile.TemporaryDirectory() as folder:
        empty, one_task = Path(folder, "empty.py"), Path(folder, "one_task.py")
        empty.write_text(_EMPTY_DAG, encoding="utf-8")
        one_task.write_text(_ONE_TASK_DAG, encoding="utf-8")
        subjects = {
            "plugin": ("plugin", ROOT / "plugins" / "mwaa_codeartifact_plugin.py"),
            "empty": ("dag", empty),
            "one task": ("dag", one_task),
            "refresh": ("dag", ROOT / "dags" / "refresh_codeartifact_index_url.py"),
        }
        for each in subjects.values():  # once without measuring: byte code is written, files are in memory
            _probe(version, *each, folder)
        found = [{name: _probe(version, *each, folder) for name, each in subjects.items()} for _ in range(rounds)]
    return Figures({name: [each[name] for each in found] for name in subjects})


def _probe(version: str, kind: str, file: Path, home: str) -> Probe:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(ROOT / "plugins"),
    }
    python = ROOT / ".local" / f"airflow-{version}" / "bin" / "python"
    started = time.monotonic()
    answer = subprocess.run(
        [str(python), str(_PROBE), kind, str(file)], env=environ, capture_output=True, text=True, check=True
    )
    return Probe(time.monotonic() - started, float(answer.stdout.splitlines()[-1]))


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
