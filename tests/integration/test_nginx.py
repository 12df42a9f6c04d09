"""deploy/nginx.conf: validators, freshness, cache keys, limits, logs, slow clients."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import brotli
import pytest
import requests

from feedsvc.feeds.query import PARAMETERS
from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.integration.nginx import NGINX, cache_keys, nginx
from tests.server import Service
from tests.waiting import wait_until

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
    with nginx(tmp_path, seeded_service.port) as url:
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
    with nginx(tmp_path_factory.mktemp("proxy"), shared_service.port) as url:
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
        again = requests.get(
            shared_proxy + FEED,
            headers={
                "Accept-Encoding": asked,
                "If-None-Match": answer.headers["ETag"],
            },
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


def test_files_are_compressed(shared_proxy: str) -> None:
    answer = requests.get(f"{shared_proxy}/static/style.css", timeout=10)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"


def test_parameters_are_forwarded(shared_proxy: str, shared_service: Service) -> None:
    for name in PARAMETERS:
        url = f"{shared_proxy}/feeds/events.html?x=1&{name}=***"
        response = requests.get(url, timeout=10)
        # A search of punctuation alone is none.
        if name != "q":
            assert response.status_code == 400, name
    for _ in range(2):
        search = f"{shared_proxy}{FEED}?q=khong"
        assert "<item>" not in requests.get(search, timeout=10).text
        archive = f"{shared_proxy}{FEED}?archive=2026-11"
        assert requests.get(archive, timeout=10).status_code == 410
    draft = {"title": "Nháp", "status": "draft"}
    stored = shared_service.request("PUT", "/api/v1/articles/draft", draft).json()
    preview = stored["preview_url"].replace(shared_service.url, shared_proxy)
    assert "Nháp" in requests.get(preview, timeout=10).text
    page = requests.get(f"{shared_proxy}/entries/draft", timeout=10)
    assert page.status_code == 404


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
    wait_until(lambda: requests.get(proxy + FEED, timeout=10).content != whole)
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
        feed = _raw(proxy, f"{FEED}?{query}")
        assert feed == requests.get(proxy + FEED, timeout=10).content != whole, query
    assert (
        _raw(proxy, "/feeds/%6Eews.rss") == _raw(proxy, "//feeds/x/../news.rss") == feed
    )
    assert requests.get(f"{proxy}{FEED}?limit=1&x=1", timeout=10).ok
    assert requests.get(f"{proxy}{FEED}?limit=0", timeout=10).status_code == 400
    assert requests.get(f"{proxy}/feeds/news/nix.rss", timeout=10).status_code == 404
    _raw(proxy, "/feeds/news/a%0d%0aX:b.rss", 400)
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
    """After a 410, no variant of the page is served, even while the service is away."""
    for coding in ("identity", "gzip", "br"):
        for query in ("", "?ui=en", "?x=1"):
            answer = requests.get(
                f"{proxy}/entries/a{query}",
                headers={"Accept-Encoding": coding},
                timeout=10,
            )
            assert (answer.status_code, "Một" in answer.text) == (200, True)
    assert seeded_service.request("DELETE", "/api/v1/articles/a").status_code == 204
    url = f"{proxy}/entries/a"
    wait_until(lambda: requests.get(url, timeout=10).status_code == 410)
    answer = requests.get(url, timeout=10)
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


def test_api_is_rate_limited_and_feeds_are_not(proxy: str) -> None:
    def responses(path: str) -> dict[int, tuple[http.client.HTTPMessage, bytes]]:
        """Send many requests; return headers and a body by status."""
        # A client that does more, such as `requests`, may be slower than the limit.
        host, port = proxy.removeprefix("http://").split(":")
        by_status = {}
        with closing(http.client.HTTPConnection(host, int(port), timeout=10)) as client:
            for _ in range(600):
                client.request("GET", path)
                response = client.getresponse()
                by_status[response.status] = response.headers, response.read()
        return by_status

    assert set(responses(FEED)) == {200}
    assert set(responses("/entries/a")) == {200}
    headers, body = responses("/api/v1/categories")[429]
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Retry-After"] == "1"
    assert json.loads(body)["status"] == 429
    assert requests.get(proxy + FEED, timeout=10).status_code == 200


def test_access_log_has_no_token(
    proxy: str, seeded_service: Service, tmp_path: Path
) -> None:
    token = seeded_service.token
    spelt = token.replace("_", "%5F")
    for value in (token, spelt, "%66" + token[1:], spelt.replace("%", "%25")):
        headers = {"Referer": f"https://a.example/{value}", "User-Agent": f"x {value}"}
        _get(proxy, f"/feeds/{value}.rss?token={value}", headers)
    referrer = f"https://a.example/tin?token={token}#x"
    headers = {"Referer": referrer, "User-Agent": "newsboat/2.3"}
    _get(proxy, f"{FEED}?token={token}", headers)
    log = tmp_path / "access.log"
    wait_until(lambda: len(log.read_text().splitlines()) >= 6)
    text = log.read_text()
    assert token[4:] not in text
    line = next(line for line in text.splitlines() if "newsboat" in line)
    assert re.search(
        rf'^127\.0\.0\.1 \[[^]]+\] "GET {FEED} HTTP/1\.1" 200 \d+ [\d.]+s '
        r'"https://a\.example/tin" "newsboat/2\.3" [0-9a-f]{32} [A-Z]+$',
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
    wait_until(lambda: "Hai" in requests.get(proxy + FEED, timeout=10).text)
