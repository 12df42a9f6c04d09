"""`check` finds each fault of a proxy, and nothing on the service and through nginx."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from feedsvc.cli import check as check_module
from feedsvc.cli.access_log.clients import identify
from feedsvc.cli.check import check as check_command
from feedsvc.cli.check import check_feed, list_feeds
from feedsvc.cli.feed_check import client as client_module
from feedsvc.cli.feed_check import rules
from feedsvc.cli.feed_check.client import READERS, Client, UnreachableError
from feedsvc.cli.feed_check.documents import parse
from feedsvc.cli.feed_check.rules import FINDINGS
from feedsvc.models import SCOPES
from tests.cli.faulty_proxy import NO_RESPONSE, Exchange, Fault, faulty_proxy
from tests.integration.nginx import NGINX, nginx
from tests.server import ROOT, Service, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.sqlite

FEEDS = [
    "/feeds/news.rss",
    "/feeds/news.atom",
    "/feeds/news.json",
    "/feeds/events/van-hoa.ics",
    "/feeds/events.rss?content=summary",
]

GUID = re.compile(rb"(<guid[^>]*>)[^<]*")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with entries whose Last-Modified is settled."""
    url = f"sqlite:///{tmp_path_factory.mktemp('check')}/feedsvc.db"
    made = Service(url, WEB_CONCURRENCY="1")
    made.make_token(*SCOPES)
    made.start()
    made.request("PUT", "/api/v1/categories/van-hoa", {"title": "Văn hoá"})
    for number in range(3):
        document = {"title": f"Bài {number}", "content_text": "Nội dung. " * 100}
        assert made.request("PUT", f"/api/v1/articles/a{number}", document).ok
    event = {"title": "Hội", "start": "2026-12-24T19:00", "categories": ["van-hoa"]}
    assert made.request("PUT", "/api/v1/events/e", event).ok
    for path in FEEDS:
        wait_for_last_modified(made.url + path)
    yield made
    made.stop()


def wait_for_last_modified(url: str) -> None:
    """Wait until the second of the last change is over."""
    wait_until(lambda: "Last-Modified" in requests.get(url, timeout=5).headers, 10)


def names(url: str) -> set[str]:
    return {finding.name for finding in check_feed(Client(interval=0), url)}


@pytest.mark.parametrize("path", FEEDS)
def test_nothing_is_found_on_the_service(service: Service, path: str) -> None:
    assert check_feed(Client(interval=0), service.url + path) == []


@pytest.mark.skipif(not NGINX, reason="nginx is not installed")
def test_nothing_is_found_through_nginx(service: Service, tmp_path: Path) -> None:
    with nginx(tmp_path, service.port) as (url, _):
        for path in FEEDS:
            assert check_feed(Client(interval=0), url + path) == []


# Faults. Each is called with the request, while its status is 0, and with the response.


def on_response(change: Callable[[Exchange], None]) -> Fault:
    """A fault of every response that is the feed or a 304."""

    def fault(exchange: Exchange) -> None:
        if exchange.status in (200, 304):
            change(exchange)

    return fault


def header(name: str, value: str | None) -> Fault:
    """Set or remove a header."""

    def change(exchange: Exchange) -> None:
        exchange.response.pop(name, None)
        if value is not None:
            exchange.response[name] = value

    return on_response(change)


def without(*dropped: str) -> Fault:
    """Lose headers, of requests too."""

    def fault(exchange: Exchange) -> None:
        headers = exchange.response if exchange.status else exchange.sent
        for name in dropped:
            headers.pop(name, None)

    return fault


def lost_in_gzip(name: str) -> Fault:
    def change(exchange: Exchange) -> None:
        if exchange.response.get("content-encoding") == "gzip":
            exchange.response.pop(name, None)

    return on_response(change)


