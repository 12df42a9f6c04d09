"""`make bench`: measure each part against its reference, print and store a table.

`python -m bench cache-hit cold-ratio` measures these parts alone; the figures of others
stay as they are in bench.json. `--quick` tries whether the parts run, and stores nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator

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
    scaling,
    search,
    worst,
)
from bench.environment import running
from bench.table import HEAD, QUICK, Effort, Row, machine
from tests.integration.nginx import NGINX
from tests.server import Service

PARTS = (
    "cache-hit",
    "nginx",
    "put-ratio",
    "cold-ratio",
    "scaling",
    "batch",
    "calendar",
    "memory",
    "readers",
    "search",
    "profile",
    "worst",
)


def measure_services(parts: Collection[str], effort: Effort) -> Iterator[Row]:
    """Measure parts that need the service and its references under gunicorn."""
    with running() as environment:
        if "cache-hit" in parts:
            yield from cache_hit.rows(environment, effort)
        if "nginx" in parts and NGINX:
            yield from nginx.rows(environment, effort)
        if "put-ratio" in parts:
            yield from put.rows(environment, effort)


def measure(
    parts: Collection[str], effort: Effort, lines: list[scaling.Line]
) -> Iterator[Row]:
    """Measure parts; add to the lines of growth."""
    if {"cache-hit", "nginx", "put-ratio"} & set(parts):
        yield from measure_services(parts, effort)
    if "cold-ratio" in parts:
        yield from cache_miss.cold_ratio(effort)
    if "scaling" in parts:
        with cache_miss.seeded_apps(effort.sizes) as apps:
            yield from cache_miss.rows(apps, effort)
            lines += scaling.lines(apps, effort)
    if "batch" in parts:
        yield from batch.rows(effort)
    if "calendar" in parts:
        yield from calendar.rows(effort)
    if "memory" in parts:
        yield from memory.rows(effort)
    if "readers" in parts:
        yield from readers.rows(effort)
    if "search" in parts:
        yield from search.rows(effort)


def main() -> None:
    """Measure the parts that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    parts = options.parts or PARTS
    if set(parts) - set(PARTS):
        parser.error(f"The parts are {', '.join(PARTS)}.")
    effort = QUICK if options.quick else Effort()
    Service.is_forked = False  # as operators start it: forks would share its memory
    rows: list[Row] = []
    lines: list[scaling.Line] = []
    profile = costs = ""
    print(f"{machine()}\n\n{HEAD}")
    try:
        for row in measure(parts, effort, lines):
            print(row, flush=True)
            rows.append(row)
        if "profile" in parts:
            profile = profiles.text(effort)
            print(profile)
        if "worst" in parts:
            databases = ["sqlite", "postgresql"]
            costs = "\n".join(worst.run(effort.worst_entries, databases))
            print(costs)
    finally:
        # Rows that were measured before a failure are stored too.
        if not options.quick:
            # Plots need matplotlib, which a trial should not.
            from bench import results

            results.save(rows, lines, profile, costs)


if __name__ == "__main__":
    main()
