"""The tables of the programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.cli.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_columns_are_as_wide_as_their_widest_cell_and_aligned_as_requested() -> None:
    assert list(table([("name", "size"), ("a", "1"), ("longer", "10,000")], "<>")) == [
        "name      size",
        "a            1",
        "longer  10,000",
    ]


def test_with_given_widths_a_line_is_ready_before_the_next_row_is_known() -> None:
    produced = []

    def rows() -> Iterator[tuple[str, str]]:
        for number in range(2):
            produced.append(number)
            yield f"row {number}", ""

    lines = table(rows(), "<>", (8, 3))
    assert (next(lines), produced) == ("row 0", [0])
