"""The most expensive request of each kind, on SQLite and PostgreSQL, against limits.

`python -m bench.worst --entries 1000000` measures with that many entries, by default
100,000. No anonymous request, and none with a token that can only write drafts, may cost
more than 100 ms of CPU time and 8 MiB of memory, plus, for each MiB that is sent or
received, what a plain large document of its kind costs per MiB.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from bench.dataset import (
    CategorizedEntry,
    article,
    empty_database,
    open_app,
    write_database,
)
from bench.table import machine
from feedsvc.models import EPOCH, Entry, Event, Recurrence
from feedsvc.services import get_services
from feedsvc.storage import MAX_FEED
from feedsvc.storage.archives import ArchiveDivider, month_of
from feedsvc.storage.database import Database
from feedsvc.storage.size_estimates import entries_budget

MIB = 1024 * 1024
MAX_MS, MAX_MIB = 100.0, 8.0
"""CPU time and memory of a request, beside what is sent or received."""

SERIES, UPCOMING, ENGLISH = 500, 1_000, 30
"""Numbers of unbounded series, of other upcoming events, and of articles in English."""

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
TOPICS = [f"topic-{number:02}" for number in range(36)]
SLUGS = ["all", "even", "odd", "events", *TOPICS]
"""Each entry is in `all`, in `even` or `odd`, and in one topic."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Request:
    """A request and its name in the table.

    The first request of a kind sets the price of a MiB for that kind.
    """

    name: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "feed"


@dataclass(frozen=True)
class Cost:
    """The cost of a request; `mib` are sent or received."""

    status: int
    ms: float
    memory: float
    mib: float


