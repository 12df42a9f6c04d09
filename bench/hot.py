"""Cached responses a second of CPU time, against a bare WSGI function under gthread."""

import os
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import requests

from feedsvc.models import SCOPES
from tests.server import Service
from tests.waiting import wait_until

MIN_RATIO = 3.0
FEED = "/feeds/news.rss"
ENTRIES = 50
BODY = "<p>" + "Nội dung của bài. " * 120 + "</p>"
CONNECTIONS = 16
SECONDS = 2.0
ROUNDS = 3
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_FEED_URL = "BENCH_FEED_URL"

BARE = ("-k", "gthread", "--threads", "8", "bench.hot:bare")
"""gunicorn's options for the bare function."""


def print_table() -> None:
    """Measure both servers in turn, and print the medians and their ratios."""
    rates: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        service = Service(f"sqlite:///{folder}/service.db", WEB_CONCURRENCY="1")
        service.make_token(*SCOPES)
        service.start()
        stack.callback(service.stop)
        size = _fill(service)
        bare = Service(
            f"sqlite:///{folder}/bare.db",
            WEB_CONCURRENCY="1",
            **{_FEED_URL: service.url + FEED},
        )
        bare.start(Path(os.devnull), *BARE)
        stack.callback(bare.stop)
        kinds = _requests(service)
        for _ in range(ROUNDS):
            for kind, headers in kinds.items():
                for name, server in (("service", service), ("bare", bare)):
                    rate = _measure(server, headers)
                    rates.setdefault((kind, name), []).append(rate)
    print(f"\nCached responses a second of CPU time, a feed of {size:,} bytes\n")
    print("| | asgi | bare function, gthread | ratio | bar | |")
    print("|---|---|---|---|---|---|")
    for kind in kinds:
        hot = statistics.median(rates[kind, "service"])
        reference = statistics.median(rates[kind, "bare"])
        ratio = hot / reference
        verdict = "holds" if ratio >= MIN_RATIO else "missed"
        print(
            f"| {kind} | {hot:,.0f} | {reference:,.0f} "
            f"| {ratio:.1f} | {MIN_RATIO} | {verdict} |"
        )


def bare(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the service's own responses, as the shortest WSGI application can."""
    status, headers, body = _response_of_service(
        environ.get("HTTP_ACCEPT_ENCODING", "identity"),
        environ.get("HTTP_IF_NONE_MATCH", ""),
    )
    start_response(status, headers)
    return [body]


@cache
def _response_of_service(
    coding: str, tag: str
) -> tuple[str, list[tuple[str, str]], bytes]:
    request_headers = {"Accept-Encoding": coding, "If-None-Match": tag}
    url = os.environ[_FEED_URL]
    response = requests.get(url, headers=request_headers, stream=True, timeout=10)
    servers_own = ("server", "date")
    headers = [
        (name, value)
        for name, value in response.headers.items()
        if name not in servers_own
    ]
    return f"{response.status_code} {response.reason}", headers, response.raw.read()


def _fill(service: Service) -> int:
    """Publish entries, and return the feed's size when its headers stay the same."""
    for number in range(ENTRIES):
        entry = {"title": f"Bài {number}", "content_html": BODY}
        assert service.request("PUT", f"/api/v1/articles/{number}", entry).ok
    wait_until(lambda: "Last-Modified" in service.request("GET", FEED).headers)
    return len(service.request("GET", FEED).content)


def _requests(service: Service) -> dict[str, dict[str, str]]:
    """Return the headers of each kind of request, such as feed readers send."""
    usual = {"Host": "feeds.example", "User-Agent": "bench/1.0", "Accept": "*/*"}
    coded = {**usual, "Accept-Encoding": "gzip"}
    response = requests.get(service.url + FEED, headers=coded, timeout=10)
    conditional = {**coded, "If-None-Match": response.headers["ETag"]}
    return {"identity": usual, "gzip": coded, "304": conditional}


def _measure(service: Service, headers: dict[str, str]) -> float:
    """Return the responses a second of the worker's CPU time."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    request = "\r\n".join([f"GET {FEED} HTTP/1.1", *lines, "", ""]).encode()
    connections = [
        socket.create_connection(("127.0.0.1", service.port))
        for _ in range(CONNECTIONS)
    ]
    size = _response_size(connections[0], request)
    buffer = bytearray(size)
    (worker,) = service.workers()
    count = 0
    begin = _cpu_seconds(worker)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            assert connection.recv_into(buffer, size, socket.MSG_WAITALL) == size
        assert buffer.startswith(b"HTTP/1.1 ")
        count += CONNECTIONS
    seconds = _cpu_seconds(worker) - begin
    for connection in connections:
        connection.close()
    return count / seconds


def _response_size(connection: socket.socket, request: bytes) -> int:
    """Return the bytes of a response, which are the same for each request."""
    connection.sendall(request)
    connection.settimeout(0.3)
    size = 0
    try:
        while True:
            size += len(connection.recv(1 << 20))
    except TimeoutError:
        connection.settimeout(None)
        return size


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
