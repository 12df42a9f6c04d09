"""deploy/nginx.conf: validators, freshness, cache keys, limits, logs, slow clients."""

import gzip
import http.client
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import brotli
import pytest
import requests

from tests.conftest import CheckLimit
from tests.integration.nginx import NGINX, cache_keys, nginx
from tests.programs import send_raw
from tests.server import Service, read_project_file
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")

FEED = "/feeds/news.rss"
Pair = tuple[Service, str]
"""A service, and the URL of an nginx before it."""
DECODERS = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}


@contextmanager
def behind_nginx(folder: Path) -> Iterator[Pair]:
    """Start a service with one article, and nginx; yield its URL too."""
    service = Service(f"sqlite:///{folder}/feedsvc.db", WEB_CONCURRENCY="1")
    with service, nginx(folder, service.port) as url:
        put(service, "Một")
        yield service, url


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Pair]:
    with behind_nginx(tmp_path) as pair:
        yield pair


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both for tests that do not stop them, and need no empty cache."""
    with behind_nginx(tmp_path_factory.mktemp("nginx")) as pair:
        yield pair


@pytest.fixture
def service(shared: Pair) -> Service:
    return shared[0]


@pytest.fixture
def proxy(shared: Pair) -> str:
    return shared[1]


def put(service: Service, title: str) -> None:
    document = {"title": title, "content_text": "Nội dung. " * 100}
    service.put("/articles/a", document)


def named(headers: dict[str, str]) -> dict[str, str]:
    """Return headers whose names have `_` instead of `-`."""
    return {name.replace("_", "-"): headers[name] for name in headers}


def get(url: str, **headers: str) -> requests.Response:
    sent = {"Accept-Encoding": "identity", **named(headers)}
    return requests.get(url, headers=sent, timeout=10)


def get_raw(proxy: str, target: str, **headers: str) -> tuple[int, bytes]:
    """Send a target as it is, while `requests` would normalize it."""
    status, _, body = send_raw(proxy, "GET", target, named(headers))
    return status, body


def test_every_coding_is_served_and_revalidated(proxy: str, service: Service) -> None:
    plain = get(service.url + FEED)
    ids = set()
    for asked, coding in (
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0,deflate;q=0.6,identity;q=0.3", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("identity", None),
        ("nonsense", None),
    ):
        status, body = get_raw(proxy, FEED, Accept_Encoding=asked)
        assert DECODERS[coding](body) == plain.content
        answer = get(proxy + FEED, Accept_Encoding=asked)
        assert status == 200
        assert answer.headers.get("Content-Encoding") == coding, asked
        assert answer.headers["Vary"] == "Accept-Encoding"
        lifetime = answer.headers["Cache-Control"]
        assert lifetime == plain.headers["Cache-Control"]
        etag = answer.headers["ETag"]
        again = get(proxy + FEED, Accept_Encoding=asked, If_None_Match=etag)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == etag
        ids |= {answer.headers["X-Request-ID"], again.headers["X-Request-ID"]}
    assert len(ids) == 10, "each response has an id of its own"
    assert requests.head(proxy + FEED, timeout=10).headers["Content-Length"]


@pytest.mark.parametrize("path", ["/static/style.css", "/entries/a", "/api/v1/changes"])
def test_what_nginx_compresses_is_revalidated(proxy: str, path: str) -> None:
    answer = get(proxy + path, Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    etag = answer.headers["ETag"]
    again = get(proxy + path, Accept_Encoding="gzip", If_None_Match=etag)
    assert again.status_code == 304


def test_instances_are_asked_again_at_once_after_a_failure(tmp_path: Path) -> None:
    service = Service(f"sqlite:///{tmp_path}/feedsvc.db", WEB_CONCURRENCY="1")
    # nginx never gives up the only server of an upstream.
    with service, nginx(tmp_path, service.port, service.port) as url:
        service.stop()
        for _ in range(4):
            assert requests.get(f"{url}/healthz").status_code == 502
        service.start()
        assert requests.get(f"{url}/healthz").status_code == 200


@pytest.mark.parametrize("name", ["lang", "ui", "q"])
def test_long_url_is_no_failure_of_the_service(proxy: str, name: str) -> None:
    # nginx would send nothing to an instance that it takes for failing.
    for length in range(2000, 7000, 1000):
        for path in ("/", "/feeds/news.html", "/entries/a"):
            answer = requests.get(f"{proxy}{path}?{name}={'e' * length}")
            assert answer.status_code < 500, (path, length)


def test_parameters_are_forwarded(proxy: str, service: Service) -> None:
    assert "<item>" not in get(f"{proxy}{FEED}?q=khong").text
    draft = {"title": "Nháp", "status": "draft"}
    stored = service.request("PUT", "/api/v1/articles/draft", draft).json()
    preview = stored["preview_url"].replace(service.url, proxy)
    assert "Nháp" in get(preview).text
    assert get(f"{proxy}/entries/draft").status_code == 404


@pytest.mark.parametrize("path", [FEED, "/api/v1/changes", "/api/v1/categories"])
def test_scripts_of_other_sites_may_read(proxy: str, path: str) -> None:
    preflight = requests.options(proxy + path, timeout=10)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Headers"] == "If-None-Match"
    first, again = get(proxy + path), get(proxy + path)
    etag = first.headers["ETag"]
    unchanged = get(proxy + path, If_None_Match=etag)
    missing = get(proxy + path.replace("news", "none") + "?limit=x")
    responses = [first, again, unchanged, missing]
    statuses = [response.status_code for response in responses]
    assert statuses[:3] == [200, 200, 304]
    for response in (preflight, *responses):
        # A repeated header would be “*, *”, which browsers refuse.
        assert response.headers["Access-Control-Allow-Origin"] == "*"
    for response in responses:
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert exposed == "ETag, Link"


@pytest.mark.bar
def test_write_is_visible_within_three_seconds(
    proxy: str, service: Service, check_limit: CheckLimit
) -> None:
    get(proxy + FEED)
    put(service, "Hai")
    written = time.monotonic()
    wait_until(lambda: "Hai" in get(proxy + FEED).text)
    seconds = time.monotonic() - written
    check_limit("from a write to the feed behind nginx", seconds, 3)


def test_cache_keys_are_bounded_and_cannot_be_poisoned(
    own: Pair, tmp_path: Path
) -> None:
    service, proxy = own
    feed = get(proxy + FEED).content
    queries = "x=1 x=2&y=%26limit%3D1 %6cimit=1 limit limit= && a;b ?limit=1"
    for query in queries.split():
        assert get_raw(proxy, f"{FEED}?{query}") == (200, feed), query
    for path in ("/feeds/%6Eews.rss", "//feeds/x/../news.rss"):
        assert get_raw(proxy, path) == (200, feed), path
    assert get_raw(proxy, "/feeds/news/a%0d%0aX:b.rss")[0] == 400
    assert get(f"{proxy}{FEED}?limit=1&x=1").ok
    assert get(f"{proxy}{FEED}?limit=0").status_code == 400
    assert get(f"{proxy}/feeds/news/nix.rss").status_code == 404
    token = f"Bearer {service.token}"
    for path in ("articles/a", "categories", "changes"):
        assert get(f"{proxy}/api/v1/{path}", Authorization=token).ok
    assert get(f"{proxy}/readyz").ok
    assert get(f"{proxy}/api/v1/articles/a").status_code == 401
    missing = "identity  /feeds/news/nix.rss"
    feeds = {f"identity  {FEED}", f"identity &limit=1 {FEED}"}
    assert cache_keys(tmp_path) - {missing} == feeds


def test_stale_feeds_but_no_deleted_entry_are_served_during_an_outage(
    own: Pair,
) -> None:
    """After a 410, no variant of the page is served."""
    service, proxy = own
    url = f"{proxy}/entries/a"
    codings = ("identity", "gzip", "br")
    for coding, query in product(codings, ("", "?ui=en", "?x=1")):
        answer = get(url + query, Accept_Encoding=coding)
        assert (answer.status_code, "Một" in answer.text) == (200, True)
    assert service.request("DELETE", "/api/v1/articles/a").ok
    wait_until(lambda: get(url).status_code == 410)
    answer = get(url)
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert answer.headers["Content-Type"].startswith("text/html")
    wait_until(lambda: "Một" not in get(proxy + FEED).text)
    feed = get(proxy + FEED).content
    service.kill()
    time.sleep(2.2)
    for coding in codings:
        for query, status in (("", 410), ("?x=1", 410), ("?ui=en", 502)):
            answer = get(url + query, Accept_Encoding=coding)
            assert answer.status_code == status, (coding, query)
    assert get(proxy + FEED).content == feed
    assert get(proxy + "/feeds/news.atom").status_code == 502
    service.start()
    service.put("/articles/b", {"title": "Hai"})
    wait_until(lambda: "Hai" in get(proxy + FEED).text)


def test_api_is_rate_limited_and_feeds_are_not(own: Pair) -> None:
    _, proxy = own

    def responses(
        path: str,
    ) -> dict[int, tuple[http.client.HTTPMessage, bytes]]:
        """Send many requests at once; return headers and a body by status."""
        by_status = {}
        host = proxy.removeprefix("http://")
        clients = [http.client.HTTPConnection(host, timeout=60) for _ in range(500)]
        # If each request waited for the response to the one before, a busy machine
        # might send fewer in a second than are allowed.
        for client in clients:
            client.request("GET", path)
        for client in clients:
            response = client.getresponse()
            by_status[response.status] = response.headers, response.read()
            client.close()
        return by_status

    assert set(responses(FEED)) == {200}
    assert set(responses("/entries/a")) == {200}
    headers, body = responses("/api/v1/categories")[429]
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Retry-After"] == "1"
    assert json.loads(body)["status"] == 429
    assert get(proxy + FEED).status_code == 200


def test_access_log_has_no_token(own: Pair, tmp_path: Path) -> None:
    service, proxy = own
    token = service.token
    spelt = token.replace("_", "%5F")
    for value in (token, spelt, "%66" + token[1:], spelt.replace("%", "%25")):
        path = f"/feeds/{value}.rss?token={value}"
        referrer = f"https://a.example/{value}"
        get_raw(proxy, path, Referer=referrer, User_Agent=f"x {value}")
    referrer = f"https://a.example/tin?token={token}#x"
    path = f"{FEED}?token={token}"
    get_raw(proxy, path, Referer=referrer, User_Agent="newsboat/2.3")
    log = tmp_path / "access.log"
    wait_until(lambda: "newsboat" in log.read_text())
    text = log.read_text()
    assert token[4:] not in text
    line = next(line for line in text.splitlines() if "newsboat" in line)
    assert re.search(
        rf'^127\.0\.0\.1 \[[^]]+\] "GET {FEED} HTTP/1\.1" 200 \d+ [\d.]+s '
        r'"https://a\.example/tin" "newsboat/2\.3" [0-9a-f]{32} [A-Z]+$',
        line,
    ), line


def test_documented_command_counts_subscribers(own: Pair, tmp_path: Path) -> None:
    _, proxy = own
    for agent in ("Feedly/1.0 (12 subscribers; x)", "newsboat/2.3"):
        for path in (FEED, FEED, f"{FEED}?limit=1", "/feeds/x.rss", "/"):
            get_raw(proxy, path, User_Agent=agent)
    text = read_project_file("docs/operating.md")
    (command,) = re.findall(r"^    (awk .*?)\n\n", text, re.DOTALL | re.M)
    command = command.replace("/var/log/nginx", str(tmp_path))
    log = tmp_path / "access.log"
    # And one line of the probe.
    wait_until(lambda: len(log.read_text().splitlines()) == 11)
    counts = subprocess.check_output(command, shell=True, text=True)
    assert counts == f"13 {FEED}\n"
