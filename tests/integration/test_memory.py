"""Memory does not grow with the requests that were answered: hot feeds, 304, cold ones, pages, refusals, writes."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain, count, cycle, islice
from pathlib import Path
from statistics import linear_regression

import pytest

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.data import bulk
from tests.server import Service

pytestmark = pytest.mark.sqlite

REQUESTS, ROUND = 1_000_000, 1000
CLIENTS, CONNECTIONS = 2, 8
BAR = 4096
"""KiB by 100,000 requests in the second half: 40 bytes each, less than one string that is forgotten."""

HOT = [
    f"/feeds/{feed}"
    for feed in "news.rss news.atom news.json events.rss events.ics news/y-te.rss news/sach.atom".split()
]
CODINGS = ("identity", "gzip", "br", "zstd")
PAGES = (
    "/",
    "/feeds/news.html",
    "/feeds/events.html",
    "/entries/bai-001",
    "/entries/hoi-001.ics",
    "/feeds.opml",
)
PLACES = "y-te sach giao-duc am-nhac cap-nuoc tiep-dan".split()


def asked(path: str, coding: str, *headers: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", "Host: a", f"Accept-Encoding: {coding}", *headers)
    return "\r\n".join((*lines, "", "")).encode()


def mixed(client: int, etags: list[tuple[str, str]]) -> Iterator[bytes]:
    """Requests without end: of a thousand 650 hot, 300 with an ETag, 35 pages, and 5 each cold, oddly spelt and refused."""
    hot = cycle([asked(path, coding) for path in HOT for coding in CODINGS])
    known = cycle(
        [asked(path, "gzip", f"If-None-Match: {etag}") for path, etag in etags]
    )
    pages = cycle([asked(path, "br") for path in PAGES])
    for turn in count(client, CLIENTS):
        yield from chain(islice(hot, 650), islice(known, 300), islice(pages, 35))
        for number in range(5 * turn, 5 * turn + 5):
            pair = f"{PLACES[number % 6]},{PLACES[number // 6 % 6]}"
            yield asked(f"/feeds/news/{pair}.rss?limit={1 + number // 36 % 50}", "gzip")
        for number in range(5):
            yield asked(f"/feeds/news.rss?x={turn}-{number}", "gzip")
        for number in range(5):
            yield asked(
                f"/feeds/news/nix-{turn}-{number}.rss",
                "gzip",
                f"Authorization: Bearer x{turn}",
            )


def answered(connection: socket.socket) -> int:
    """The status of the next answer, which is read to its end."""
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        assert more, "the connection has ended"
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    status, length = int(head[9:12]), head.lower().find(b"\r\ncontent-length: ")
    left = (
        int(head[length + 18 :].split(b"\r\n", 1)[0]) - len(body)
        if length > 0 and status != 304
        else 0
    )
    while left > 0:
        left -= len(connection.recv(65536))
    return status


def load(
    port: int,
    client: int,
    etags: list[tuple[str, str]],
    rounds: int,
    done: multiprocessing.Queue[Counter[int]],
) -> None:
    """Send rounds of requests over kept connections, one at a time over each, and tell the statuses of each round."""
    lines, found = (
        mixed(client, etags),
        [socket.create_connection(("127.0.0.1", port), 30) for _ in range(CONNECTIONS)],
    )
    for _ in range(rounds):
        statuses = Counter[int]()
        for _ in range(ROUND // CONNECTIONS):
            for connection in found:
                connection.sendall(next(lines))
            statuses.update(map(answered, found))
        done.put(statuses)


def held(service: Service) -> int:
    """KiB of all processes, what several share counted once."""
    assert service.process
    texts = (
        Path(f"/proc/{pid}/smaps_rollup").read_text()
        for pid in (service.process.pid, *service.workers())
    )
    return sum(int(text.split("\nPss:")[1].split()[0]) for text in texts)


@pytest.mark.soak
def test_memory_does_not_grow_with_requests(
    service: Service, tmp_path: Path, record_measurement: RecordMeasurement
) -> None:
    """Workers are not replaced meanwhile; few answers are kept, so that these are as many as may be from early on."""
    service.stop()
    service.is_forked = False  # a fork shares memory with its parent
    service.environ |= {
        "GUNICORN_CMD_ARGS": "--max-requests=0 --access-logfile=/dev/null",
        "FEEDSVC_CACHE_ENTRIES": "100",
    }
    service.make_token(*SCOPES)
    service.start(tmp_path / "log")
    for slug in {entry["categories"][0] for entry in bulk.articles()}:
        assert service.request("PUT", f"/api/v1/categories/{slug}", {"title": slug}).ok
    for kind, documents in (("articles", bulk.articles()), ("events", bulk.events())):
        for document in documents:
            assert service.request(
                "PUT", f"/api/v1/{kind}/{document['id']}", document
            ).ok
    etags = [(path, service.request("GET", path).headers["ETag"]) for path in HOT]
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    clients = [
        context.Process(
            target=load,
            args=(service.port, client, etags, REQUESTS // ROUND // CLIENTS, done),
            daemon=True,
        )
        for client in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    statuses, samples, begun, written = Counter[int](), [], time.monotonic(), 0
    for _ in range(REQUESTS // ROUND):
        statuses += done.get(timeout=60)
        samples.append((statuses.total(), held(service)))
        if time.monotonic() > begun + written:  # one a second
            written += 1
            document = {
                "title": f"Lần {written}",
                "content_text": "Nội dung. " * (written % 50),
            }
            assert service.request(
                "PUT", f"/api/v1/articles/{written % 100}", document
            ).ok
    spent = time.monotonic() - begun
    for client in clients:
        client.join()
    steady = samples[len(samples) // 2 :]
    slope = linear_regression(*zip(*steady, strict=True)).slope * 100_000
    ends = f"{steady[0][1] >> 10} to {steady[-1][1] >> 10} MiB in {spent:.0f} s"
    record_measurement(
        f"KiB by 100,000 requests, of {REQUESTS:,} with {written} writes: {ends}",
        f"{slope:.0f}",
        f"{BAR}",
    )
    assert set(statuses) == {200, 301, 304, 404}, (
        statuses,
        (tmp_path / "log").read_text(),
    )
    assert statuses[304] > REQUESTS / 10
    assert slope < BAR
