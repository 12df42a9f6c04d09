"""Through deploy/nginx.conf: validators, freshness, bounded keys, stale only on error, and slow clients."""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
import requests

from feedsvc.model import SCOPES
from feedsvc.query import PARAMETERS
from tests.conftest import Figure
from tests.journeys.front import NGINX, kept, nginx
from tests.service import ROOT, Service

pytestmark = [pytest.mark.sqlite, pytest.mark.skipif(not NGINX, reason="nginx is not installed")]

FEED = "/feeds/news.rss"


@pytest.fixture
def filled(service: Service) -> Service:
    service.make_token(*SCOPES)
    _put(service, "Một")
    return service


@pytest.fixture
def front(filled: Service, tmp_path: Path) -> Iterator[str]:
    with nginx(tmp_path, filled.port) as (url, _):
        yield url


def _put(service: Service, title: str) -> None:
    document = {"title": title, "content_text": "Nội dung. " * 100}
    assert service.request("PUT", "/api/v1/articles/a", document).ok


def _raw(front: str, target: str, status: int = 200) -> bytes:
    """What a target is answered that is sent as it is; requests would tidy it."""
    connection = http.client.HTTPConnection(front.removeprefix("http://"), timeout=10)
    connection.request("GET", target, headers={"Accept-Encoding": "identity"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == status, (target, body)
    return body


def test_variants_and_validators(front: str, filled: Service) -> None:
    time.sleep(2.2)
    plain = requests.get(filled.url + FEED, headers={"Accept-Encoding": "identity"}, timeout=10)
    for asked, coding in (
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0,deflate;q=0.6,identity;q=0.3", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.0,zstd", "zstd"),
        ("identity", None),
        ("nonsense", None),
    ):
        for _ in range(2):
            answer = requests.get(front + FEED, headers={"Accept-Encoding": asked}, timeout=10, stream=True)
            assert answer.headers.get("Content-Encoding") == coding, asked
            body = answer.raw.read(decode_content=False)
            unpack = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}.get(coding)
            assert unpack is None or unpack(body) == plain.content
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Cache-Control"] == plain.headers["Cache-Control"]
        for condition in (
            {"If-None-Match": answer.headers["ETag"]},
            {"If-Modified-Since": answer.headers["Last-Modified"]},
        ):
            again = requests.get(front + FEED, headers={"Accept-Encoding": asked, **condition}, timeout=10)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["ETag"] == answer.headers["ETag"]
    assert requests.head(front + FEED, timeout=10).headers["Content-Length"]
    ids = {requests.get(front + FEED, timeout=10).headers["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3


def test_parameters_that_feeds_have_are_passed_on(front: str) -> None:
    text = (ROOT / "deploy/nginx.conf").read_text("utf-8")
    assert set(re.findall(r"\$arg_(\w+) \$", text)) == set(PARAMETERS)
    for query in (
        "limit=1&content=summary",
        "when=all&date=start&x=1&order=start",
        "from=2026-11-01&to=2026-12-01",
    ):
        answer = requests.get(f"{front}/feeds/events.json?{query}", timeout=10)
        wanted = {item for item in query.split("&") if item != "x=1"}
        assert set(answer.json()["feed_url"].partition("?")[2].split("&")) == wanted
    form = requests.get(f"{front}/feeds/build?kind=news&format=rss", timeout=10, allow_redirects=False)
    assert (form.status_code, form.headers["Location"]) == (303, "news.rss")


def test_a_write_is_seen_within_three_seconds(front: str, filled: Service) -> None:
    for turn in range(4):
        requests.get(front + FEED, timeout=10)
        _put(filled, f"Lần {turn}")
        written = time.monotonic()
        while f"Lần {turn}" not in requests.get(front + FEED, timeout=10).text:
            assert time.monotonic() < written + 3
            time.sleep(0.02)
        while time.monotonic() < written + 3:  # and it stays
            time.sleep(0.2)
        assert f"Lần {turn}" in requests.get(front + FEED, timeout=10).text


def test_keys_are_bounded_and_nobody_poisons_them(front: str, filled: Service, tmp_path: Path) -> None:
    whole = requests.get(front + FEED, timeout=10).content
    _put(filled, "Hai")
    time.sleep(2.2)
    for query in ("x=1", "x=2&y=%26limit%3D1", "%6cimit=1", "limit", "limit=", "&&", "a;b", "?limit=1"):
        found = _raw(front, f"{FEED}?{query}")
        assert found == requests.get(front + FEED, timeout=10).content != whole, query
    assert _raw(front, "/feeds/%6Eews.rss") == _raw(front, "//feeds/x/../news.rss") == found
    assert requests.get(f"{front}{FEED}?limit=1&x=1", timeout=10).ok
    assert requests.get(f"{front}{FEED}?limit=0", timeout=10).status_code == 400
    assert requests.get(f"{front}/feeds/news/nix.rss", timeout=10).status_code == 404
    assert b"/problems/" in _raw(front, "/feeds/news/a%0d%0aX:b.rss", 400)
    assert kept(tmp_path) == {f"{FEED} identity", f"{FEED} br", f"{FEED}?&limit=1 br"}
    headers = {"Authorization": f"Bearer {filled.token}"}
    for path in ("/api/v1/articles/a", "/api/v1/categories", "/api/v1/changes", "/readyz"):
        assert requests.get(front + path, headers=headers, timeout=10).ok
    assert requests.get(front + "/api/v1/articles/a", timeout=10).status_code == 401
    document = {"title": "Ba"}
    assert requests.put(f"{front}/api/v1/articles/a", json=document, headers=headers, timeout=10).ok
    assert requests.get(front + "/api/v1/articles/a", headers=headers, timeout=10).json()["title"] == "Ba"
    assert len(kept(tmp_path)) == 3


def test_stale_only_on_error(front: str, filled: Service) -> None:
    first = requests.get(front + FEED, timeout=10)
    filled.stop()
    time.sleep(1.5)
    assert requests.get(front + FEED, timeout=10).content == first.content
    assert requests.get(front + "/feeds/news.atom", timeout=10).status_code == 502
    filled.start()
    _put(filled, "Hai")
    time.sleep(2.2)
    assert "Hai" in requests.get(front + FEED, timeout=10).text


@pytest.mark.parametrize("clients", [60, pytest.param(500, marks=pytest.mark.soak)])
def test_slow_clients_wait_at_the_front(front: str, filled: Service, clients: int, figure: Figure) -> None:
    """Half heads, half bodies and slow readers by the dozen: the service sees none of them."""
    port, slow = int(front.rpartition(":")[2]), []
    head = f"PUT /api/v1/articles/b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {filled.token}\r\n"
    for said in (
        "GET / HTTP/1.1\r\nHo",
        f"{head}Content-Length: 100000\r\n\r\n{{",
        f"GET {FEED} HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        for _ in range(clients):
            slow.append(socket.create_connection(("127.0.0.1", port)))
            slow[-1].sendall(said.encode())
    late = []
    for number in range(40):
        begun = time.monotonic()
        path = FEED if number % 2 else "/api/v1/articles/a"
        headers = {"Authorization": f"Bearer {filled.token}"}
        assert requests.get(front + path, headers=headers, timeout=10).ok
        late.append(time.monotonic() - begun)
    for client in slow:
        client.close()
    within = sum(seconds <= 1 for seconds in late) / len(late)
    figure(
        f"probes within 1 s beside {len(slow)} slow clients of nginx", f"{within:.1%} of {len(late)}", "99 %"
    )
    assert within == 1
