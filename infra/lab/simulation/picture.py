"""The picture in docs/: the remaining lifetime over ten days, this project above the sample."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from infra.lab.simulation.life import Span, Troubles, live
from infra.lab.simulation.refreshers import DAG, DAY, HOUR, LAMBDA, SAMPLE

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from infra.lab.simulation.refreshers import Schedule

_DAYS = 10
_FAILURE_RATE = 0.2
_OUTAGES = (Span(52 * HOUR, 58 * HOUR + HOUR // 2, "endpoint"), Span(128 * HOUR, 132 * HOUR, "head"))
_PAUSED = Span(36 * HOUR, 84 * HOUR)
# The same bytes on every machine: no date, no version, no random ids, and text as text.
_STYLE = {"svg.hashsalt": "simulation", "svg.fonttype": "none", "font.size": 9, "axes.titlelocation": "left"}
_METADATA = {"Date": None, "Creator": None, "Title": "Remaining lifetime of the token: this project above the sample"}


def draw(seed: int, path: Path) -> None:
    """Draw some days with outages and failures as SVG; the same seed gives the same bytes.

    :param seed: another seed gives other failures.
    :param path: the file.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10, 5))
        ours, sample = figure.subplots(2, 1, sharex=True)
        figure.subplots_adjust(left=0.06, right=0.98, top=0.85, bottom=0.09, hspace=0.25)
        figure.suptitle("Remaining lifetime of the token in the index-url file", fontweight="bold")
        _panel(ours, "This project: DAG hourly, Lambda every 30 minutes", (DAG, LAMBDA), seed)
        _panel(sample, "The sample: one Lambda every 10 hours", (SAMPLE,), seed)
        ours.axvspan(*_in_hours(_PAUSED), color="grey", alpha=0.25, linewidth=0, label="the DAG is paused")
        sample.set_xlabel("time (hours)")
        labels = {
            label: handle
            for axes in (ours, sample)
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            labels.values(), labels.keys(), loc="upper center", bbox_to_anchor=(0.5, 0.95), ncols=5, frameon=False
        )
        figure.savefig(path, format="svg", metadata=_METADATA)


def _panel(axes: Axes, title: str, schedules: tuple[Schedule, ...], seed: int) -> None:
    troubles = Troubles(_FAILURE_RATE, _OUTAGES, {DAG.name: [_PAUSED]})
    record = live(schedules, troubles, _DAYS * DAY, Random(seed))  # noqa: S311
    for outage in _OUTAGES:
        axes.axvspan(*_in_hours(outage), color="orange", alpha=0.35, linewidth=0, label="CodeArtifact or S3 is down")
    for number, span in enumerate(record.stale()):
        red = axes.axvspan(*_in_hours(span), color="tab:red", linewidth=0, label="stale: pip fails")
        red.set_gid(f"stale-{schedules[0].name}-{number}")
    corners = []
    for start, expires_at, end in record.lines():
        corners += [(start, expires_at - start), (min(end, expires_at), max(0, expires_at - end)), (end, 0)]
        if expires_at >= end:
            corners.pop()
    times, lifetimes = zip(*corners, strict=True)
    axes.plot(
        [time / HOUR for time in times], [lifetime / HOUR for lifetime in lifetimes], label="remaining lifetime"
    )
    failures = [moment / HOUR for moment in record.failures]
    label = f"a failed try ({_FAILURE_RATE:.0%} fail by chance)"
    axes.plot(failures, [12.7] * len(failures), "|", color="tab:red", label=label)
    axes.set(title=title, ylabel="remaining (hours)", xlim=(0, _DAYS * 24), ylim=(0, 13.2))
    axes.set_yticks(range(0, 13, 3))
    axes.set_xticks(range(0, _DAYS * 24 + 1, 24))
    axes.grid(visible=True, alpha=0.4)


def _in_hours(span: Span) -> tuple[float, float]:
    return span.start / HOUR, span.end / HOUR
