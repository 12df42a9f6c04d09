"""The worst request of each kind, on SQLite and PostgreSQL: processor time, memory and bytes, against bars.

`python -m bench.worst --entries 1000000` measures with that many entries, by default 100,000. No anonymous
request, and none with a write-only token, may cost more than 100 ms of the processor and 8 MiB of memory, and
for each MiB that is sent or received what a plain large document of its kind costs per MiB.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from bench.table import machine
from config import Config
from feedsvc.app import create_app
from feedsvc.models import Entry, Event, Recurrence
from feedsvc.services import get_services
from feedsvc.storage import MAX_FEED, Storage
from feedsvc.storage.archives import ArchiveDivider, month_of
from feedsvc.storage.dump import reset_sequences
from feedsvc.storage.entry_rows import entry_columns
from feedsvc.storage.sizes import entries_budget
from feedsvc.storage.tables import (
    categories,
    change_sequence,
    entries,
    entry_categories,
    feed_versions,
    languages,
)
from tests.postgres import throw_away

MIB = 1024 * 1024
BARS = 100.0, 8.0
"""Milliseconds of the processor, and MiB of memory, beside what is sent or received."""

SERIES, UPCOMING, RARE = 500, 1_000, 30
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
BODY = "<p>" + "Nội dung của bài. " * 80 + "</p>"
PLACES = {"all": 1, "even": 2, "odd": 3, "events": 4}
TOPICS = {f"topic-{number:02}": number for number in range(5, 41)}
"""Categories that divide all entries among them; with the others they are 40."""

_GROUP = 10_000
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Request:
    """A request and its name in the table.

    `kind` says by which price per MiB it is judged; the first request of a kind sets the price.
    """

    what: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "feed"


@dataclass(frozen=True)
class Cost:
    """What a request cost; `mib` are those sent or received."""

    status: int
    ms: float
    memory: float
    mib: float


def requests(token: str, count: int, now: datetime) -> list[Request]:
    """The worst requests of each kind."""
    month = month_of(now - timedelta(minutes=count // 4), ZONE)
    day, near, far = (
        now.date(),
        now.date() + timedelta(days=7),
        now.date() + timedelta(days=5 * 365),
    )
    early = now.date() - timedelta(days=9 * 365)
    wrong = b"1\n" * (MIB // 2)
    topics = list(TOPICS)
    auth = (
        ("Authorization", f"Bearer {token}"),
        ("Content-Type", "application/x-ndjson"),
    )
    drafts = (
        json.dumps(
            {
                "action": "put",
                "kind": "news",
                "id": f"draft-{n}",
                "title": "x",
                "status": "draft",
            }
        )
        for n in range(1000)
    )
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
            f"/feeds/news/{','.join(topics[:9])},-all.rss",
        ),
        Request(
            "everything but both halves and eight topics",
            f"/feeds/news/-even,-odd,-{',-'.join(topics[:8])}.rss",
        ),
        Request("a language that nothing has", "/feeds/news.rss?lang=qa-1"),
        Request(
            "a language that nothing has, of nine topics",
            f"/feeds/news/{','.join(topics[:9])}.rss?lang=ja-123",
        ),
        Request(
            "a language that nearly all have, of ten topics",
            f"/feeds/news/{','.join(topics[:10])}.rss?lang=vi",
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
        Request("a window of a week", f"/feeds/events.rss?from={day}&to={near}"),
        Request(
            "a window in five years",
            f"/feeds/events.rss?from={far - timedelta(days=20)}&to={far - timedelta(days=13)}",
        ),
        Request(
            "a window nine years ago",
            f"/feeds/events.rss?from={early}&to={early + timedelta(days=7)}",
        ),
        Request(
            "a window of fourteen years",
            f"/feeds/events.rss?from={early}&to={far - timedelta(days=9)}&limit=200",
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
            auth,
            "batch",
        ),
        Request(
            "a batch of wrong lines, too many", "/api/v1/batch", wrong, auth, "batch"
        ),
        Request(
            "a batch of 50,000 wrong lines",
            "/api/v1/batch",
            b"1\n" * 50_000,
            auth,
            "batch",
        ),
        Request(
            "titles that contain a word, none has it",
            "/api/v1/articles?q=khongcogi",
            headers=auth[:1],
        ),
    ]


def article(number: int, published: datetime) -> Entry:
    """The article of a number."""
    return Entry(
        f"n{number}",
        "news",
        f"Bài {number}",
        "vi",
        summary=f"Tóm tắt của bài {number}.",
        content_html=BODY,
        published=published,
        updated=published,
        guid=f"urn:uuid:00000000-0000-4000-8000-{number:012}",
        version=1,
    )


def event(
    number: int,
    published: datetime,
    start: datetime,
    recurrence: Recurrence | None = None,
) -> Entry:
    """The event of a number."""
    details = Event(start.astimezone(ZONE), None, ZONE, recurrence=recurrence)
    return replace(
        article(number, published), kind="events", event=details, starts=start
    )


def all_entries(count: int, now: datetime) -> Iterator[Entry]:
    """Half of them news over the last years, the other half events, most of them over."""
    half = count // 2
    for number in range(half):
        made = article(number, now - timedelta(minutes=half - number))
        yield replace(made, language="en-GB") if number * RARE % half < RARE else made
    for number in range(half, count - SERIES):
        ahead = number >= count - SERIES - UPCOMING
        start = (
            now + timedelta(hours=number % 2000 + 1)
            if ahead
            else now - timedelta(minutes=count - number)
        )
        yield event(number, now - timedelta(minutes=count - number + 10), start)
    daily = Recurrence("FREQ=DAILY")
    for number in range(count - SERIES, count):
        yield event(number, now - timedelta(days=20), now - timedelta(days=900), daily)


def fill(store: Storage, count: int, now: datetime) -> None:
    """Write entries without the change log."""
    with store.database.write() as connection:
        stamped = {"changed_at": now, "titled_at": now}
        connection.execute(
            categories.insert(),
            [
                {"id": n, "slug": s, "title": s, **stamped}
                for s, n in (PLACES | TOPICS).items()
            ],
        )
        rows = [
            {"kind": k, "category_id": n, "seq": 1, "time": now}
            for k in ("news", "events")
            for n in (PLACES | TOPICS).values()
        ]
        connection.execute(feed_versions.insert(), rows)
        tags = [
            {"kind": kind, "tag": tag}
            for kind in ("news", "events")
            for tag in ("vi", "en-gb")
        ]
        connection.execute(languages.insert(), tags)
        connection.execute(
            change_sequence.update().values(seq=count, time=now, clock=now)
        )
    made = enumerate(all_entries(count, now), start=1)
    months: dict[tuple[str, str], Entry] = {}
    while group := list(islice(made, _GROUP)):
        with store.database.write() as connection:
            _insert(connection, group, now)
        months |= {(one.kind, month_of(one.date, ZONE)): one for _, one in group}
    with store.database.write() as connection:
        reset_sequences(connection)
    for one in months.values():
        with store.database.write() as connection:
            divider = ArchiveDivider(connection, ZONE, entries_budget(MAX_FEED))
            divider.add(one.kind, one.date, one.guid)
            divider.divide()


def _insert(
    connection: sa.Connection, group: list[tuple[int, Entry]], now: datetime
) -> None:
    shared = {
        "is_visible": True,
        "was_visible": True,
        "next_change_at": None,
        "changed_at": now,
    }
    rows = [
        {**entry_columns(one), **shared, "pk": number, "seq": number}
        for number, one in group
    ]
    connection.execute(entries.insert(), rows)
    names = ("kind", "is_visible", "published", "guid", "lang", "starts", "ends")
    topics = list(TOPICS.values())
    placed = []
    for row in rows:
        half = PLACES["even" if row["pk"] % 2 == 0 else "odd"]
        topic = topics[row["pk"] // 2 % len(topics)]
        for position, key in enumerate((PLACES["all"], half, topic)):
            copied = {name: row[name] for name in names}
            placed.append(
                {
                    "entry_pk": row["pk"],
                    "category_id": key,
                    "position": position,
                    **copied,
                }
            )
    connection.execute(entry_categories.insert(), placed)


@contextmanager
def filled(url: str, count: int, now: datetime) -> Iterator[Flask]:
    """An app that caches nothing, over so many entries."""
    environ = {
        "FEEDSVC_DATABASE_URL": url,
        "FEEDSVC_CACHE_BYTES": "0",
        "FEEDSVC_RATE_BATCH_LINES": "9999999/minute",
    }
    app = create_app(Config.from_env(environ))
    services = get_services(app)
    services.cache.sync_on_read = (
        False  # as where a thread polls, which would be measured too
    )
    store = services.storage
    store.upgrade()
    fill(store, count, now)
    if url.startswith("postgresql"):
        with store.database.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.exec_driver_sql(
                "VACUUM ANALYZE"
            )  # as autovacuum has done by then
    yield app
    store.close()


def costs(app: Flask, request: Request, server: int | None) -> Cost:
    """Measure a request: processor time of the second of two, memory of a third.

    :param server: the process id of the database server, whose processes count too.
    """
    last = get_services(app).storage.changes_since(
        (0, datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC))
    )[0][0]
    environ: dict[str, Any] = {
        "path": request.path.replace("LAST", str(last)),
        "headers": dict(request.headers),
    }
    if request.body is not None:
        environ |= {"method": "POST", "data": request.body}

    def ask() -> tuple[int, int]:
        chunks, status, _ = run_wsgi_app(app, create_environ(**environ))
        size = sum(map(len, chunks))
        close = getattr(chunks, "close", None)
        if close:
            close()
        return int(status[:3]), size

    ask()
    before, begun = _server_ms(server), time.thread_time()
    status, sent = ask()
    ms = (time.thread_time() - begun) * 1000 + _server_ms(server) - before
    return Cost(status, ms, _peak(ask), (sent + len(request.body or b"")) / MIB)


def _peak(ask: Any) -> float:
    """Return the MiB by which a request makes this process larger at most."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    ask()
    return max(0.0, (_status("VmHWM") - before) / 1024)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _server_ms(server: int | None) -> float:
    """Return the processor time of a server's processes so far, in ticks of the system."""
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
    return ticks * 1000 / _TICKS