def requests(token: str, entry_count: int, now: datetime) -> list[Request]:
    """Return the most expensive requests of each kind."""
    month = month_of(now - timedelta(minutes=entry_count // 4), ZONE)
    today = now.date()
    next_week = today + timedelta(days=7)
    # Windows may end five years ahead at most.
    in_five_years = today + timedelta(days=5 * 365 - 20)
    nine_years_ago = today - timedelta(days=9 * 365)
    invalid = b"1\n" * (MIB // 2)
    token_header = ("Authorization", f"Bearer {token}")
    batch_headers = (token_header, ("Content-Type", "application/x-ndjson"))
    draft = {"action": "put", "kind": "news", "title": "x", "status": "draft"}
    drafts = (json.dumps({**draft, "id": f"draft-{n}"}) for n in range(1000))
    return [
        Request("a full archive document, RSS", f"/feeds/news.rss?archive={month}"),
        *(
            Request(
                f"a full archive document, {name}",
                f"/feeds/news.{name}?archive={month}",
            )
            for name in ("atom", "json", "html")
        ),
        Request(
            "an archive document of a combination",
            f"/feeds/news/even+odd.rss?archive={month}",
        ),
        *(
            Request(
                f"200 entries, {name}", f"/feeds/news.{name}?limit=200&content=full"
            )
            for name in ("rss", "atom", "json", "html")
        ),
        Request("two disjoint halves, all of", "/feeds/news/even+odd.rss"),
        Request("everything but what all are in", "/feeds/news/-all.rss"),
        Request("one half without all", "/feeds/news/even,-all.rss"),
        Request("one half without itself", "/feeds/news/even,-even.rss"),
        Request(
            "both halves of all without themselves",
            "/feeds/news/even,odd,-even,-odd.rss",
        ),
        Request(
            "nine of the topics without all",
            f"/feeds/news/{','.join(TOPICS[:9])},-all.rss",
        ),
        Request(
            "everything but both halves and eight topics",
            f"/feeds/news/-even,-odd,-{',-'.join(TOPICS[:8])}.rss",
        ),
        Request("a language that nothing has", "/feeds/news.rss?lang=qa-1"),
        Request(
            "a language that nothing has, of nine topics",
            f"/feeds/news/{','.join(TOPICS[:9])}.rss?lang=ja-123",
        ),
        Request(
            "a language that nearly all have, of ten topics",
            f"/feeds/news/{','.join(TOPICS[:10])}.rss?lang=vi",
        ),
        Request("a language that few have", "/feeds/news.rss?lang=en"),
        Request(
            "a language that few have, in a category", "/feeds/news/all.rss?lang=en"
        ),
        Request("a language that nearly all have", "/feeds/news.rss?lang=vi"),
        Request("a calendar of 1,000 events", "/feeds/events.ics", kind="calendar"),
        Request("upcoming events", "/feeds/events.rss?limit=200"),
        Request("past events", "/feeds/events.rss?when=past&limit=200"),
        Request(
            "past events by start", "/feeds/events.rss?when=past&order=start&limit=200"
        ),
        Request(
            "all events by start", "/feeds/events.rss?when=all&order=start&limit=200"
        ),
        Request(
            "past events of a language that few have",
            "/feeds/events.rss?when=past&lang=en",
        ),
        Request(
            "events but cancelled ones",
            "/feeds/events.rss?when=past&cancelled=hide&limit=200",
        ),
        Request("a window of a week", f"/feeds/events.rss?from={today}&to={next_week}"),
        Request(
            "a window in five years",
            f"/feeds/events.rss?from={in_five_years}"
            f"&to={in_five_years + timedelta(days=7)}",
        ),
        Request(
            "a window nine years ago",
            f"/feeds/events.rss?from={nine_years_ago}&to={nine_years_ago + timedelta(days=7)}",
        ),
        Request(
            "a window of fourteen years",
            f"/feeds/events.rss?from={nine_years_ago}&to={in_five_years - timedelta(days=9)}&limit=200",
        ),
        Request("changes from the start", "/api/v1/changes?limit=1000"),
        Request("changes of events", "/api/v1/changes?limit=1000&kind=events"),
        Request("changes of a category", "/api/v1/changes?limit=1000&category=even"),
        Request("changes at the end", "/api/v1/changes?after=LAST&limit=1000"),
        Request("the directory", "/"),
        Request("the directory in English", "/?ui=en"),
        Request("the list of feeds", "/feeds.opml"),
        Request("an entry", "/entries/n7"),
        Request(
            "a batch of 1,000 drafts",
            "/api/v1/batch",
            "\n".join(drafts).encode(),
            batch_headers,
            "batch",
        ),
        Request(
            "a batch of invalid lines, too many",
            "/api/v1/batch",
            invalid,
            batch_headers,
            "batch",
        ),
        Request(
            "a batch of 5,000 invalid lines",
            "/api/v1/batch",
            b"1\n" * 5_000,
            batch_headers,
            "batch",
        ),
        Request(
            "titles that contain a word, none has it",
            "/api/v1/articles?q=khongcogi",
            headers=(token_header,),
        ),
    ]


def event(
    number: int,
    published: datetime,
    start: datetime,
    recurrence: Recurrence | None = None,
) -> Entry:
    """Return the event with a number."""
    details = Event(start.astimezone(ZONE), None, ZONE, recurrence=recurrence)
    entry = article(number, published)
    return replace(entry, kind="events", event=details, starts=start)


def articles(count: int, now: datetime) -> Iterator[Entry]:
    """Yield articles a minute apart, some of them in English."""
    for number in range(count):
        entry = article(number, now - timedelta(minutes=count - number))
        is_english = number * ENGLISH % count < ENGLISH
        yield replace(entry, language="en-GB") if is_english else entry


def events(first: int, end: int, now: datetime) -> Iterator[Entry]:
    """Yield past events, then upcoming ones, then unbounded series."""
    for number in range(first, end - SERIES):
        age = timedelta(minutes=end - number)
        start = now - age
        if number >= end - SERIES - UPCOMING:
            start = now + timedelta(hours=number % 2000 + 1)
        yield event(number, now - age - timedelta(minutes=10), start)
    daily = Recurrence("FREQ=DAILY")
    for number in range(end - SERIES, end):
        yield event(number, now - timedelta(days=20), now - timedelta(days=900), daily)


def categorized_entries(count: int, now: datetime) -> Iterator[CategorizedEntry]:
    """Yield half articles and half events, each with its categories."""
    half_count = count // 2
    entries = chain(articles(half_count, now), events(half_count, count, now))
    for key, entry in enumerate(entries, start=1):
        half = "even" if key % 2 == 0 else "odd"
        slugs = ("all", half, TOPICS[key // 2 % len(TOPICS)])
        yield entry, [1 + SLUGS.index(slug) for slug in slugs]


def divide_archives(url: str, count: int, now: datetime) -> None:
    """Divide the archive of each month, which else a write does."""
    months: dict[tuple[str, str], Entry] = {}
    for entry, _ in categorized_entries(count, now):
        months[entry.kind, month_of(entry.date, ZONE)] = entry
    database = Database(url)
    try:
        for entry in months.values():
            with database.write() as connection:
                divider = ArchiveDivider(connection, ZONE, entries_budget(MAX_FEED))
                divider.add(entry.kind, entry.date, entry.guid)
                divider.divide()
        if url.startswith("postgresql"):
            # As autovacuum does in time; it needs to be outside of a transaction.
            with database.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql("VACUUM ANALYZE")
    finally:
        database.close()


@contextmanager
def seeded_app(url: str, count: int, now: datetime) -> Iterator[Flask]:
    """Open an app without a cache, with so many entries."""
    with open_app(url, FEEDSVC_CACHE_BYTES="0") as app:
        write_database(url, SLUGS, categorized_entries(count, now), now)
        divide_archives(url, count, now)
        yield app


def measure(app: Flask, request: Request, server: int | None) -> Cost:
    """Measure the CPU time of a second request, and the memory of a third.

    :param server: the process id of the database server, which counts too.
    """
    start = (0, EPOCH, EPOCH)
    last_sequence = get_services(app).storage.changes_since(start)[0][0]
    environ: dict[str, Any] = {
        "path": request.path.replace("LAST", str(last_sequence)),
        "headers": dict(request.headers),
    }
    if request.body is not None:
        environ |= {"method": "POST", "data": request.body}

    def send() -> tuple[int, int]:
        chunks, status, _ = run_wsgi_app(app, create_environ(**environ))
        size = sum(map(len, chunks))
        close = getattr(chunks, "close", None)
        if close:
            close()
        return int(status[:3]), size

    send()
    server_begin, begin = server_ms(server), time.thread_time()
    status, size = send()
    ms = (time.thread_time() - begin) * 1000 + server_ms(server) - server_begin
    return Cost(status, ms, _peak_growth(send), (size + len(request.body or b"")) / MIB)


def _peak_growth(send: Callable[[], object]) -> float:
    """Return the MiB by which a request makes this process larger at its peak."""
    gc.collect()
    # Memory that malloc has not returned would hide what the request needs.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    # Resets the peak (proc(5)).
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_value("VmRSS")
    send()
    return max(0.0, (_status_value("VmHWM") - before) / 1024)


def _status_value(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def server_ms(server: int | None) -> float:
    """Return the CPU time so far of a server's processes."""
    if server is None:
        return 0.0
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == server:
            ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / _TICKS_PER_SECOND


def table(app: Flask, count: int, now: datetime, server: int | None) -> Iterator[str]:
    """Yield the lines of the table."""
    token = get_services(app).storage.tokens.create("bench", ["news:write"])
    prices: dict[str, tuple[float, float]] = {}
    yield (
        "| request | status | ms | bar | MiB of memory | bar | MiB sent or received | |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for request in requests(token, count, now):
        cost = measure(app, request, server)
        # Two of the batches are refused or have invalid lines.
        assert cost.status in (200, 207, 413), request.name
        if request.kind not in prices:
            prices[request.kind] = cost.ms / cost.mib, cost.memory / cost.mib
        ms_per_mib, memory_per_mib = prices[request.kind]
        max_ms = MAX_MS + ms_per_mib * cost.mib
        max_memory = MAX_MIB + memory_per_mib * cost.mib
        holds = cost.ms <= max_ms and cost.memory <= max_memory
        yield (
            f"| {request.name} | {cost.status} | {cost.ms:.1f} | {max_ms:.0f} "
            f"| {cost.memory:.1f} | {max_memory:.1f} | {cost.mib:.2f} "
            f"| {'holds' if holds else 'missed'} |"
        )
    for kind, (ms, memory) in prices.items():
        yield f"\nPrice of a MiB, {kind}: {ms:.0f} ms, {memory:.1f} MiB."


def run(count: int, databases: list[str]) -> Iterator[str]:
    """Yield the tables of some kinds of database."""
    now = datetime.now(UTC)
    yield f"{machine()}, {count:,} entries, {SERIES} open series."
    for kind, title in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        if kind in databases:
            yield f"\n{title}\n"
            with (
                empty_database(kind) as (url, server),
                seeded_app(url, count, now) as app,
            ):
                yield from table(app, count, now, server)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    options = parser.parse_args()
    for line in run(options.entries, options.database or ["sqlite", "postgresql"]):
        print(line, flush=True)
