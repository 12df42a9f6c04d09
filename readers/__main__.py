"""`make readers`: what programs of others make of this service, and docs/readers.md.

`python -m readers URL` prints what they make of another feed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from readers.compare import Facts, differences, read_items, wrong_facts
from readers.portal import (
    CALENDAR,
    CORPUS,
    FORMATS,
    expected_facts,
    running,
    send,
)
from readers.programs import FOLDER, Program, find_programs
from readers.table import PATH, REASON, Row, read_rows, worse_cells, write_rows
from tests.postgres import throw_away
from tests.server import Service, free_port

HOMES = FOLDER / "homes"
LOG = logging.getLogger(__name__)
LOG_PATH = FOLDER / "differences.log"
KEPT = ("/feeds/news.rss?content=full", "/feeds/events.rss?content=full")
"""The feeds that readers read a second time."""
ONCE = "alligator"
"""The reader that reads a feed again only in its window."""

MINIFLUX = {
    "LISTEN_ADDR": f"127.0.0.1:{free_port()}",
    "RUN_MIGRATIONS": "1",
    "CREATE_ADMIN": "1",
    "ADMIN_USERNAME": "readers",
    "ADMIN_PASSWORD": "readers",
}

Shown = dict[str, list[Facts] | None]
"""The entries that a program shows, by the path of the feed."""


def main() -> None:
    """Compare with the API, or print what programs make of a feed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="a feed or calendar")
    url = parser.parse_args().url
    logging.basicConfig(
        filename=LOG_PATH, filemode="w", level="INFO", format="%(message)s"
    )
    shutil.rmtree(HOMES, ignore_errors=True)
    HOMES.mkdir(parents=True)
    with throw_away() as cluster:
        database = cluster.url("postgres").replace("+psycopg", "")
        os.environ |= {
            **MINIFLUX,
            "DATABASE_URL": f"{database}?sslmode=disable",
        }
        programs = list(find_programs())
        if url:
            print_feed(url, programs)
        else:
            sys.exit(check(programs))


def print_feed(url: str, programs: list[Program]) -> None:
    """Print what each program makes of a feed."""
    document = download(url)
    is_calendar = document.suffix == ".ics"
    for program in programs:
        if ("calendar" in program.group) == is_calendar:
            shown = program.show(url, document, HOMES / program.label)
            print(f"\n{program.label} {program.version}: {len(shown or [])} entries")
            for item in shown or []:
                print(json.dumps(item, ensure_ascii=False))


def download(url: str) -> Path:
    """Download a feed into a file whose suffix tells its format."""
    text = requests.get(url, timeout=60).content
    beginning = text.lstrip()[:1000]
    suffix = ".atom" if b"<feed" in beginning else ".rss"
    for first, name in ((b"{", ".json"), (b"BEGIN:", ".ics")):
        if beginning.startswith(first):
            suffix = name
    path = HOMES / f"{len(list(HOMES.iterdir()))}{suffix}"
    path.write_bytes(text)
    return path


def check(programs: list[Program]) -> int:
    """Compare with the API and with the tables; return 1 if a program reads worse."""
    with TemporaryDirectory() as folder, running(Path(folder)) as service:
        expected = expected_facts(service)
        shown = read(programs, service, list(expected))
        rows = [make_row(program, expected, shown[program]) for program in programs]
        for change in CORPUS["changes"].values():
            send(service, *change)
        keeping = [
            program
            for program in programs
            if program.group == "feed reader" and program.name != ONCE
        ]
        shown = read(keeping, service, list(KEPT))
        expected = expected_facts(service)
        rows += [changes_row(program, expected, shown[program]) for program in keeping]
    return compare_rows(rows)


def read(
    programs: list[Program], service: Service, paths: list[str]
) -> dict[Program, Shown]:
    """Let programs read feeds, two programs at once."""
    url = service.url
    documents = {path: download(url + path) for path in paths}

    def read_all(program: Program) -> Shown:
        homes = HOMES / program.label
        return {
            path: program.show(url + path, document, homes / path.replace("/", "-"))
            for path, document in documents.items()
            if ("calendar" in program.group) == (path == CALENDAR)
        }

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(programs, pool.map(read_all, programs), strict=True))


def make_row(
    program: Program, expected: dict[str, dict[str, Facts]], shown: Shown
) -> Row:
    """Return the row of a program: of how many entries each fact is wrong, by format."""
    LOG.info("%s", program.label)
    row = {program.group: program.label, "version": program.version}
    if "calendar" in program.group:
        return {**row, "iCalendar": cell(expected, shown), REASON: ""}
    for format in FORMATS:
        feeds = {path: items for path, items in shown.items() if f".{format}" in path}
        row[FORMATS[format]] = cell(expected, feeds)
    return {**row, REASON: ""}


def cell(expected: dict[str, dict[str, Facts]], shown: Shown) -> str:
    """Return what a program reads wrong in feeds of a format."""
    if not any(shown.values()):
        return "no"
    counts = Counter[str]()
    for path, items in shown.items():
        entries = read_items(items or [], titles_are_html=".rss" in path)
        for name, entry in differences(expected[path], entries):
            counts[name] += 1
            value = entry.get(name, "")
            LOG.info("%s: %s: %s: %s", path, entry.get("title"), name, value)
    return (
        ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
        or "all"
    )


def changes_row(
    program: Program, expected: dict[str, dict[str, Facts]], shown: Shown
) -> Row:
    """Return the row of a reader, after changes of entries."""
    entries = [
        entry
        for items in shown.values()
        for entry in read_items(items or [], titles_are_html=True)
    ]
    public = [facts for path in KEPT for facts in expected[path].values()]
    row = {"after": program.label}
    for change, (_, path, _) in CORPUS["changes"].items():
        link = f"/entries/{path.rpartition('/')[2]}"
        kept, right = (
            [facts for facts in some if facts["link"].endswith(link)]
            for some in (entries, public)
        )
        row[change] = describe_change(kept, right)
    return row


def describe_change(kept: list[Facts], right: list[Facts]) -> str:
    """Return what a program made of the change of an entry, which may be deleted."""
    if not right:
        return "stays" if kept else "gone"
    wrong = [
        {"title", "text"}.intersection(wrong_facts(right[0], entry)) for entry in kept
    ]
    if set() in wrong:
        return "new" if len(kept) == 1 else "second entry"
    return f"old {' and '.join(sorted(wrong[-1]))}" if wrong else "gone"


def compare_rows(rows: list[Row]) -> int:
    """Write the tables, or compare with them; return 1 if a program reads worse."""
    known = {row_key(row): row for row in read_rows()}
    number = 0
    for row in rows:
        old = known.get(row_key(row), {})
        for column in worse_cells(old, row):
            print(
                f"{row_key(row)[1]}, {column}: {row[column]}; in the table: {old[column]}"
            )
            number += 1
        row |= {name: cell for name, cell in old.items() if name == REASON}
        known[row_key(row)] = row
    missing = known.keys() - {*map(row_key, rows)}
    for label in {label for _, label in missing}:
        print(f"{label} is missing: rm {FOLDER}/.installed; make readers")
        number += 1
    if os.environ.get("WRITE"):
        write_rows(list(known.values()))
        return 0
    print(f"{number} cells are worse than in {PATH}; details: {LOG_PATH}")
    return int(number > 0)


def row_key(row: Row) -> tuple[str, ...]:
    """Return what a row is found by: its table and program."""
    return next(iter(row.items()))


if __name__ == "__main__":
    main()
