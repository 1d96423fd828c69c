"""Draw the remaining lifetime over time, ours above the sample's, as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from infra.lab.simulation.chance import seed_of
from infra.lab.simulation.life import Life, Record
from infra.lab.simulation.memory import Memory
from infra.lab.simulation.refreshers import DAG, LAMBDA, SAMPLE
from infra.lab.simulation.troubles import Span, Troubles
from infra.lab.simulation.units import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.lab.simulation.refreshers import Schedule

_DAYS = 10
_FAILURE_RATE = 0.2
_OUTAGES = [Span(52 * HOUR, 58 * HOUR + HOUR // 2, "endpoint"), Span(128 * HOUR, 132 * HOUR, "head")]
_PAUSED = Span(36 * HOUR, 84 * HOUR)

_LEFT, _WIDTH, _HEIGHT = 60, 900, 132  # of a panel's plot
_TOPS = (92, 278)
_TITLE = "Remaining lifetime of the token in the index-url file"
_HEAD = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 980 460" role="img" aria-labelledby="title"
  font-family="system-ui, sans-serif" font-size="13">
<title id="title">{_TITLE}, over {_DAYS} days with outages and failures: this project beside the sample</title>"""
_STYLE = """
  .paper { fill: #ffffff } .text { fill: #1c2733 } .grid { stroke: #d5dbe1 } .line { stroke: #1f5fa8; fill: none }
  .stale { fill: #d32f2f } .outage { fill: #f0a020; fill-opacity: .35 } .paused { fill: #7a8794; fill-opacity: .22 }
  .failed { stroke: #b3261e }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .text { fill: #e2e8ee } .grid { stroke: #333c46 } .line { stroke: #79b8ff }
    .stale { fill: #ff5a52 } .failed { stroke: #ff8a80 }
  }"""


class _Panel(NamedTuple):
    """Place things in one of the two plots."""

    top: int
    until: int

    def x(self, moment: int) -> str:
        return f"{_LEFT + _WIDTH * moment / self.until:.1f}"

    def y(self, remaining: float) -> str:
        return f"{self.top + _HEIGHT * (1 - max(0, remaining) / (12 * HOUR)):.1f}"

    def band(self, kind: str, start: int, end: int) -> str:
        width = _WIDTH * (end - start) / self.until
        return f'<rect class="{kind}" x="{self.x(start)}" y="{self.top}" width="{width:.1f}" height="{_HEIGHT}"/>'


def draw(seed: int) -> str:
    """Draw some days with outages and failures; the same seed gives the same picture.

    :param seed: of the single failures.
    """
    troubles = Troubles(seed_of(seed, "picture"), _FAILURE_RATE, _OUTAGES, {"dag": [_PAUSED]})
    panels = [
        *_panel(_TOPS[0], "This project: DAG hourly, Lambda every 30 minutes", (DAG, LAMBDA), troubles),
        *_panel(_TOPS[1], "The sample: one Lambda every 10 hours", (SAMPLE,), troubles),
    ]
    lines = [
        _HEAD,
        f"<style>{_STYLE}\n</style>",
        '<rect class="paper" width="980" height="460"/>',
        f'<text class="text" x="{_LEFT}" y="24" font-size="16" font-weight="bold">{_TITLE}</text>',
        *_legend(),
        *panels,
        f'<text class="text" x="{_LEFT + _WIDTH / 2}" y="452" text-anchor="middle">time (hours)</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _panel(top: int, title: str, schedules: tuple[Schedule, ...], troubles: Troubles) -> Iterator[str]:
    until = _DAYS * DAY
    panel = _Panel(top, until)
    record = Life(schedules, troubles, Memory()).live(until)
    yield f'<text class="text" x="{_LEFT}" y="{top - 10}" font-weight="bold">{title}</text>'
    yield from _axes(panel)
    for outage in troubles.outages:
        yield panel.band("outage", outage.start, outage.end)
    if DAG in schedules:
        yield panel.band("paused", *troubles.out[DAG.name][0][:2])
    yield from _curve(panel, record, until)
    for moment in record.failures:
        yield f'<path class="failed" d="M{panel.x(moment)} {top - 5}v5"/>'


def _axes(panel: _Panel) -> Iterator[str]:
    for hours in range(0, 13, 3):
        y = panel.y(hours * HOUR)
        yield f'<path class="grid" d="M{_LEFT} {y}h{_WIDTH}"/>'
        yield f'<text class="text" x="{_LEFT - 8}" y="{y}" dy="4" text-anchor="end">{hours}</text>'
    for hours in range(0, _DAYS * 24 + 1, 24):
        x = panel.x(hours * HOUR)
        yield f'<path class="grid" d="M{x} {panel.top}v{_HEIGHT + 4}"/>'
        yield f'<text class="text" x="{x}" y="{panel.top + _HEIGHT + 18}" text-anchor="middle">{hours}</text>'
    turned = f'text-anchor="middle" transform="translate(22 {panel.top + _HEIGHT / 2}) rotate(-90)"'
    yield f'<text class="text" {turned}>remaining (hours)</text>'


def _curve(panel: _Panel, record: Record, until: int) -> Iterator[str]:
    points = []
    ends = [moment for moment, _ in record.publishes[1:]] + [until]
    for (start, expires_at), end in zip(record.publishes, ends, strict=True):
        points += [f"{panel.x(start)} {panel.y(expires_at - start)}"]
        if expires_at < end:
            yield panel.band("stale", expires_at, end)
            points += [f"{panel.x(expires_at)} {panel.y(0)}"]
        points += [f"{panel.x(end)} {panel.y(expires_at - end)}"]
    yield f'<path class="line" stroke-width="1.6" stroke-linejoin="round" d="M{" ".join(points)}"/>'


def _legend() -> Iterator[str]:
    signs = (
        ("line", "remaining lifetime"),
        ("stale", "stale: pip fails"),
        ("outage", "CodeArtifact or S3 is down"),
        ("paused", "the DAG is paused"),
        ("failed", f"a failed try ({_FAILURE_RATE:.0%} fail by chance)"),
    )
    for place, (kind, text) in enumerate(signs):
        x = _LEFT + (0, 160, 300, 515, 665)[place]
        if kind == "line":
            yield f'<path class="line" stroke-width="2" d="M{x} 45h18"/>'
        elif kind == "failed":
            yield f'<path class="failed" d="M{x + 9} 41v8"/>'
        else:
            yield f'<rect class="{kind}" x="{x}" y="39" width="18" height="12"/>'
        yield f'<text class="text" x="{x + 24}" y="49">{text}</text>'
