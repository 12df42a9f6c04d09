"""The traffic of 10,000 readers in a day, against the least possible.

The service produces the versions of a feed on one day, each at its time. For each
version, the response to each kind of reader is measured over a socket; the sizes are
added up over the polls of all readers.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import socket
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import brotli
import zstandard

from bench.environment import PATH
from bench.table import Effort, Row, make_row
from feedsvc.models import SCOPES
from tests.data import bulk
from tests.fake_clock import HANOI
from tests.server import Service

READERS, POLL_INTERVAL = 10_000, timedelta(minutes=30)
WORDS = " ".join(article["content_html"] for article in bulk.articles()).split()
DAY = datetime(2026, 3, 3, tzinfo=HANOI)
CORRECTED = 12
HOURS = (1, 0, 0, 0, 0, 2, 5, 8, 9, 9, 8, 6, 3, 4, 7, 8, 9, 7, 5, 4, 4, 3, 2, 1)
"""Relative numbers of entries in each hour of Hà Nội's day."""


@dataclass(frozen=True)
class Kind:
    """Readers with the same requests; `share` is their percentage."""

    share: int
    validators: tuple[str, ...]
    accepted: str


BOTH, DATE = ("ETag", "Last-Modified"), ("Last-Modified",)
KINDS = (
    Kind(20, BOTH, "gzip, deflate, br, zstd"),
    Kind(22, BOTH, "gzip, deflate, br"),
    Kind(30, BOTH, "gzip, deflate"),
    Kind(3, BOTH, "identity"),
    Kind(10, DATE, "gzip"),
    Kind(3, DATE, "identity"),
    Kind(8, (), "gzip"),
    Kind(4, (), "identity"),
)
"""Assumed for a public feed: most readers use a library with both validators, some send
a date alone, and scripts fetch the whole feed each time."""

MAX_COMPRESSION: dict[str, Callable[[bytes], bytes]] = {
    "br": partial(brotli.compress, quality=11),
    "zstd": zstandard.ZstdCompressor(level=19).compress,
    "gzip": partial(gzip.compress, compresslevel=9),
}
_REQUEST_HEADERS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


@dataclass(frozen=True)
class Costs:
    """Bytes for one kind of reader at one version of the feed.

    `changed` are sent to readers of the previous version, `same` to those of this one,
    which send `validators`. `least_200` and `least_304` are the smallest possible
    responses, `most_compressed` is the smallest 200 with the highest compression.
    """

    changed: int
    same: int
    validators: dict[str, str]
    least_200: int
    least_304: int
    most_compressed: int


@dataclass(frozen=True)
class Version:
    """The feed from a time on.

    `content` is the feed without its own date, `content_number` counts its changes.
    """

    start: datetime
    content_number: int
    content: bytes
    costs: dict[Kind, Costs]


def rows(effort: Effort) -> Iterator[Row]:
    """Compare the bytes of a day, in one run, since they do not depend on the machine."""
    versions = list(_versions(effort.new_entries))
    what = f"bytes to {READERS:,} readers in a day, against "
    sent, least, most_compressed = (total / 1e9 for total in _day(versions))
    yield make_row(
        "readers", what + "the least possible", [(sent, least)], "≤ 1.1", unit="GB"
    )
    yield make_row(
        "readers",
        what + "the least possible at maximum compression",
        [(sent, most_compressed)],
        unit="GB",
    )


