"""The picture in docs/: the remaining lifetime over ten days, this project above the sample."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from infra.lab.simulation.life import Schedule, Span, live
from infra.lab.simulation.scenarios import DAG, DAY, HOUR, LAMBDA, SAMPLE, TOKEN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes


_DAYS = 10
_FAILURE_RATE = 0.2
_OUTAGES = (Span(52 * HOUR, 58 * HOUR + HOUR // 2, "endpoint"), Span(128 * HOUR, 132 * HOUR, "head"))
_PAUSED = (Span(36 * HOUR, 84 * HOUR),)
_TOP = TOKEN_SECONDS / HOUR + 1
# The same bytes on every machine: no random ids, no date, no version; and text stays text.
_STYLE: Any = {"svg.hashsalt": "simulation", "svg.fonttype": "none", "font.size": 9, "axes.titlelocation": "left"}
_METADATA = {"Date": None, "Creator": None, "Title": "Remaining lifetime of the token: this project and the sample"}


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
        _bars(ours, _PAUSED, "lightgrey", "the DAG is paused")
        _panel(ours, "This project: DAG hourly, Lambda every 30 minutes", (DAG, LAMBDA), seed)
        _panel(sample, "The sample: one Lambda every 10 hours", (SAMPLE,), seed)
        sample.set_xlabel("time (hours)")
        handles, labels = ours.get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.95), ncols=5, frameon=False)
        figure.savefig(path, format="svg", metadata=_METADATA)


def _panel(axes: Axes, title: str, schedules: tuple[Schedule, ...], seed: int) -> None:
    random, absences = Random(seed), (_PAUSED if DAG in schedules else (), ())  # noqa: S311  (chance, not a secret)
    record = live(schedules, _DAYS * DAY, random, failure_rate=_FAILURE_RATE, outages=_OUTAGES, absences=absences)
    lines = [
        (moment / HOUR, max(0, expires - moment) / HOUR)
        for published, expires, replaced in record.lines()
        for moment in (published, min(expires, replaced), replaced)
    ]
    axes.plot(*zip(*lines, strict=True), label="remaining lifetime")
    label = f"a failed try ({_FAILURE_RATE:.0%} fail by chance)"
    axes.plot([moment / HOUR for moment in record.failures], [_TOP - 0.4] * len(record.failures), "|r", label=label)
    _bars(axes, record.stale(), "red", "stale: pip fails", gid=f"stale-{len(schedules)}")
    _bars(axes, _OUTAGES, "moccasin", "CodeArtifact or S3 is down")
    axes.set(title=title, ylabel="remaining (hours)", xlim=(0, _DAYS * 24), ylim=(0, _TOP))
    axes.set(xticks=range(0, _DAYS * 24 + 1, 24), yticks=range(0, 13, 3))
    axes.grid(alpha=0.4)


def _bars(axes: Axes, spans: Sequence[Span], colour: str, label: str, gid: str | None = None) -> None:
    ranges = [(span.start / HOUR, (span.end - span.start) / HOUR) for span in spans]
    axes.broken_barh(ranges, (0, _TOP), color=colour, linewidth=0, zorder=0, label=label, gid=gid)
