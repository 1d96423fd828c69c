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

What goes wrong, what the index-url file holds afterwards, and what a person sees. Each row is a test that injects the
fault over HTTP and reads the file; `make test TESTARGS='-k faults'` runs them all.

Each row starts from the same scene: a line of the DAG's stands with 2 hours left, the DAG is dead, and the Lambda
refreshes. *The old line* is that one, byte for byte, with no version added. *The new line* is the Lambda's, with
a token that the repository accepts. The DAG meets faults in the same way: its task is red, and its log ends with the
same sentence.

*What a person sees* is the part of the error's sentence, or of the log line of a refresh that succeeds, that says which
fault it is. *Alarm* is what speaks if the fault lasts: *fallback* (the Lambda had to write), *refresher errors*
(three in an hour), *remaining lifetime < 6 h* (also when nothing is told for an hour, as when S3 cannot be asked).

No fault leaves a line that dies sooner than the one before, and none leaves half a line. What is tried again is tried
3 times; a `Retry-After` does not make a refresh wait, since the next one comes soon.

"""
_BOTTOM = """
A clock that is hours off has the last word in no real account: S3 refuses requests signed more than 15 minutes off.

## When the stack is created

The role's rights, the token and the repository are seconds old, and AWS may not know them everywhere yet. The Lambda
begins again every 5 seconds for up to two minutes; then the resource fails, with the last error and how long it was
tried. It does so for these only, and only when the resource is created: whatever else is wrong is told at once.

"""
_CONTAINER = """
## In a container, before pip

The startup script finds a dead line in S3 and in the container. It guards what it has refreshed until pip has begun:
where a sync brings a dead line, the live one is put back within a tenth of a second.

"""


def page() -> str:
    """Render the page."""
    refreshes = [(row.name, row.holds.value, f"`{row.sees}`", row.alarm.value) for row in ROWS]
    bootstraps = [(row.name, f"`{row.sees}`") for row in AT_THE_BOOTSTRAP]
    containers = [(row.name, row.container, row.s3, f"`{row.sees.strip()}`") for row in IN_A_CONTAINER]
    return "".join(
        [
            _TOP,
            _table(("fault", "the file holds", "a person sees", "alarm"), refreshes),
            _BOTTOM,
            _table(("at first", "the Lambda's log says"), bootstraps),
            _CONTAINER,
            _table(("fault", "pip finds", "S3 holds", "the startup log says"), containers),
        ]
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