def _day(versions: Sequence[Version]) -> tuple[int, int, int]:
    """Return the bytes sent, the least possible, and the same with most compression."""
    generator = random.Random(1)
    times = [version.start for version in versions]
    sent = least = most_compressed = 0
    for kind in KINDS:
        for _ in range(READERS * kind.share // 100):
            poll = DAY + POLL_INTERVAL * generator.random()
            previous = versions[0]
            while poll < DAY + timedelta(days=1):
                current = versions[bisect_right(times, poll) - 1]
                cost = current.costs[kind]
                sent += cost.same if current is previous else cost.changed
                is_unchanged = current.content_number == previous.content_number
                if kind.validators and is_unchanged:
                    least += cost.least_304
                    most_compressed += cost.least_304
                else:
                    least += cost.least_200
                    most_compressed += cost.most_compressed
                poll += POLL_INTERVAL
                previous = current
    return sent, least, most_compressed


def _versions(new_entries: int) -> Iterator[Version]:
    generator = random.Random(2)
    with tempfile.TemporaryDirectory() as folder:
        clock = Path(folder, "clock")
        clock.touch()
        environ = {
            "FEEDSVC_PUBLIC_URL": "https://portal.example",
            "CLOCK": str(clock),
            "WEB_CONCURRENCY": "1",
        }
        service = Service(f"sqlite:///{folder}/bench.db", **environ)
        service.make_token(*SCOPES)
        service.start(app="bench.timer:app")
        try:
            published = [
                DAY - timedelta(minutes=20 * number) for number in range(60, 0, -1)
            ]
            for id, change_time in enumerate(published):
                _put(service, clock, change_time, id, change_time, generator)
            version = _version(service.port, DAY - timedelta(days=1), None)
            yield version
            for change_time, is_new in _changes(generator, new_entries):
                if is_new:
                    published.append(change_time)
                # The entry 55 back has left the feed already.
                back = 1 if is_new else generator.choice((1, 2, 5, 20, 55))
                _put(
                    service,
                    clock,
                    change_time,
                    len(published) - back,
                    published[-back],
                    generator,
                )
                version = _version(service.port, change_time, version)
                yield version
        finally:
            service.stop()


def _changes(generator: random.Random, new_entries: int) -> list[tuple[datetime, bool]]:
    """Return the times of the day's PUTs, and whether each is of a new entry."""
    hours = generator.choices(range(24), HOURS, k=new_entries + CORRECTED)
    moments = sorted(
        DAY + timedelta(hours=hour, seconds=generator.randrange(3600)) for hour in hours
    )
    corrected = set(generator.sample(moments, CORRECTED))
    return [(change_time, change_time not in corrected) for change_time in moments]


def _put(
    service: Service,
    clock: Path,
    now: datetime,
    id: int,
    published: datetime,
    generator: random.Random,
) -> None:
    """Put an article of random words, and wait until the feed has a Last-Modified."""
    title, text = (" ".join(generator.choices(WORDS, k=count)) for count in (9, 400))
    document = {
        "title": title,
        "content_html": f"<p>{text}</p>",
        "date_published": published.isoformat(),
    }
    os.utime(clock, (now.timestamp(),) * 2)
    response = service.request("PUT", f"/api/v1/articles/{id}", document)
    assert response.ok, response.text
    os.utime(clock, ((now + timedelta(seconds=5)).timestamp(),) * 2)
    end = time.monotonic() + 10
    while "Last-Modified" not in _request(service.port, {})[1]:
        assert time.monotonic() < end
        time.sleep(0.05)


def _version(port: int, change_time: datetime, before: Version | None) -> Version:
    body = _request(port, {"Accept-Encoding": "identity"})[2]
    content = re.sub(rb"<lastBuildDate>.*?</lastBuildDate>", b"", body)
    compressed = {
        "identity": len(body),
        **{coding: len(pack(body)) for coding, pack in MAX_COMPRESSION.items()},
    }
    sent = {
        coding: len(_request(port, {"Accept-Encoding": coding})[2])
        for coding in compressed
    }
    costs = {}
    for kind in KINDS:
        headers = {"Accept-Encoding": kind.accepted}
        changed, head, _ = _request(port, headers)
        validators = {_REQUEST_HEADERS[name]: head[name] for name in kind.validators}
        same = _request(port, headers | validators)[0]
        if before:
            changed = _request(port, headers | before.costs[kind].validators)[0]
        accepted = [
            coding for coding in sent if coding in kind.accepted or coding == "identity"
        ]
        least_200, most_compressed = (
            min(sizes[coding] for coding in accepted) + _least_head(200, head)
            for sizes in (sent, compressed)
        )
        costs[kind] = Costs(
            changed,
            same,
            validators,
            least_200,
            _least_head(304, head),
            most_compressed,
        )
    number = before.content_number + (content != before.content) if before else 0
    return Version(change_time, number, content, costs)


def _least_head(status: int, head: dict[str, str]) -> int:
    """Return the size of a head with only what RFC 9110 §15.4.5 and a body need."""
    names = ["Date", "ETag", "Cache-Control", "Vary"]
    if status == 200:
        names += ["Last-Modified", "Content-Type", "Content-Length", "Content-Encoding"]
    line = f"HTTP/1.1 {status} \r\n\r\n"
    return len(line) + sum(
        len(f"{name}: {head[name]}\r\n") for name in names if name in head
    )


def _request(port: int, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Return the size of a response, its headers and its body as sent."""
    request = {"Host": "portal.example", "Connection": "close", **headers}
    lines = [
        f"GET {PATH} HTTP/1.1",
        *(f"{name}: {value}" for name, value in request.items()),
    ]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        response = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    head, _, body = response.partition(b"\r\n\r\n")
    fields = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return len(response), {name: value for name, _, value in fields}, body
