"""The most expensive reads of each kind, against limits of time and memory."""

import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from bench.dataset import TOPICS, fill, new_database
from bench.servers import RELEASE, cpu_ms, unpack_release
from feedsvc.app import create_app
from feedsvc.config import Config
from feedsvc.feeds.cache import ResponseCache
from feedsvc.models import ENTRY_SCOPES
from feedsvc.services import get_services
from feedsvc.storage.tables import to_microseconds
from feedsvc.storage.tokens import create_token
from tests.server import ROOT

MAX_MS = 250.0
MAX_USUAL_MS = 50.0
MAX_MIB = 64.0
"""Limits of a request: CPU time, that of usual feeds, and memory."""

MAX_RATIO = 1.5
NOISE_MS = 1.0
"""Limits beside the CPU time of the version before."""

REPETITIONS = 5

USUAL = {
    "a section": "/feeds/news.rss",
    "a section, page 100": "/feeds/news.rss?page=100",
    "events": "/feeds/events.rss",
    "a large category": "/feeds/news/all.rss",
    "a topic": "/feeds/news/topic-07.rss",
    "a small category": "/feeds/news/place-0004.rss",
    "any of two categories": "/feeds/news/topic-07,topic-20.rss",
    "both of two categories": "/feeds/news/even+topic-08.rss",
    "both of a small and a large one": "/feeds/news/even+place-0004.rss",
    "a category with nine below it": "/feeds/news/place-0000.rss",
    "drafts": "/api/v1/articles?status=draft",
    "a small category, in the API": "/api/v1/articles?category=place-0004",
    "its drafts": "/api/v1/articles?category=place-0004&status=draft",
}
"""Paths by their names in the table."""


def unusual(now: datetime) -> dict[str, str]:
    """Return other paths that cost much, by their names."""
    nine_topics = ",".join(TOPICS[:9])
    today = now.date()
    week = timedelta(days=7)
    # Periods may end five years ahead at most.
    ahead = today + timedelta(days=5 * 365 - 20)
    ago = today - timedelta(days=9 * 365)
    ten_words = "+".join(f"{number}" for number in range(1000, 1010))
    return {
        **{
            f"100 entries, {format}": f"/feeds/news.{format}?limit=100&content=full"
            for format in ("rss", "atom", "json", "html")
        },
        "page 400 of 100": "/feeds/news.rss?limit=100&page=400",
        "both disjoint halves": "/feeds/news/even+odd.rss",
        "all three, none has it": "/feeds/news/all+even+odd.rss",
        "any of nine topics": f"/feeds/news/{nine_topics}.rss",
        "all but what all are in": "/feeds/news/-all.rss",
        "one half without all": "/feeds/news/even,-all.rss",
        "nine topics without all": f"/feeds/news/{nine_topics},-all.rss",
        "all but both halves": "/feeds/news/-even,-odd.rss",
        "a language without entries": "/feeds/news.rss?lang=ja",
        "the same of nine topics": f"/feeds/news/{nine_topics}.rss?lang=ja",
        "the same of past events": "/feeds/events.rss?when=past&lang=ja",
        "a rare language": "/feeds/news.rss?lang=en",
        "2,000 events, ics": "/feeds/events.ics",
        "events, html": "/feeds/events.html",
        "past events": "/feeds/events.rss?when=past&limit=100",
        "past events by start": "/feeds/events.rss?when=past&order=start&limit=100",
        "all events by start": "/feeds/events.rss?when=all&order=start&limit=100",
        "past events by start, page 400": (
            "/feeds/events.rss?when=past&order=start&limit=100&page=400"
        ),
        "events without cancelled": "/feeds/events.rss?cancelled=hide&limit=100",
        "a week": f"/feeds/events.rss?from={today}&to={today + week}",
        "a week of a small category": (
            f"/feeds/events/place-0004.rss?from={today}&to={today + week}"
        ),
        "the same, ics": (
            f"/feeds/events/place-0004.ics?from={today}&to={today + week}"
        ),
        "a week in five years": f"/feeds/events.rss?from={ahead}&to={ahead + week}",
        "a week nine years ago": f"/feeds/events.rss?from={ago}&to={ago + week}",
        "fourteen years": f"/feeds/events.rss?from={ago}&to={ahead}&limit=100",
        "a week, ics": f"/feeds/events/all.ics?from={today}&to={today + week}",
        "fourteen years, ics": f"/feeds/events/all.ics?from={ago}&to={ahead}",
        "a word that all have": "/feeds/news.rss?q=bai",
        "a word that one has": "/feeds/news.rss?q=77",
        "a word that none has": "/feeds/news.rss?q=khongco",
        "ten words that none combines": f"/feeds/news.rss?q={ten_words}",
        "a word that none of a topic has": "/feeds/news/topic-07.rss?q=khongco",
        "a word that no event has": "/feeds/events.ics?q=khongco",
        "1,000 changes": "/api/v1/changes?limit=1000",
        "1,000 changes of events": "/api/v1/changes?limit=1000&kind=events",
        "no changes": "/api/v1/changes?after=LAST",
        "the front page": "/",
        "the list of feeds": "/feeds.opml",
        "an entry's page": "/entries/n8",
        "an entry's calendar": "/entries/n9.ics",
        "all categories": "/api/v1/categories",
    }