def edited(edit: Callable[[bytes], bytes]) -> Fault:
    """Rewrite the document, as some CDNs do."""

    def fault(exchange: Exchange) -> None:
        if not exchange.status:
            coding = exchange.sent.get("accept-encoding", "")
            exchange.sent["accept-encoding"] = "gzip" if coding == "gzip" else ""
        elif exchange.status == 200 and exchange.method == "GET":
            is_gzip = exchange.response.get("content-encoding") == "gzip"
            content = gzip.decompress(exchange.body) if is_gzip else exchange.body
            content = edit(content)
            exchange.body = gzip.compress(content, mtime=0) if is_gzip else content

    return fault


def published(pattern: str, new: str) -> Fault:
    """Publish another document, without the generator, which would require its ETag."""
    old = re.compile(pattern.encode(), re.DOTALL)
    return edited(
        lambda content: old.sub(new.encode(), content.replace(b">feedsvc<", b">x<"))
    )


def answer_to(reader: str, body: bytes, status: int) -> Fault:
    def fault(exchange: Exchange) -> None:
        if reader in exchange.sent.get("user-agent", "") and not exchange.status:
            exchange.replace(body, status)

    return fault


def error_with(name: str, value: str) -> Fault:
    def fault(exchange: Exchange) -> None:
        if not exchange.status:
            exchange.replace(b"Not found", 404, **{name.replace("-", "_"): value})

    return fault


def cached_error(exchange: Exchange) -> None:
    if "?" not in exchange.path and not exchange.status:
        exchange.replace(b"Bad gateway", 502, age="300")


def head_refused(exchange: Exchange) -> None:
    if exchange.method == "HEAD" and not exchange.status:
        exchange.replace(b"", 405)


def head_dropped(exchange: Exchange) -> None:
    if exchange.method == "HEAD" and not exchange.status:
        exchange.replace(b"", NO_RESPONSE)


def etag_of_server(exchange: Exchange) -> None:
    """Several servers behind one address, each with tags of its own."""
    if exchange.status == 200:
        exchange.response["etag"] = f'"{exchange.number}"'


def etag_of_304(exchange: Exchange) -> None:
    if exchange.status == 304:
        exchange.response["etag"] = '"other"'


def date_of_server(exchange: Exchange) -> None:
    if exchange.status == 200 and exchange.number % 2:
        exchange.response["last-modified"] = "Thu, 01 Jan 2026 00:00:00 GMT"


def always_304(exchange: Exchange) -> None:
    if "if-none-match" in exchange.sent and not exchange.status:
        exchange.replace(b"", 304)


def without_gzip(exchange: Exchange) -> None:
    if exchange.sent.get("accept-encoding") == "gzip":
        exchange.sent["accept-encoding"] = "identity"


def mislabelled(exchange: Exchange) -> None:
    if exchange.status and exchange.response.get("content-encoding") == "br":
        exchange.response["content-encoding"] = "gzip"


def without_brotli(exchange: Exchange) -> None:
    if exchange.sent.get("accept-encoding") == "br" and not exchange.status:
        exchange.replace(b"Not acceptable", 406)


def other_format(exchange: Exchange) -> None:
    if "feedsvc-check" in exchange.path:
        exchange.path = "/feeds/news.atom"


def without_parameters(exchange: Exchange) -> None:
    if "feedsvc-check" in exchange.path and not exchange.status:
        exchange.replace(b"Not found", 404)


def late(exchange: Exchange) -> None:
    if exchange.status:
        exchange.response["date"] = formatdate(time.time() - 600, usegmt=True)


def with_clock(content: bytes) -> bytes:
    return content.replace(b"</channel>", b"<!-- %d --></channel>" % time.time_ns())


def with_random_guids(content: bytes) -> bytes:
    return GUID.sub(lambda match: match[1] + os.urandom(4).hex().encode(), content)


RSS = "application/rss+xml"
PAGE = b"<!DOCTYPE html>\n<title>Just a moment...</title>"

MISSING = "refused cached-error"