def table(app: Flask, count: int, now: datetime, server: int | None) -> Iterator[str]:
    """Yield the lines of the table."""
    token = get_services(app).storage.tokens.create("bench", ["news:write"])
    prices: dict[str, tuple[float, float]] = {}
    yield "| request | status | ms | bar | MiB of memory | bar | MiB sent or received | |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in requests(token, count, now):
        cost = costs(app, one, server)
        assert cost.status < 500
        if one.kind not in prices:
            prices[one.kind] = cost.ms / cost.mib, cost.memory / cost.mib
        ms, memory = (
            most + price * cost.mib
            for most, price in zip(BARS, prices[one.kind], strict=True)
        )
        verdict = "holds" if cost.ms <= ms and cost.memory <= memory else "missed"
        yield (
            f"| {one.what} | {cost.status} | {cost.ms:.1f} | {ms:.0f} "
            f"| {cost.memory:.1f} | {memory:.1f} | {cost.mib:.2f} | {verdict} |"
        )
    for kind, (ms, memory) in prices.items():
        yield f"\nPrice of a MiB, {kind}: {ms:.0f} ms, {memory:.1f} MiB."


def run(count: int, databases: list[str]) -> Iterator[str]:
    """Yield the tables of some kinds of database."""
    now = datetime.now(UTC)
    yield f"{machine()}, {count:,} entries, {SERIES} open series."
    if "sqlite" in databases:
        with (
            tempfile.TemporaryDirectory() as folder,
            filled(f"sqlite:///{folder}/worst.db", count, now) as app,
        ):
            yield "\nSQLite\n"
            yield from table(app, count, now, None)
    if "postgresql" in databases:
        with (
            throw_away() as cluster,
            cluster.database() as url,
            filled(url, count, now) as app,
        ):
            yield "\nPostgreSQL\n"
            assert cluster._process
            yield from table(app, count, now, cluster._process.pid)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    options = parser.parse_args()
    for line in run(options.entries, options.database or ["sqlite", "postgresql"]):
        print(line, flush=True)
