"""deploy/nginx.conf: validators, freshness, cache keys, limits, logs, slow clients."""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import brotli
import pytest
import requests

from feedsvc.feed_query import PARAMETERS
from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.integration.nginx import NGINX, cache_keys, nginx
from tests.server import ROOT, Service
from tests.test_feed_query import VALUES, query_string

pytestmark = [
    pytest.mark.sqlite,
    pytest.mark.skipif(not NGINX, reason="nginx is not installed"),
]

FEED = "/feeds/news.rss"


@pytest.fixture
def seeded_service(database_url: str) -> Iterator[Service]:
    service = Service(database_url, WEB_CONCURRENCY="1")
    service.start()
    service.make_token(*SCOPES)
    _put(service, "Một")
    yield service
    service.stop()


@pytest.fixture
def proxy(seeded_service: Service, tmp_path: Path) -> Iterator[str]:
    """The URL of an nginx before the service, both of the test's own."""
    with nginx(tmp_path, seeded_service.port) as (url, _):
        yield url


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for tests that do not stop it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('nginx')}/feedsvc.db"
    service = Service(url, WEB_CONCURRENCY="1")
    service.start()
    service.make_token(*SCOPES)
    _put(service, "Một")
    yield service
    service.stop()


@pytest.fixture(scope="module")
def shared_proxy(
    shared_service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of an nginx for tests that need no empty cache."""
    with nginx(tmp_path_factory.mktemp("proxy"), shared_service.port) as (url, _):
        yield url


def _put(service: Service, title: str) -> None:
    document = {"title": title, "content_text": "Nội dung. " * 100}
    assert service.request("PUT", "/api/v1/articles/a", document).ok


def _raw(proxy: str, target: str, status: int = 200) -> bytes:
    """Return the response to a target, which `requests` would normalize."""
    connection = http.client.HTTPConnection(proxy.removeprefix("http://"), timeout=10)
    connection.request("GET", target, headers={"Accept-Encoding": "identity"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == status, (target, body)
    return body


def test_every_coding_is_served_and_revalidated(
    shared_proxy: str, shared_service: Service
) -> None:
    time.sleep(2.2)
    plain = requests.get(
        shared_service.url + FEED, headers={"Accept-Encoding": "identity"}, timeout=10
    )
    for asked, coding in (
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0,deflate;q=0.6,identity;q=0.3", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.0,zstd", "zstd"),
        ("identity", None),
        ("nonsense", None),
    ):
        for _ in range(2):
            answer = requests.get(
                shared_proxy + FEED,
                headers={"Accept-Encoding": asked},
                timeout=10,
                stream=True,
            )
            assert answer.headers.get("Content-Encoding") == coding, asked
            body = answer.raw.read(decode_content=False)
            unpack = {
                "br": brotli.decompress,
                "gzip": gzip.decompress,
                None: bytes,
            }.get(coding)
            assert unpack is None or unpack(body) == plain.content
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Cache-Control"] == plain.headers["Cache-Control"]
        for condition in (
            {"If-None-Match": answer.headers["ETag"]},
            {"If-Modified-Since": answer.headers["Last-Modified"]},
        ):
            again = requests.get(
                shared_proxy + FEED,
                headers={"Accept-Encoding": asked, **condition},
                timeout=10,
            )
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["ETag"] == answer.headers["ETag"]
    assert requests.head(shared_proxy + FEED, timeout=10).headers["Content-Length"]
    ids = {
        requests.get(shared_proxy + FEED, timeout=10).headers["X-Request-ID"]
        for _ in range(3)
    }
    assert len(ids) == 3


def test_parameters_of_feeds_are_forwarded(shared_proxy: str) -> None:
    text = (ROOT / "deploy/nginx.conf").read_text("utf-8")
    assert set(re.findall(r"\$arg_(\w+) \$", text)) == set(PARAMETERS)
    for name, values in VALUES.items():
        query = query_string(name)
        url = f"{shared_proxy}/feeds/events.{values.format}?x=1&{query}"
        response = requests.get(url, timeout=10)
        assert f"/feeds/events.{values.format}?{query}>" in response.headers["Link"]


@pytest.mark.bar
def test_write_is_visible_within_three_seconds(
    shared_proxy: str,
    shared_service: Service,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    delays = []
    for turn in range(2):
        requests.get(shared_proxy + FEED, timeout=10)
        _put(shared_service, f"Lần {turn}")
        written = time.monotonic()
        while f"Lần {turn}" not in requests.get(shared_proxy + FEED, timeout=10).text:
            assert time.monotonic() < written + 3 * time_factor
            time.sleep(0.02)
        delays.append(time.monotonic() - written)
        while time.monotonic() < written + 3:  # and it stays
            time.sleep(0.2)
        assert f"Lần {turn}" in requests.get(shared_proxy + FEED, timeout=10).text
    record_measurement(
        "from a write to the feed behind nginx", f"{max(delays):.2f} s", "3 s"
    )


def test_cache_keys_are_bounded_and_cannot_be_poisoned(
    proxy: str, seeded_service: Service, tmp_path: Path
) -> None:
    whole = requests.get(proxy + FEED, timeout=10).content
    _put(seeded_service, "Hai")
    time.sleep(2.2)
    for query in (
        "x=1",
        "x=2&y=%26limit%3D1",
        "%6cimit=1",
        "limit",
        "limit=",
        "&&",
        "a;b",
        "?limit=1",
    ):
        found = _raw(proxy, f"{FEED}?{query}")
        assert found == requests.get(proxy + FEED, timeout=10).content != whole, query
    assert (
        _raw(proxy, "/feeds/%6Eews.rss")
        == _raw(proxy, "//feeds/x/../news.rss")
        == found
    )
    assert requests.get(f"{proxy}{FEED}?limit=1&x=1", timeout=10).ok
    assert requests.get(f"{proxy}{FEED}?limit=0", timeout=10).status_code == 400
    assert requests.get(f"{proxy}/feeds/news/nix.rss", timeout=10).status_code == 404
    assert b"Bad request" in _raw(proxy, "/feeds/news/a%0d%0aX:b.rss", 400)
    missing = "identity  /feeds/news/nix.rss", "br  /feeds/news/nix.rss"
    feeds = {f"identity  {FEED}", f"br  {FEED}", f"br &limit=1 {FEED}"}
    assert cache_keys(tmp_path) - set(missing) == feeds
    headers = {"Authorization": f"Bearer {seeded_service.token}"}
    for path in (
        "/api/v1/articles/a",
        "/api/v1/categories",
        "/api/v1/changes",
        "/readyz",
    ):
        assert requests.get(proxy + path, headers=headers, timeout=10).ok
    assert requests.get(proxy + "/api/v1/articles/a", timeout=10).status_code == 401
    document = {"title": "Ba"}
    assert requests.put(
        f"{proxy}/api/v1/articles/a", json=document, headers=headers, timeout=10
    ).ok
    assert (
        requests.get(proxy + "/api/v1/articles/a", headers=headers, timeout=10).json()[
            "title"
        ]
        == "Ba"
    )
    assert cache_keys(tmp_path) - set(missing) == feeds


def test_deleted_entry_is_not_answered_from_the_cache(
    proxy: str, seeded_service: Service
) -> None:
    """Once nginx has answered 410, no variant of the page comes back, also while the service is away."""
    for coding in ("identity", "gzip", "br"):
        for query in ("", "?ui=en", "?x=1"):
            answer = requests.get(
                f"{proxy}/entries/a{query}",
                headers={"Accept-Encoding": coding},
                timeout=10,
            )
            assert (answer.status_code, "Một" in answer.text) == (200, True)
    assert seeded_service.request("DELETE", "/api/v1/articles/a").status_code == 204
    end = time.monotonic() + 30
    while (answer := requests.get(proxy + "/entries/a", timeout=10)).status_code != 410:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert answer.headers["Content-Type"].startswith("text/html")
    seeded_service.stop()
    time.sleep(2.2)
    for coding in ("identity", "gzip", "br"):
        headers = {"Accept-Encoding": coding}
        assert (
            requests.get(proxy + "/entries/a", headers=headers, timeout=10).status_code
            == 410
        )
        assert (
            requests.get(
                proxy + "/entries/a?x=1", headers=headers, timeout=10
            ).status_code
            == 410
        )
        assert (
            requests.get(
                proxy + "/entries/a?ui=en", headers=headers, timeout=10
            ).status_code
            == 502
        )


def test_restored_entry_replaces_its_410(
    shared_proxy: str, shared_service: Service
) -> None:
    assert shared_service.request("DELETE", "/api/v1/articles/a").status_code == 204
    assert requests.get(shared_proxy + "/entries/a", timeout=10).status_code == 410
    _put(shared_service, "Một")
    end = time.monotonic() + 30
    while requests.get(shared_proxy + "/entries/a", timeout=10).status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_similar_urls_have_their_own_cache_keys(shared_proxy: str) -> None:
    for _ in range(2):
        _raw(shared_proxy, f"{FEED}%3F&limit=5", 404)
        _raw(shared_proxy, f"{FEED}?limit=5", 200)
        _raw(shared_proxy, f"/feeds/%26limit=5%20{FEED}", 404)


def test_entry_page_is_compressed_and_revalidates(shared_proxy: str) -> None:
    for seconds in (0, 2.2):  # after two, nginx asks the service again
        time.sleep(seconds)
        answer = requests.get(
            shared_proxy + "/entries/a", headers={"Accept-Encoding": "gzip"}, timeout=10
        )
        assert answer.headers["Content-Encoding"] == "gzip"
        headers = {"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]}
        assert (
            requests.get(
                shared_proxy + "/entries/a", headers=headers, timeout=10
            ).status_code
            == 304
        )


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/feeds/news.rss", 16 << 10),
        ("/api/v1/articles", 8 << 20),
    ],
)
def test_bodies_are_limited(shared_proxy: str, path: str, allowed: int) -> None:
    """The size is refused by the head alone; one that is allowed waits for the body."""
    host, _, port = shared_proxy.removeprefix("http://").partition(":")
    for length, refused in ((allowed, False), (allowed + 1, True)):
        with socket.create_connection((host, int(port)), 10) as client:
            client.sendall(
                f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n".encode()
            )
            if refused:
                answer = client.recv(65536)
                assert answer.startswith(b"HTTP/1.1 413 ")
                assert (b"application/problem+json" in answer) == path.startswith(
                    "/api/"
                )
            else:
                client.settimeout(0.5)
                with pytest.raises(TimeoutError):
                    client.recv(1)


def test_api_is_rate_limited_and_feeds_are_not(proxy: str) -> None:
    def statuses(path: str) -> set[int]:
        # A client that does more, such as `requests`, may be slower than the limit.
        host, port = proxy.removeprefix("http://").split(":")
        found = set()
        with closing(http.client.HTTPConnection(host, int(port), timeout=10)) as client:
            for _ in range(600):
                client.request("GET", path)
                response = client.getresponse()
                response.read()
                found.add(response.status)
        return found

    assert statuses(FEED) == {200}
    assert statuses("/entries/a") == {200}
    assert 429 in statuses("/api/v1/categories")
    while (
        answer := requests.get(proxy + "/api/v1/categories", timeout=10)
    ).status_code != 429:
        pass
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["status"] == 429
    assert requests.get(proxy + FEED, timeout=10).status_code == 200


def test_greedy_polls_are_limited_where_switched_on(
    shared_service: Service, tmp_path: Path
) -> None:
    """Above 60 polls without validators of a feed by an address and a program."""
    etag = requests.get(shared_service.url + FEED, timeout=10).headers["ETag"]
    with (
        nginx(tmp_path, shared_service.port, limits_polls=True) as (url, _),
        requests.Session() as session,
    ):

        def poll(path: str = FEED, agent: str = "greedy", **headers: str) -> int:
            headers["User-Agent"] = agent
            return session.get(url + path, headers=headers, timeout=10).status_code

        assert [poll() for _ in range(61)] == [200] * 60 + [429]
        refused = session.get(url + FEED, headers={"User-Agent": "greedy"}, timeout=10)
        assert refused.headers["Retry-After"] == "60"
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["status"] == 429
        assert poll(f"{FEED}?x=1") == 429
        # Others: conditional requests, programs, feeds and pages.
        for _ in range(70):
            assert poll(**{"If-None-Match": etag}) == 304
            assert poll("/feeds/news.html") == 200
        assert poll(agent="other") == 200
        assert poll("/feeds/news.atom") == 200
        assert poll(f"{FEED}?limit=5") == 200


def test_access_log_serves_statistics_and_has_no_token(
    proxy: str, seeded_service: Service, tmp_path: Path
) -> None:
    token = seeded_service.token
    spelt = token.replace("_", "%5F")
    hidden = "%66" + token[1:]
    for value in (token, spelt, hidden, spelt.replace("%", "%25")):
        headers = {"Referer": f"https://a.example/{value}", "User-Agent": f"x {value}"}
        _get(proxy, f"/feeds/{value}.rss?token={value}", headers)
    etag = {"If-None-Match": '"a;b"'}
    date = {"If-Modified-Since": "Thu, 26 Nov 2026 12:00:30 GMT"}
    conditions = {"etag": etag, "date": date, "etag+date": etag | date}
    for name, validators in conditions.items():
        _get(proxy, FEED, {"User-Agent": f"sends {name}", **validators})
    headers = {
        "Referer": f"https://a.example/tin?token={token}#x",
        "User-Agent": "newsboat/2.3",
    }
    _get(proxy, f"{FEED}?token={token}", headers)
    end = time.monotonic() + 30
    log = tmp_path / "access.log"
    while len((text := log.read_text()).splitlines()) < 9:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert token[4:] not in text
    logged = dict(re.findall(r'"sends (\S+)" (\S+) ', text))
    assert logged == {name: name for name in conditions}
    line = next(line for line in text.splitlines() if "newsboat" in line)
    assert re.search(
        rf'^127\.0\.0\.1 \[[^]]+\] "GET {FEED} HTTP/1\.1" 200 \d+ [\d.]+s '
        r'"https://a\.example/tin" "newsboat/2\.3" - [0-9a-f]{32} [A-Z]+$',
        line,
    ), line


def _get(proxy: str, target: str, headers: dict[str, str]) -> None:
    """Send a target as it is."""
    connection = http.client.HTTPConnection(proxy.removeprefix("http://"), timeout=10)
    connection.request("GET", target, headers=headers)
    connection.getresponse().read()
    connection.close()


def test_stale_responses_only_on_errors(proxy: str, seeded_service: Service) -> None:
    first = requests.get(proxy + FEED, timeout=10)
    seeded_service.stop()
    time.sleep(1.5)
    assert requests.get(proxy + FEED, timeout=10).content == first.content
    assert requests.get(proxy + "/feeds/news.atom", timeout=10).status_code == 502
    seeded_service.start()
    _put(seeded_service, "Hai")
    time.sleep(2.2)
    assert "Hai" in requests.get(proxy + FEED, timeout=10).text


class Names(threading.Thread):
    """A DNS server that answers every question with one address, which can change."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.address = address
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                question, client = self.socket.recvfrom(512)
            except OSError:
                return
            head = question[:2] + bytes.fromhex("8180 0001 0001 0000 0000")
            record = bytes.fromhex("c00c 0001 0001 00000e10 0004") + socket.inet_aton(
                self.address
            )
            self.socket.sendto(head + question[12:] + record, client)


def test_service_is_found_at_a_new_address(database_url: str, tmp_path: Path) -> None:
    """With the upstream of deploy/compose.yaml, but for the resolver's address and the port."""
    names = Names("127.0.0.1")
    names.start()
    service = Service(database_url, WEB_CONCURRENCY="1")
    service.start()
    upstream = (ROOT / "deploy/upstream-compose.conf").read_text("utf-8")
    for old, new in (
        ("127.0.0.11", f"127.0.0.1:{names.port}"),
        ("feedsvc:8000", f"feedsvc:{service.port}"),
    ):
        assert old in upstream
        upstream = upstream.replace(old, new)
    try:
        with nginx(tmp_path, service.port, upstream=upstream) as (url, _):
            assert requests.get(url + "/healthz", timeout=10).status_code == 200
            service.stop()
            assert requests.get(url + "/healthz", timeout=10).status_code == 502
            names.address = service.environ["HOST"] = "127.0.0.2"
            service.url = f"http://127.0.0.2:{service.port}"
            service.start()
            end = time.monotonic() + 30
            while not requests.get(url + "/healthz", timeout=10).ok:
                assert time.monotonic() < end
                time.sleep(0.05)
    finally:
        service.stop()
        names.socket.close()


@pytest.mark.parametrize("clients", [60, pytest.param(500, marks=pytest.mark.soak)])
def test_slow_clients_delay_nobody_behind_the_proxy(
    shared_proxy: str,
    shared_service: Service,
    clients: int,
    record_measurement: RecordMeasurement,
) -> None:
    """Half heads, half bodies and slow readers by the dozen: the service sees none of them."""
    port, slow = int(shared_proxy.rpartition(":")[2]), []
    head = f"PUT /api/v1/articles/b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shared_service.token}\r\n"
    for said, count in (
        ("GET / HTTP/1.1\r\nHo", clients),
        # Of more, nginx would refuse the requests below: it limits those to the API.
        (f"{head}Content-Length: 100000\r\n\r\n{{", 60),
        (f"GET {FEED} HTTP/1.1\r\nHost: x\r\n\r\n", clients),
    ):
        for _ in range(count):
            slow.append(socket.create_connection(("127.0.0.1", port)))
            slow[-1].sendall(said.encode())
    late = []
    for number in range(40):
        begun = time.monotonic()
        path = FEED if number % 2 else "/api/v1/articles/a"
        headers = {"Authorization": f"Bearer {shared_service.token}"}
        assert requests.get(shared_proxy + path, headers=headers, timeout=10).ok
        late.append(time.monotonic() - begun)
    for client in slow:
        client.close()
    within = sum(seconds <= 1 for seconds in late) / len(late)
    record_measurement(
        f"probes within 1 s beside {len(slow)} slow clients of nginx",
        f"{within:.1%} of {len(late)}",
        "99 %",
    )
    assert within == 1
