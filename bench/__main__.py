"""`make bench`: starts all of it, measures each against its reference in turn, prints a table.

`python -m bench hot cold` measures these parts alone; `million` with `cold` fills a table of a million.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench import batch, calendar, cold, front, hot, memory, put
from bench.setting import running
from bench.table import Row, row, table
from tests.journeys.front import NGINX

SMALL, LARGE, LARGEST = (10_000, 20), (100_000, 200), (1_000_000, 2_000)


def _over_the_wire(parts: set[str]) -> Iterator[Row]:
    with running() as setting:
        if "hot" in parts:
            yield from hot.rows(setting)
        if "front" in parts and NGINX:
            yield from front.rows(setting)
        if "put" in parts:
            yield from put.rows(setting)


def _in_bulk() -> Iterator[Row]:
    what = f"a batch of {batch.LINES:,} entries, against parsing, the schema and one executemany a table"
    yield row(what, [batch.time_ratio() for _ in range(3)], unit="s")
    what = f"a calendar of {calendar.EVENTS:,} events, against icalendar's own writing of the same components"
    yield row(what, [calendar.time_ratio() for _ in range(5)], unit="s")
    idle, peak = batch.memory()
    what = "peak memory of a worker after a batch of 64 MiB, against idle"
    yield row(what, [(float(peak), float(idle))], unit="MiB")


def _rows(parts: set[str]) -> Iterator[Row]:
    if parts & {"hot", "front", "put"}:
        yield from _over_the_wire(parts)
    if "cold" in parts:
        yield from cold.rows((SMALL, LARGEST if "million" in parts else LARGE))
    if "bulk" in parts:
        yield from _in_bulk()
    if "memory" in parts:
        yield from memory.rows()


if __name__ == "__main__":
    named = set(sys.argv[1:]) or {"hot", "front", "put", "cold", "bulk", "memory"}
    table(_rows(named), Path("bench.json"))