FAULTS: dict[str, tuple[Fault, str]] = {
    "bot wall": (answer_to("FreshRSS", PAGE, 403), "page"),
    "login": (answer_to("", b"<html><form></form></html>", 200), "page"),
    "dropped connection": (answer_to("Inoreader", b"", NO_RESPONSE), "refused"),
    "dropped HEAD": (head_dropped, "head"),
    "rule on programs": (answer_to("NewsBlur", b"No", 403), "refused"),
    "cached 502": (cached_error, "refused cached-error"),
    "404 for a day": (error_with("cache-control", "max-age=86400"), MISSING),
    "old 404": (error_with("age", "300"), MISSING),
    "no HEAD": (head_refused, "head"),
    "media type": (header("content-type", "text/html"), "media-type"),
    "charset": (header("content-type", f"{RSS}; charset=iso-8859-1"), "media-type"),
    "encoding of the document": (
        published("encoding=.UTF-8.", "encoding='ISO-8859-1'"),
        "media-type",
    ),
    "cut document": (published("</rss>", ""), "unreadable"),
    "no guids": (published("<guid.*?</guid>|<link>.*?</link>", ""), "guids"),
    "equal guids": (published("(<guid[^>]*>)[^<]*", r"\1same"), "guids"),
    "random guids": (edited(with_random_guids), "guids unstable"),
    "clock in the document": (edited(with_clock), "unstable"),
    "no validators": (without("etag", "last-modified"), "no-validators"),
    "no ETag in gzip": (lost_in_gzip("etag"), "etag-lost"),
    "servers with own ETags": (
        etag_of_server,
        "etag-contradictory etag-altered no-304",
    ),
    "other ETag in 304": (etag_of_304, "etag-altered"),
    "minified": (edited(lambda body: body.replace(b"\n", b"")), "etag-altered"),
    "no date in gzip": (lost_in_gzip("last-modified"), "last-modified-lost"),
    "servers with own dates": (date_of_server, "last-modified-contradictory no-304"),
    "date ahead": (
        header("last-modified", "Thu, 01 Jan 2099 00:00:00 GMT"),
        "last-modified-contradictory no-304",
    ),
    "no Vary": (header("vary", None), "vary-lost"),
    "Vary by cookie": (header("vary", "Accept-Encoding, Cookie"), "vary-broad"),
    "If-None-Match lost": (without("if-none-match"), "no-304"),
    "If-Modified-Since lost": (without("if-modified-since"), "no-304"),
    "304 for any ETag": (always_304, "stale-304"),
    "no gzip": (without_gzip, "compression-lost"),
    "wrong coding": (mislabelled, "coding-broken"),
    "error for a coding": (without_brotli, "coding-broken"),
    "other format by parameter": (other_format, "parameter"),
    "no parameters": (without_parameters, "parameter"),
    "max-age of a CDN": (header("cache-control", "max-age=14400"), "hints"),
    "late clock": (late, "clock"),
    "dead hub": (
        published('(rel="hub" href=)"[^"]*"', rf'\1"http://127.0.0.1:{free_port()}/"'),
        "hub",
    ),
}
"""Faults of a proxy, with the names of the findings."""


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(service: Service, name: str) -> None:
    fault, expected = FAULTS[name]
    with faulty_proxy(service.port, fault) as url:
        assert names(url + FEEDS[0]) == set(expected.split())


def weak_etag(exchange: Exchange) -> None:
    if exchange.status and "etag" in exchange.response:
        exchange.response["etag"] = f"W/{exchange.response['etag']}"


def countdown(exchange: Exchange) -> None:
    if exchange.status:
        exchange.response["cache-control"] = f"max-age={100 - exchange.number}"


def from_a_cache(exchange: Exchange) -> None:
    if exchange.status:
        exchange.response["date"] = formatdate(time.time() - 300, usegmt=True)
        exchange.response["age"] = "300"


