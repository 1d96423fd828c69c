"""The table of states in docs/status-page.md."""

from __future__ import annotations

from typing import NamedTuple

from infra import ROOT

_HEAD = "| state | verdict | monitors get | keeps it | it means | do |"


class Row(NamedTuple):
    """One row of the table.

    :param verdict: the verdict.
    :param monitors_get: HTTP status of the JSON.
    :param dag_keeps_it: ``yes``, ``no``, ``not known`` or ``as the DAG is``.
    """

    verdict: str
    monitors_get: int
    dag_keeps_it: str


def documented_states() -> dict[str, Row]:
    """Return the table's rows by state."""
    lines = iter((ROOT / "docs/status-page.md").read_text(encoding="utf-8").splitlines())
    while next(lines) != _HEAD:
        pass
    rows = {}
    for line in lines:
        if not line.startswith("|"):
            break
        state, verdict, monitors_get, keeps_it, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        if state.startswith("`"):
            rows[state.strip("`")] = Row(verdict, int(monitors_get), keeps_it)
    return rows
