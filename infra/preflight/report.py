"""The verdict: one table, the total against MWAA's time limit, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.cli.table import table
from infra.mwaa_facts import PIP_SECONDS

if TYPE_CHECKING:
    from infra.preflight.problems import Problem
    from infra.preflight.resolver import Package

# An assumption, not a measurement: what a small container downloads and unpacks of wheels in a second.
ASSUMED_BYTES_PER_SECOND = 5_000_000


@dataclass(frozen=True)
class Row:
    """Hold one package that would be installed.

    :param package: which.
    :param origin: where it comes from: upstream, in-house, index (not told apart), or file.
    """

    package: Package
    origin: str


@dataclass
class Report:
    """Hold a verdict.

    :param subject: what was checked, for which Airflow, against which index.
    :param constraints: where the constraints come from.
    :param rows: what would be installed; empty where nothing can be.
    :param problems: what must be mended first.
    :param notes: what is worth knowing.
    """

    subject: str
    constraints: str = ""
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Sum up what is known of the wheels' sizes (bytes)."""
        return sum(row.package.size or 0 for row in self.rows)

    @property
    def seconds(self) -> float:
        """Estimate how long pip takes (s); see ASSUMED_BYTES_PER_SECOND."""
        return self.size / ASSUMED_BYTES_PER_SECOND

    def __str__(self) -> str:
        """Render it for the terminal."""
        lines = [self.subject]
        if self.constraints:
            lines.append(f"constraints: {self.constraints}")
        if self.rows:
            lines += ["", *_table(self.rows), "", self._total()]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"{problem}" for problem in sorted(self.problems)]
        many = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n".join([*lines, f"preflight: {many}" if self.problems else "preflight: good"])

    def _total(self) -> str:
        unknown = sum(row.package.size is None for row in self.rows)
        many = "1 package" if len(self.rows) == 1 else f"{len(self.rows)} packages"
        missing = f", {unknown} of unknown size not counted" if unknown else ""
        return (
            f"{many}, {_megabytes(self.size)}{missing}: about {_duration(self.seconds)} of "
            f"MWAA's {_duration(PIP_SECONDS)}, assuming {ASSUMED_BYTES_PER_SECOND / 1e6:.0f} MB a second to "
            "download and unpack"
        )


def too_large(report: Report) -> str | None:
    """Say that MWAA would end pip before its end, and which package weighs most; None if it would not.

    :param report: with its rows.
    """
    if report.seconds <= PIP_SECONDS:
        return None
    heaviest = max(report.rows, key=lambda row: row.package.size or 0).package
    return (
        f"{heaviest.name} ({_megabytes(heaviest.size or 0)}) brings the total to {_megabytes(report.size)}, which "
        f"would take pip about {_duration(report.seconds)}, and MWAA ends it after "
        f"{_duration(PIP_SECONDS)}: choose a smaller build of it, or run what needs it outside the workers."
    )


def _table(rows: list[Row]) -> list[str]:
    cells = [("package", "version", "origin", "size")]
    for row in sorted(rows, key=lambda row: row.package.name):
        size = "unknown" if row.package.size is None else _megabytes(row.package.size)
        cells.append((row.package.name, str(row.package.version), row.origin, size))
    return list(table(cells, "<<<>"))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"  # noqa: PLR2004


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"  # noqa: PLR2004
