"""The report: a table of packages, the total against MWAA's time limit, notes and problems."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.cli.table import table
from infra.mwaa_facts import PIP_SECONDS

if TYPE_CHECKING:
    from infra.preflight.problems import Problem
    from infra.preflight.resolver import Package

# Wheels that a small container downloads and unpacks in a second: an assumption, not a measurement.
ASSUMED_BYTES_PER_SECOND = 5_000_000


@dataclass(frozen=True)
class Row:
    """One package that would be installed.

    :param package: the package.
    :param origin: upstream, in-house, index (not known which), or file.
    """

    package: Package
    origin: str


@dataclass
class Report:
    """The result of a check.

    :param subject: the file, the Airflow version and the index, in words.
    :param constraints: the source of the constraints.
    :param rows: the packages that would be installed; empty if nothing can be.
    :param problems: the problems; pip would fail, or do harm.
    :param notes: further findings that are not problems.
    """

    subject: str
    constraints: str = ""
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Return the sum of the wheels' known sizes (bytes)."""
        return sum(row.package.size or 0 for row in self.rows)

    @property
    def seconds(self) -> float:
        """Return the estimated duration of the installation (s); see ASSUMED_BYTES_PER_SECOND."""
        return self.size / ASSUMED_BYTES_PER_SECOND

    def __str__(self) -> str:
        """Return the report as text for the terminal."""
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
    """Return a sentence if MWAA would stop pip before it is done, with the largest package; else None.

    :param report: with its rows.
    """
    if report.seconds <= PIP_SECONDS:
        return None
    heaviest = max(report.rows, key=lambda row: row.package.size or 0).package
    return (
        f"{heaviest.name} ({_megabytes(heaviest.size or 0)}) brings the total to {_megabytes(report.size)}, which "
        f"would take pip about {_duration(report.seconds)}, and MWAA stops it after "
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