def print_table(kind: str, count: int, part: str) -> None:
    """Measure requests on a database of this kind with so many entries.

    The version before runs on the same database, as it does during an upgrade.

    :param part: such as `2/3`, the second of three parts of the requests.
    """
    print(f"\n{count:,} entries, {kind}, part {part}\n")
    print(f"| request | status | ms of CPU | bar | {RELEASE} | MiB | bar | |")
    print("|---|---|---|---|---|---|---|---|")
    with (
        new_database(kind) as (url, server),
        tempfile.TemporaryDirectory() as folder,
    ):
        fill(url, count)
        before = unpack_release(Path(folder), RELEASE, "feedsvc")
        rows = [_rows(root, url, server, part) for root in (before, ROOT)]
        for old, new in zip(*rows, strict=True):
            print(_line(new, old), flush=True)


def _rows(root: Path, url: str, server: int | None, part: str) -> Iterator[list[Any]]:
    """Measure a version in a process of its own; yield what `print_rows` prints."""
    # Its code comes first, and this package from here; -P leaves out the directory.
    environ = {**os.environ, "PYTHONPATH": f"{root}:{ROOT}"}
    command = [sys.executable, "-P", "-m", "bench", "rows", "--part", part]
    command += ["--url", url, "--server", str(server or 0)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            yield json.loads(line)
    assert process.returncode == 0


def _line(new: list[Any], old: list[Any]) -> str:
    """Return the row of a request: its cost, that of the version before, limits."""
    name, status, ms, mib = new
    ms_before = old[2]
    max_ms = MAX_USUAL_MS if name in USUAL else MAX_MS
    is_dearer = ms > MAX_RATIO * ms_before + NOISE_MS
    holds = ms <= max_ms and mib <= MAX_MIB and not is_dearer
    return (
        f"| {name} | {status} | {ms:.1f} | {max_ms:.0f} | {ms_before:.1f} "
        f"| {mib:.1f} | {MAX_MIB:.0f} | {'holds' if holds else 'missed'} |"
    )


def print_rows(url: str, server: int | None, part: str) -> None:
    """Print name, status, milliseconds and MiB of each request of a part, in JSON."""
    app = _create_app(url)
    for row in _measure_all(app, server, part):
        print(json.dumps(row), flush=True)
    get_services(app).database.close()


def _create_app(url: str) -> Flask:
    """Return an app that caches nothing, and polls no revision."""
    app = create_app(replace(Config.from_env(), database_url=url))
    services = get_services(app)
    services.cache = ResponseCache(services.database, max_bytes=0)
    return app


def _measure_all(
    app: Flask, server: int | None, part: str
) -> Iterator[tuple[str, int, float, float]]:
    database = get_services(app).database
    database.poll()
    token = create_token(database, f"bench {os.getpid()}", ENTRY_SCOPES)
    last = to_microseconds(database.revisions.last)
    requests = [*USUAL.items(), *unusual(datetime.now(UTC)).items()]
    number, parts = map(int, part.split("/"))
    for name, path in requests[number - 1 :: parts]:
        status, ms, mib = _measure(app, path.replace("LAST", str(last)), token, server)
        assert status in (200, 404), (path, status)
        yield name, status, ms, mib


def _measure(
    app: Flask, path: str, token: str, server: int | None
) -> tuple[int, float, float]:
    """Return the status, the mean CPU time and the memory of a request.

    :param server: the process id of the database server, which counts too.
    """

    headers = {"Authorization": f"Bearer {token}"}

    def send() -> int:
        chunks, status, _ = run_wsgi_app(
            app, create_environ(path, headers=headers), buffered=True
        )
        del chunks
        return int(status[:3])

    send()
    server_begin = cpu_ms(server) if server else 0
    begin = time.thread_time()
    for _ in range(REPETITIONS):
        status = send()
    ms = (time.thread_time() - begin) * 1000
    if server:
        ms += cpu_ms(server) - server_begin
    return status, ms / REPETITIONS, _peak_growth(send)


def _peak_growth(send: Callable[[], object]) -> float:
    """Return the MiB by which a request makes this process larger at its peak."""
    gc.collect()
    # Memory that malloc has not returned would hide what the request needs.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    # Resets the peak (proc(5)).
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_kib("VmRSS")
    send()
    return max(0.0, (_status_kib("VmHWM") - before) / 1024)


def _status_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