HARMLESS = {
    "generic media type": header("content-type", "text/xml"),
    "weak ETags": weak_etag,
    "no ETag": without("etag"),
    "no Last-Modified": without("last-modified"),
    "change ahead": countdown,
    "response from a cache": from_a_cache,
    "no lifetime": header("cache-control", "no-cache, max-age=60"),
}
"""Harmless differences that proxies and other publishers make."""


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_difference_is_not_found(service: Service, name: str) -> None:
    with faulty_proxy(service.port, HARMLESS[name]) as url:
        assert names(url + FEEDS[0]) == set()


def test_edit_during_the_check_is_not_found(service: Service) -> None:
    def edit(exchange: Exchange) -> None:
        if exchange.number == 15 and not exchange.status:
            document = {"title": "Sửa", "content_text": "Nội dung. " * 100}
            assert service.request("PUT", "/api/v1/articles/a1", document).ok
            wait_for_last_modified(service.url + FEEDS[0])

    with faulty_proxy(service.port, edit) as url:
        assert names(url + FEEDS[0]) == set()


def test_fault_of_other_formats_is_found(service: Service) -> None:
    for path, pattern, new, expected in (
        ("news.json", '"items"', '"item"', "unreadable"),
        ("news.json", '"id": ?"urn[^"]*",', "", "guids"),
        ("news.atom", "<id>urn[^<]*</id>", "", "guids"),
        ("events.ics", "END:VEVENT", "", "unreadable"),
        ("events.ics", "REFRESH-INTERVAL;VALUE=DURATION:PT15M", "X-A:", "none"),
        ("events.ics", "X-PUBLISHED-TTL:PT15M", "X-PUBLISHED-TTL:P1W", "hints"),
        ("events.ics", "UID:[^\r]*\r\n", "", "guids"),
    ):
        fault = published(pattern, new)
        calendar = published("PRODID:-//feedsvc//", "PRODID:-//x//")

        def both(
            exchange: Exchange, fault: Fault = fault, calendar: Fault = calendar
        ) -> None:
            fault(exchange)
            calendar(exchange)

        with faulty_proxy(service.port, both) as url:
            findings = names(f"{url}/feeds/{path}") or {"none"}
            assert findings == {expected}, (path, pattern)


TlsContext = Callable[[int], ssl.SSLContext]


@pytest.fixture
def tls_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TlsContext:
    """Make a server's context whose certificate is valid for some days."""

    def make(days: int) -> ssl.SSLContext:
        path = tmp_path / "certificate.pem"
        subprocess.run(
            f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
            f"-keyout {path}.key -out {path} -days {days} -subj /CN=localhost "
            "-addext subjectAltName=DNS:localhost".split(),
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, f"{path}.key")
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        return context

    return make


def test_certificate_that_ends_soon_is_found(
    service: Service, tls_context: TlsContext
) -> None:
    for days, expected in ((5, {"certificate"}), (30, set())):
        with faulty_proxy(service.port, lambda _: None, tls_context(days)) as url:
            assert names(url + FEEDS[0]) == expected


def test_redirect_that_leaves_https_is_found(
    service: Service, tls_context: TlsContext
) -> None:
    def redirect(exchange: Exchange) -> None:
        if not exchange.status:
            exchange.replace(b"", 301, location=service.url + exchange.path)

    with faulty_proxy(service.port, redirect, tls_context(30)) as url:
        assert names(url + FEEDS[0]) == {"leaves-https"}


def test_every_finding_has_a_fault() -> None:
    expected = {name for _, names in FAULTS.values() for name in names.split()}
    by_other_tests = {"certificate", "leaves-https", "unreachable"}
    assert expected | by_other_tests == set(FINDINGS)
    assert not expected & by_other_tests


DJANGO = """
from bench.baseline_django import app as full, get_wsgi_application, settings
settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
plain = get_wsgi_application()

def app(environ, start_response):
    is_plain = environ["QUERY_STRING"].startswith("plain")
    return (plain if is_plain else full)(environ, start_response)
"""


