"""`make bench`: starts all of it, measures each against its reference in turn, prints and keeps a table.

`python -m bench hot cold` measures these parts alone; the figures of others stay as they are in bench.json.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench import (
    batch,
    cache_hit,
    cache_miss,
    calendar,
    memory,
    nginx,
    profiles,
    put,
    readers,
    results,
    scaling,
    worst,
)
from bench.environment import running
from bench.table import HEAD, Row, machine, row
from tests.integration.nginx import NGINX

SIZES = (1_000, cache_miss.SMALL, 100_000, 1_000_000)
PARTS = ("hot", "front", "put", "cold", "bulk", "memory", "readers", "profile", "worst")


def _over_the_wire(parts: set[str]) -> Iterator[Row]:
    with running() as setting:
        if "hot" in parts:
            yield from cache_hit.rows(setting)
        if "front" in parts and NGINX:
            yield from nginx.rows(setting)
        if "put" in parts:
            yield from put.rows(setting)


def _in_bulk() -> Iterator[Row]:
    what = f"a batch of {batch.LINES:,} entries, against parsing, the schema and one executemany a table"
    yield row("writes", what, [batch.time_ratio() for _ in range(3)], "≤ 1.5", unit="s")
    what = f"a calendar of {calendar.EVENTS:,} events, against icalendar's own writing of the same components"
    yield row("cold", what, [calendar.time_ratio() for _ in range(5)], unit="s")
    idle, peak = batch.memory()
    what = "peak memory of a worker after a batch of 64 MiB, against idle"
    yield row("memory", what, [(float(peak), float(idle))], unit="MiB")


def _measured(parts: set[str], lines: list[scaling.Line]) -> Iterator[Row]:
    if parts & {"hot", "front", "put"}:
        yield from _over_the_wire(parts)
    if "cold" in parts:
        with cache_miss.tables(SIZES) as tables:
            yield from cache_miss.rows(tables)
            lines += scaling.lines(tables)
    if "bulk" in parts:
        yield from _in_bulk()
    if "memory" in parts:
        yield from memory.rows()
    if "readers" in parts:
        yield from readers.rows()


if __name__ == "__main__":
    named = set(sys.argv[1:]) or set(PARTS)
    if named - set(PARTS):
        sys.exit(f"The parts are {', '.join(PARTS)}.")
    rows: list[Row] = []
    lines: list[scaling.Line] = []
    profile = costs = ""
    print(f"{machine()}\n\n{HEAD}")
    try:
        for one in _measured(named, lines):
            print(one, flush=True)
            rows.append(one)
        if "profile" in named:
            profile = profiles.tables()
        if "worst" in named:
            costs = "\n".join(worst.run(100_000, ["sqlite", "postgresql"]))
            print(costs)
    finally:  # what was measured before something fails stays measured
        results.keep(rows, lines, profile, costs)
