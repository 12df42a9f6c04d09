"""What 10,000 readers are sent in a day, against the least that they could be sent.

On paper: the real service makes a day's versions of a feed, each at its time; what each kind of reader is
answered is measured of each version over a socket, and added up over the polls of all readers.
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
from bench.table import Row, row
from feedsvc.models import SCOPES
from tests.data import bulk
from tests.fake_clock import HANOI
from tests.server import Service

READERS, POLL = 10_000, timedelta(minutes=30)
WORDS = " ".join(article["content_html"] for article in bulk.articles()).split()
DAY = datetime(2026, 3, 3, tzinfo=HANOI)
NEW, CORRECTED = 60, 12
HOURS = (1, 0, 0, 0, 0, 2, 5, 8, 9, 9, 8, 6, 3, 4, 7, 8, 9, 7, 5, 4, 4, 3, 2, 1)
"""How much is published in each hour of Hà Nội's day, in proportion."""


@dataclass(frozen=True)
class Kind:
    """Readers that ask alike: how many of 100, with which validators, and which codings they accept."""

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
"""Assumed, for a public feed: most readers ask by a library that does what HTTP offers, some by a date alone,
and those that are scripts ask for the whole each time."""

HARDEST: dict[str, Callable[[bytes], bytes]] = {
    "br": partial(brotli.compress, quality=11),
    "zstd": zstandard.ZstdCompressor(level=19).compress,
    "gzip": partial(gzip.compress, compresslevel=9),
}
_ASKS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


@dataclass(frozen=True)
class Costs:
    """Bytes for one kind of reader at one version of the feed.

    `changed` are sent to who has the version before, `same` to who has this one, and `knows` is what it asks
    with from now on; `whole` and `unchanged` are the least of a 200 and of a 304, `hardest` is the least 200
    of bodies that are compressed as far as each coding goes.
    """

    changed: int
    same: int
    knows: dict[str, str]
    whole: int
    unchanged: int
    hardest: int


@dataclass(frozen=True)
class Version:
    """The feed from a moment on: the number of what it tells beside its own date, and the bytes."""

    moment: datetime
    news: int
    told: bytes
    costs: dict[Kind, Costs]


def rows() -> Iterator[Row]:
    """The bytes of a day, in one run: nothing here depends on how fast a machine is."""
    versions = list(_versions())
    what = f"bytes to {READERS:,} readers that poll twice an hour for a day, against "
    sent, least, hardest = (total / 1e9 for total in _day(versions))
    yield row(
        "readers", what + "the least possible", [(sent, least)], "≤ 1.1", unit="GB"
    )
    yield row(
        "readers",
        what + "the same with bodies compressed as hard as may be",
        [(sent, hardest)],
        unit="GB",
    )


def _day(versions: Sequence[Version]) -> tuple[int, int, int]:
    dice = random.Random(1)
    moments = [version.moment for version in versions]
    sent = least = hardest = 0
    for kind in KINDS:
        for _ in range(READERS * kind.share // 100):
            poll, had = DAY + POLL * dice.random(), versions[0]
            while poll < DAY + timedelta(days=1):
                has = versions[bisect_right(moments, poll) - 1]
                cost = has.costs[kind]
                sent += cost.same if has is had else cost.changed
                knows = kind.validators and has.news == had.news
                least += cost.unchanged if knows else cost.whole
                hardest += cost.unchanged if knows else cost.hardest
                poll, had = poll + POLL, has
    return sent, least, hardest


def _versions() -> Iterator[Version]:
    dice = random.Random(2)
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
            for id, moment in enumerate(published):
                _put(service, clock, moment, id, moment, dice)
            version = _version(service.port, DAY - timedelta(days=1), None)
            yield version
            for moment, is_new in _changes(dice):
                if is_new:
                    published.append(moment)
                back = (
                    1 if is_new else dice.choice((1, 2, 5, 20, 55))
                )  # the last of which is in the feed no more
                _put(
                    service,
                    clock,
                    moment,
                    len(published) - back,
                    published[-back],
                    dice,
                )
                version = _version(service.port, moment, version)
                yield version
        finally:
            service.stop()


def _changes(dice: random.Random) -> list[tuple[datetime, bool]]:
    """When an entry is put that day, and whether it is a new one."""
    hours = dice.choices(range(24), HOURS, k=NEW + CORRECTED)
    moments = sorted(
        DAY + timedelta(hours=hour, seconds=dice.randrange(3600)) for hour in hours
    )
    corrected = set(dice.sample(moments, CORRECTED))
    return [(moment, moment not in corrected) for moment in moments]


def _put(
    service: Service,
    clock: Path,
    now: datetime,
    id: int,
    published: datetime,
    dice: random.Random,
) -> None:
    """Put an article of words that are drawn from a corpus, and wait until its date is stated."""
    title, text = (" ".join(dice.choices(WORDS, k=count)) for count in (9, 400))
    document = {
        "title": title,
        "content_html": f"<p>{text}</p>",
        "date_published": published.isoformat(),
    }
    os.utime(clock, (now.timestamp(),) * 2)
    answer = service.request("PUT", f"/api/v1/articles/{id}", document)
    assert answer.ok, answer.text
    os.utime(clock, ((now + timedelta(seconds=5)).timestamp(),) * 2)
    end = time.monotonic() + 10
    while "Last-Modified" not in _ask(service.port, {})[1]:
        assert time.monotonic() < end
        time.sleep(0.05)


def _version(port: int, moment: datetime, before: Version | None) -> Version:
    body = _ask(port, {"Accept-Encoding": "identity"})[2]
    told = re.sub(rb"<lastBuildDate>.*?</lastBuildDate>", b"", body)
    hardest = {
        "identity": len(body),
        **{coding: len(pack(body)) for coding, pack in HARDEST.items()},
    }
    sent = {
        coding: len(_ask(port, {"Accept-Encoding": coding})[2]) for coding in hardest
    }
    costs = {}
    for kind in KINDS:
        asks = {"Accept-Encoding": kind.accepted}
        changed, head, _ = _ask(port, asks)
        knows = {_ASKS[name]: head[name] for name in kind.validators}
        same = _ask(port, asks | knows)[0]
        if before:
            changed = _ask(port, asks | before.costs[kind].knows)[0]
        accepted = [
            coding for coding in sent if coding in kind.accepted or coding == "identity"
        ]
        whole, least = (
            min(map(sizes.__getitem__, accepted)) + _least(200, head)
            for sizes in (sent, hardest)
        )
        costs[kind] = Costs(changed, same, knows, whole, _least(304, head), least)
    news = before.news + (told != before.told) if before else 0
    return Version(moment, news, told, costs)


def _least(status: int, head: dict[str, str]) -> int:
    """The bytes of the head that RFC 9110 §15.4.5 and a body ask for, and no other."""
    names = ["Date", "ETag", "Cache-Control", "Vary"]
    if status == 200:
        names += ["Last-Modified", "Content-Type", "Content-Length", "Content-Encoding"]
    line = f"HTTP/1.1 {status} \r\n\r\n"
    return len(line) + sum(
        len(f"{name}: {head[name]}\r\n") for name in names if name in head
    )


def _ask(port: int, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """The bytes of an answer, its head and its body as it was sent."""
    asks = {"Host": "portal.example", "Connection": "close", **headers}
    lines = [
        f"GET {PATH} HTTP/1.1",
        *(f"{name}: {value}" for name, value in asks.items()),
    ]
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b"".join(iter(lambda: one.recv(1 << 20), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    return len(answer), {name: value for name, _, value in fields}, body