@pytest.mark.skipif(
    not importlib.util.find_spec("django"), reason="Django is not installed"
)
def test_findings_of_django(sqlite_url: str, tmp_path: Path) -> None:
    """Its syndication framework needs middleware for 304 and compression."""
    (tmp_path / "django_app.py").write_text(DJANGO)
    body = "Nội dung. " * 50
    environ = {"BASELINE_BODY": body, "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    django = Service(sqlite_url, WEB_CONCURRENCY="1", **environ)
    django.start(app="django_app:app")
    try:
        feed = django.url + "/feeds/news.rss"
        assert names(feed) == set()
        assert names(f"{feed}?plain") == {"no-304", "compression-lost"}
    finally:
        django.stop()


# The command.


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str], str]]:
    """Run `check` without pauses; return exit status, lines and standard error."""
    monkeypatch.setattr(check_module, "Client", lambda: Client(interval=0))

    def run(*arguments: str) -> tuple[int, list[str], str]:
        done = CliRunner().invoke(check_command, arguments)
        return done.exit_code, done.stdout.splitlines(), done.stderr

    return run


Run = Callable[..., tuple[int, list[str], str]]


def test_all_feeds_of_a_feedsvc_are_checked(service: Service, run: Run) -> None:
    requested: list[str] = []

    def count(exchange: Exchange) -> None:
        if exchange.status:
            body = exchange.body.replace(service.url.encode(), url.encode())
            exchange.body = body if exchange.path == "/feeds.opml" else exchange.body
        else:
            requested.append(exchange.path)

    with faulty_proxy(service.port, count) as url:
        assert run(url) == (0, [], "")
    feeds = [f"/feeds/{name}.rss" for name in ("news", "news/van-hoa")]
    feeds += [feed.replace("news", "events") for feed in feeds]
    assert {path for path in requested if "?" not in path} == {
        *feeds,
        "/",
        "/feeds.opml",
    }


def test_findings_are_lines_or_json(service: Service, run: Run) -> None:
    fault, _ = FAULTS["rule on programs"]
    with faulty_proxy(service.port, fault) as url:
        status, lines, _ = run(url + FEEDS[0])
        assert (status, len(lines)) == (1, 1)
        detail = "refused: no feed (status 403) for NewsBlur. Correct the URL, or let"
        assert lines[0].startswith(f"{url}{FEEDS[0]}: {detail}")
        status, lines, _ = run(url + FEEDS[0], "--json")
    assert status == 1
    document = json.loads(lines[0])
    assert document["advice"] == FINDINGS[document["name"]]


def test_unreachable_server_is_status_2(service: Service, run: Run) -> None:
    status, lines, error = run(f"http://127.0.0.1:{free_port()}/")
    assert (status, lines) == (2, [])
    assert "Connection refused" in error
    assert run("feeds.example")[0] == 2
    assert run("ftp://feeds.example/")[0] == 2


def test_feed_of_a_list_that_does_not_answer_is_found(
    service: Service, run: Run
) -> None:
    def fault(exchange: Exchange) -> None:
        if exchange.path == "/feeds.opml" and not exchange.status:
            feed = f'<outline xmlUrl="http://127.0.0.1:{free_port()}/"/>'
            exchange.replace(f"<opml><body>{feed}</body></opml>".encode())

    with faulty_proxy(service.port, fault) as url:
        status, lines, _ = run(f"{url}/feeds.opml")
    assert (status, len(lines)) == (1, 1)
    assert ": unreachable: " in lines[0]


def test_late_clock_is_reported_once_for_each_host(service: Service, run: Run) -> None:
    with (
        faulty_proxy(service.port, late) as first,
        faulty_proxy(service.port, late) as second,
    ):
        feeds = [first + FEEDS[0], first + FEEDS[1], second + FEEDS[0]]
        outlines = "".join(f'<outline xmlUrl="{feed}"/>' for feed in feeds)

        def list_them(exchange: Exchange) -> None:
            if not exchange.status:
                exchange.replace(f"<opml><body>{outlines}</body></opml>".encode())

        with faulty_proxy(service.port, list_them) as url:
            status, lines, _ = run(f"{url}/feeds.opml")
    assert status == 1
    assert [line.partition(": clock: ")[0] for line in lines] == [feeds[0], feeds[2]]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!-- by <b>x</b> --><?x <html> ?><rss version='2.0'/>", "rss"),
        (b"<!-- <opml > -->", ""),
        (b"<?x <opml > ?>", ""),
        (b"<!-- <opml > ", ""),
        (b"<!--" * 1000 + b"<opml >", ""),
    ],
)
def test_kind_of_a_document_is_that_of_its_first_element(
    content: bytes, kind: str
) -> None:
    assert client_module._sniff(content) == kind


