"""`make bench`: starts all of it, measures each against its reference in turn, prints a table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench import batch, calendar, cold, front, hot, memory, put
from bench.setting import running
from bench.table import Row, row, table
from tests.journeys.front import NGINX

SMALL, LARGE, LARGEST = (10_000, 20), (100_000, 200), (1_000_000, 2_000)


def main() -> None:
    """The table; with `all` among the arguments in a table of a million entries too, which takes minutes."""
    table(_rows(LARGEST if "all" in sys.argv else LARGE), Path("bench.json"))


def _rows(large: tuple[int, int]) -> Iterator[Row]:
    with running() as setting:
        yield from hot.rows(setting)
        if NGINX:
            yield from front.rows(setting)
        yield from put.rows(setting)
    yield from cold.rows((SMALL, large))
    what = "a batch of {:,} entries, against parsing, the schema and one executemany a table"
    yield row(what.format(batch.LINES), [batch.time_ratio() for _ in range(3)], unit="s")
    what = "a calendar of {:,} events, against icalendar's own writing of the same components"
    yield row(what.format(calendar.EVENTS), [calendar.time_ratio() for _ in range(5)], unit="s")
    idle, peak = batch.memory()
    what = "peak memory of a worker after a batch of 64 MiB, against idle"
    yield row(what, [(float(peak), float(idle))], unit="MiB")
    yield from memory.rows()


if __name__ == "__main__":
    main()
