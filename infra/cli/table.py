"""Tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def table(rows: Iterable[Sequence[str]], align: str, widths: Sequence[int] = ()) -> Iterator[str]:
    """Yield the lines of a table.

    :param rows: the cells of each row, the header's first.
    :param align: `<` or `>` for each column.
    :param widths: the columns' widths; with them, each line is ready as soon as its row (default: the widest cells').
    """
    if not widths:
        rows = list(rows)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{side}{width}}" for cell, side, width in zip(row, align, widths, strict=True))
        yield "  ".join(cells).rstrip()
