"""The report of a proof: its steps, their results and durations, and the versions; it contains no secret."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from infra.acceptance.steps import Step

_TOOLS = ("awscli", "boto3", "botocore")


@dataclass
class Report:
    """The content of the report.

    :param name: the deployment's name.
    :param region: its Region.
    :param endpoint: ``AWS``, or the address of a local endpoint.
    """

    name: str
    region: str
    endpoint: str
    outcome: str = "not finished"
    airflow_version: str = ""
    steps: list[Step] = field(default_factory=list)
    statuses: list[tuple[str, str]] = field(default_factory=list)

    def write(self, folder: Path) -> Path:
        """Write the report as Markdown and return its path.

        :param folder: the folder; created if it does not exist.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"acceptance-{datetime.now(UTC):%Y%m%d-%H%M%S}.md"
        path.write_text("\n".join(self._lines()) + "\n", encoding="utf-8")
        return path

    def _lines(self) -> Iterable[str]:
        yield f"# Acceptance of {self.name} in {self.region}: {self.outcome}"
        yield ""
        versions = ", ".join(f"{tool} {version(tool)}" for tool in _TOOLS)
        python = f"Python {platform.python_version()}"
        yield f"Ran on {self.endpoint} with Airflow {self.airflow_version}, {python}, {versions}."
        for step in self.steps:
            yield f"\n## {step.title}\n\nTook {step.seconds:.0f} s.\n"
            yield from (f"- {line}" for line in step.found)
        yield "\n## Statuses of the environment\n"
        yield from (f"- {moment} UTC: {status}" for moment, status in self.statuses)
