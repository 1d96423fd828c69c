"""Write docs/faults.md from the rows that the tests run: `make generate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import ROOT
from tests.faults.bootstrap import AT_THE_BOOTSTRAP
from tests.faults.container import IN_A_CONTAINER
from tests.faults.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = ROOT / "docs" / "faults.md"

_TOP = """\
# Faults

What goes wrong, what the index-url file holds afterwards, what a person sees, and which alarms ring. Each row is tested
twice: once by one refresh that meets the fault over HTTP, and once by the Lambda's schedule that meets it for hours.
`make test TESTARGS='-k faults'` runs all of them.

Each row starts from the same scene: the file holds a line of the DAG with 2 hours left, the DAG has stopped, and the
Lambda refreshes. *The old line* is that line, byte for byte, with no new version. *The new line* is the Lambda's, with
a token that the repository accepts. The DAG meets faults in the same way: its task is red, and its log ends with the
same sentence.

*A person sees* is the part of the error's sentence, or of the log line of a refresh that succeeds, that identifies the
fault. *Alarms* are those of the templates that ring while the fault lasts and the DAG does not run; the line has 8.5
hours left at its start. They are evaluated by the local stand-in of CloudWatch, on the metrics that the deployed
handler writes in 3.5 hours (where a token has a short lifetime: 8 hours), and no other alarm rings:

- *fallback*: the Lambda has published a line.
- *refresher errors*: the Lambda has failed three times in an hour.
- *remaining lifetime < 6 h*: the Lambda reports a line that has less than 6 hours left.
- *remaining lifetime unknown*: the Lambda has reported no line for hours. It cannot read the file's metadata, or the
  file has no line of its repository.

MWAA's own alarm on failed installations does not ring in these rows: it reads the log of a container that starts.

After no fault does the file hold a line that expires sooner than the one before, or half a line. A failed call is tried
3 times. A `Retry-After` does not make a refresh wait, because the next refresh comes soon.

"""
_BOTTOM = """
With the wrong clock alone, as in these rows, a real account refuses more: S3 rejects requests whose signature is more
than 15 minutes off.

## When the stack is created

The role's policies, the token and the repository are only seconds old, and some parts of AWS may not know them yet. The
Lambda tries again every 5 seconds for up to two minutes; then the resource fails, with the last error and the time for
which it has tried. It does so for these errors only, and only when the resource is created; every other error is
reported at once.

"""
_CONTAINER = """
## In a container, before pip

The startup script finds an expired line in S3 and in the container. It guards its own line until pip has
started: if a sync brings the expired line back, the valid one is restored within a tenth of a second. No alarm watches
the startup script; if pip fails afterwards, the alarm on failed installations rings.

"""


def page() -> str:
    """Return the page."""
    refreshes = [(row.name, row.holds.value, f"`{row.sees}`", row.alarm.value) for row in ROWS]
    bootstraps = [(row.name, f"`{row.sees}`") for row in AT_THE_BOOTSTRAP]
    containers = [(row.name, row.container, row.s3, f"`{row.sees.strip()}`") for row in IN_A_CONTAINER]
    return "".join(
        [
            _TOP,
            _table(("fault", "the file holds", "a person sees", "alarms"), refreshes),
            _BOTTOM,
            _table(("at first", "the Lambda's log contains"), bootstraps),
            _CONTAINER,
            _table(("fault", "pip finds", "S3 holds", "the startup log contains"), containers),
        ]
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