@pytest.mark.parametrize("content", [b"\x00<opml >", b"</a><opml >"])
def test_list_that_is_no_document_is_checked_as_a_feed(
    service: Service, content: bytes
) -> None:
    def fault(exchange: Exchange) -> None:
        if not exchange.status:
            exchange.replace(content)

    with faulty_proxy(service.port, fault) as url:
        assert list_feeds(Client(interval=0), url) == [url]


def test_long_list_is_sampled_evenly() -> None:
    urls = [str(number) for number in range(45)]
    sample = check_module._sample(urls)
    assert len(sample) == check_module.SAMPLE
    assert sample[:4] == ["0", "2", "4", "6"]
    assert sample[-1] == "42"


def test_nonsense_of_a_server_is_a_finding(service: Service) -> None:
    def nonsense(exchange: Exchange) -> None:
        if exchange.status:
            digits = "9" * 5000
            headers = {"age": digits, "last-modified": "now", "date": "?"}
            headers |= {"content-type": '";;charset="', "etag": '"'}
            headers |= {"cache-control": f"max-age={digits}"}
            exchange.response.update(headers)

    def to_nowhere(exchange: Exchange) -> None:
        if not exchange.status:
            exchange.replace(b"", 301, location="http://[::1")

    for path in ("news.rss", "news.json", "events.ics"):
        with faulty_proxy(service.port, nonsense) as url:
            assert "last-modified-contradictory" in names(f"{url}/feeds/{path}")
    for pattern, new in (
        ("<ttl>[^<]*", f"<ttl>{'9' * 5000}"),
        ('(rel="hub" href=)"[^"]*"', r'\1"http://[::1"'),
    ):
        with faulty_proxy(service.port, published(pattern, new)) as url:
            assert names(url + FEEDS[0]) <= {"hub"}
    with (
        faulty_proxy(service.port, to_nowhere) as url,
        pytest.raises(UnreachableError, match="is no valid http:// or https:// URL"),
    ):
        check_feed(Client(interval=0), url)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"items": ' + b"[" * 100_000, "json"),
        (b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 100, "ics"),
        (b"<rss>" + b"<a>" * 100_000, "rss"),
    ],
)
def test_document_of_great_depth_is_unreadable(content: bytes, kind: str) -> None:
    with pytest.raises(ValueError, match=r"no JSON|no iCal|depth"):
        parse(content, kind)


def test_first_of_repeated_intervals_of_a_calendar_counts() -> None:
    interval = b"REFRESH-INTERVAL;VALUE=DURATION:PT%dH\r\n"
    lines = b"".join(interval % hours for hours in (1, 2))
    content = b"BEGIN:VCALENDAR\r\n%bEND:VCALENDAR\r\n" % lines
    hints = parse(content, "ics").hints
    assert hints == {"REFRESH-INTERVAL": 3600.0}


def test_date_in_an_impossible_zone_is_none() -> None:
    date = f"Mon, 01 Jan 2020 00:00:00 +{'9' * 30}"
    assert rules._timestamp(date) is None


def test_search_for_the_generator_takes_linear_time() -> None:
    begun = time.process_time()
    assert not rules._GENERATOR.search(b"<generator" * 100_000)
    assert time.process_time() - begun < 1


