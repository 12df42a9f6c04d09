"""The tables in docs/readers.md, between two marks."""

from __future__ import annotations

import re
from pathlib import Path

PATH = Path(__file__).parent.parent / "docs/readers.md"
BEGIN, END = "<!-- make readers -->\n", "<!-- end -->\n"

Row = dict[str, str]
"""Cells by their column; the first is the program."""

RIGHT = {"all", "new", "gone"}
REASON = "difference"
FREE = {"version", REASON}
"""Columns that are not compared."""


def read_rows() -> list[Row]:
    """Return the rows of all tables."""
    rows = []
    columns: list[str] = []
    text = PATH.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    for line in text.splitlines():
        cells = [cell.strip() for cell in line[1:-1].split("|")]
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = cells
        elif set(line) - set("| -"):
            rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def write_rows(rows: list[Row]) -> None:
    """Write a table for each sequence of columns."""
    tables: dict[tuple[str, ...], list[Row]] = {}
    for row in sorted(rows, key=lambda row: next(iter(row.values())).casefold()):
        tables.setdefault(tuple(row), []).append(row)
    text = "\n".join(
        _format_table(*table) for table in sorted(tables.items(), reverse=True)
    )
    before, _, rest = PATH.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PATH.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")


def _format_table(columns: tuple[str, ...], rows: list[Row]) -> str:
    lines = [columns, ["---"] * len(columns), *(row.values() for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def worse_cells(old: Row, new: Row) -> list[str]:
    """Return the columns in which a program reads worse than before."""
    return [
        column
        for column, cell in new.items()
        if column in old.keys() - FREE and _is_worse(old[column], cell)
    ]


def _is_worse(old: str, new: str) -> bool:
    counts, old_counts = _counts(new), _counts(old)
    if not counts:
        return new != old and new not in RIGHT
    return old != "no" and any(
        counts[fact] > old_counts.get(fact, 0) for fact in counts
    )


def _counts(cell: str) -> dict[str, int]:
    return {fact: int(number) for fact, number in re.findall(r"(\w+) (\d+)", cell)}
