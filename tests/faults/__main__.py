"""Write docs/faults.md from the rows that the tests run: `make docs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import ROOT
from tests.faults.rows import ROWS

if TYPE_CHECKING:
    from tests.faults.support import Row

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
"""


def page() -> str:
    """Render the page."""
    lines = ["| fault | the file holds | a person sees | alarm |", "|---|---|---|---|", *map(_line, ROWS)]
    return _TOP + "\n".join(lines) + "\n" + _BOTTOM


def _line(row: Row) -> str:
    return f"| {row.name} | {row.holds.value} | `{row.sees}` | {row.alarm.value} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