@contextmanager
def raw_server(begin: bytes, repeated: bytes) -> Iterator[str]:
    """Answer one request with bytes that are repeated without end; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client, suppress(OSError):
                client.recv(1 << 16)
                client.sendall(begin)
                while repeated:
                    client.sendall(repeated)
                    time.sleep(0.01)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("begin", "repeated"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    ],
    ids=["interim responses", "header", "chunk", "body"],
)
def test_response_without_end_is_ended(
    monkeypatch: pytest.MonkeyPatch, begin: bytes, repeated: bytes
) -> None:
    monkeypatch.setattr(client_module, "_TIMEOUT", 0.1)
    with (
        raw_server(begin, repeated) as url,
        pytest.raises(UnreachableError, match="longer than"),
    ):
        Client(interval=0).request(url)


def test_terminal_is_not_controlled_by_a_server(service: Service, run: Run) -> None:
    with raw_server(b"\x1b]0;owned\x07\x9b31m\r\n\r\n", b"") as url:
        status, _, error = run(url)
    assert (status, "owned" in error) == (2, True)
    assert error.strip().isprintable()
    feeds = b'<opml><body><outline xmlUrl="x:\xc2\x9b31m\xe2\x80\xae"/></body></opml>'

    def fault(exchange: Exchange) -> None:
        if not exchange.status:
            exchange.replace(feeds)

    with faulty_proxy(service.port, fault) as url:
        for options in ((), ("--json",)):
            status, lines, _ = run(f"{url}/feeds.opml", *options)
            assert (status, len(lines)) == (1, 1)
            assert lines[0].isprintable()


def test_redirect_to_a_url_that_is_not_ascii_is_followed(service: Service) -> None:
    def redirect(exchange: Exchange) -> None:
        if not exchange.status and exchange.path == "/tin":
            location = "/tin-tức".encode().decode("latin-1")
            exchange.replace(b"", 301, location=location)
        elif not exchange.status:
            exchange.replace(exchange.path.encode())

    with faulty_proxy(service.port, redirect) as url:
        client = Client(interval=0)
        assert client.request(f"{url}/tin").content == b"/tin-t%E1%BB%A9c"
        assert client.request(f"{url}/tức").content == b"/t%E1%BB%A9c"


def test_endless_and_exploding_documents_end(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_MAX_BYTES", 100_000)
    bomb = gzip.compress(b"<rss>" + b" " * 1_000_000)

    def explode(exchange: Exchange) -> None:
        if not exchange.status:
            exchange.replace(bomb, content_encoding="gzip")

    def endless(exchange: Exchange) -> None:
        if not exchange.status:
            exchange.replace(b"x" * 200_000)

    with faulty_proxy(service.port, explode) as url:
        reply = Client(interval=0).request(url)
        assert (len(reply.content) <= 100_000, reply.is_decodable) == (True, False)
    with (
        faulty_proxy(service.port, endless) as url,
        pytest.raises(UnreachableError, match="more than 100000 bytes"),
    ):
        Client(interval=0).request(url)


def test_requests_to_a_host_are_half_a_second_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: 100 + sum(pauses))
    monkeypatch.setattr(time, "sleep", pauses.append)
    client = Client()
    port = free_port()
    for host in ("127.0.0.1", "127.0.0.1", "localhost", "127.0.0.1"):
        with pytest.raises(UnreachableError):
            client.request(f"http://{host}:{port}/")
    assert pauses == [0.5, 0.5]


def test_readers_are_known_and_count_no_subscribers() -> None:
    assert len(READERS) == 6
    for name, agent in READERS.items():
        program = identify(agent)
        assert (program.name, program.subscribers) == (name, None)


def test_list_of_feeds_is_followed(service: Service) -> None:
    client = Client(interval=0)
    feeds = list_feeds(client, service.url)
    assert feeds == list_feeds(client, f"{service.url}/feeds.opml")
    assert f"{service.url}/feeds/events/van-hoa.rss" in feeds
    assert list_feeds(client, service.url + FEEDS[0]) == [service.url + FEEDS[0]]
