"""Validators, 304, lifetimes and codings of public responses."""

import gzip
import random
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import brotli
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.errors import Unavailable
from feedsvc.feeds import cache
from feedsvc.feeds.cached_response import CachedResponse
from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS
from feedsvc.formats import ReadEntries, render_feed
from feedsvc.formats.fragments import FragmentCache
from feedsvc.services import get_services
from feedsvc.text.iframes import EMBEDS
from tests.conftest import ApiClient, MakeApp, RecordMeasurement
from tests.data import read_tables
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.web.feeds import conditional_headers

FEED = "/feeds/news.rss"
PATHS = f"""
{FEED} /feeds/news.atom /feeds/news.json /feeds/news.html?content=full
/feeds/news/giao-thong,-van-hoa.rss?limit=5 /feeds/events/van-hoa.ics
/feeds.opml / /entries/a /api/v1/categories
""".split()
TABLES = read_tables("web")
THREADS = 16


@pytest.fixture(scope="module")
def shared_client(shared_editor: ApiClient, shared_clock: Clock) -> FlaskClient:
    """Return a client of an application that no test changes."""
    text = "x" * 500
    category = {"title": "Y tế", "description": text}
    shared_editor.put("/categories/y-te", category)
    for id in ("a", "deleted"):
        article = {"title": "Một", "content_text": text}
        shared_editor.put(f"/articles/{id}", article)
    shared_editor.send("DELETE", "/articles/deleted")
    shared_clock.forward(seconds=10)
    return shared_editor.client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("coding", ["", "gzip", "br"])
def test_every_public_url_can_be_revalidated(
    shared_client: FlaskClient, path: str, coding: str
) -> None:
    accept = {"Accept-Encoding": coding or "identity"}
    first = shared_client.get(path, headers=accept)
    assert first.status_code == 200
    assert first.last_modified
    names = ("ETag", "Last-Modified", "Cache-Control", "Vary")
    expected = {name: first.headers[name] for name in names}
    assert expected["Vary"] == "Accept-Encoding"
    head = shared_client.head(path, headers=accept)
    assert head.data == b""
    assert {name: head.headers[name] for name in names} == expected
    assert head.headers["Content-Length"] == str(len(first.data))
    variant = expected["ETag"].strip('"').partition("-")[2]
    assert variant == first.headers.get("Content-Encoding", "") == coding
    validators = expected["ETag"], expected["Last-Modified"]
    for condition, status in conditional_headers(*validators):
        again = shared_client.get(path, headers=accept | condition)
        assert again.status_code == status, condition
        if status == 304:
            assert again.data == b""
            assert {name: again.headers[name] for name in names} == expected
            assert "X-Content-Type-Options" not in again.headers
    refused = shared_client.post(path)
    assert refused.status_code == 405
    assert {"GET", "HEAD"} <= set(refused.headers["Allow"].split(", "))


@pytest.mark.parametrize(("coding", "accepted"), TABLES["codings"].items())
def test_encoding_is_negotiated(
    shared_client: FlaskClient, coding: str, accepted: list[str]
) -> None:
    unpack = {"gzip": gzip.decompress, "br": brotli.decompress, "": bytes}
    plain = shared_client.get(FEED)
    for each in accepted:
        response = shared_client.get(FEED, headers={"Accept-Encoding": each})
        assert response.headers.get("Content-Encoding", "") == coding, each
        assert unpack[coding](response.data) == plain.data


@pytest.mark.parametrize("format", FORMATS)
def test_feed_has_its_media_type_and_a_link_to_itself(
    shared_client: FlaskClient, format: str
) -> None:
    path = f"/feeds/events/van-hoa.{format}"
    response = shared_client.get(f"{path}?utm_source=x")
    media_type = f"{FORMATS[format].media_type}; charset=utf-8"
    assert response.headers["Content-Type"] == media_type
    link = f'<https://feeds.example{path}>; rel="self"'
    assert response.headers.getlist("Link") == [link]


def test_second_change_in_the_same_second_is_not_hidden(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 26, 12, 0, 0, 200_000, tzinfo=UTC)
    editor.put("/articles/b", {"title": "Hai"})
    assert "Last-Modified" not in client.get(FEED).headers
    clock.forward(seconds=0.5)
    editor.put("/articles/b", {"title": "Ba"})
    since = {"If-Modified-Since": "Thu, 26 Nov 2026 12:00:00 GMT"}
    clock.forward(seconds=5.9)
    early = client.get(FEED, headers=since)
    assert early.status_code == 200
    assert "Ba" in early.text
    assert "Last-Modified" not in early.headers
    clock.forward(seconds=0.1)
    late = client.get(FEED)
    assert late.headers["Last-Modified"] == since["If-Modified-Since"]
    assert client.get(FEED, headers=since).status_code == 304


def test_last_modified_is_the_last_revision_of_the_kind(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    def modified(path: str) -> datetime | None:
        return client.get(path).last_modified

    clock.forward(hours=1)
    news_at = clock.now
    editor.put("/articles/a", {"title": "Một", "categories": ["van-hoa"]})
    clock.forward(hours=1)
    events_at = clock.now
    editor.put("/events/e", {"title": "Hội", "start": "2026-12-24"})
    clock.forward(hours=1)
    editor.put("/articles/draft", {"title": "Nháp", "status": "draft"})
    clock.forward(hours=1)
    assert modified("/feeds/news.rss") == news_at
    # A page leads to categories of the other kind.
    assert modified("/feeds/news/giao-thong.html") == events_at
    assert modified("/feeds/events.rss") == events_at
    assert modified("/entries/a") == modified("/") == events_at
    assert modified("/feeds.opml") == events_at


def test_all_hints_recommend_the_same_interval(make_app: MakeApp) -> None:
    client = make_app(poll_minutes=30).test_client()
    for name in (
        "news.rss",
        "news.atom",
        "news.json",
        "events.ics",
        "events.rss",
    ):
        assert client.get(f"/feeds/{name}").headers["Cache-Control"] == (
            "public, max-age=1800, s-maxage=60, stale-if-error=86400"
        )
    rss = client.get("/feeds/news.rss").text
    assert "<ttl>30</ttl>" in rss
    assert "<sy:updatePeriod>hourly<" in rss
    assert "<sy:updateFrequency>2<" in rss
    calendar = client.get("/feeds/events.ics").text
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT30M\r\n" in calendar
    assert "X-PUBLISHED-TTL:PT30M\r\n" in calendar
    for path in ("/feeds/news.html", "/", "/feeds.opml"):
        control = client.get(path).headers["Cache-Control"]
        assert control == "public, max-age=60, stale-if-error=86400", path


@pytest.mark.parametrize(("path", "document"), TABLES["about_to_change"])
def test_lifetimes_end_where_an_entry_changes(
    editor: ApiClient,
    client: FlaskClient,
    clock: Clock,
    wait: Wait,
    path: str,
    document: dict[str, str],
) -> None:
    feeds = ["/feeds/news.atom", "/feeds/events.atom"]
    feed, other = feeds if path.startswith("/articles") else reversed(feeds)
    editor.put(path, {"title": "Sắp đổi", **document})
    before = client.get(feed)
    for seconds, left in ((0.2, 45), (20, 25), (24, 1)):
        clock.forward(seconds=seconds)
        # Readers, who would all come in the same second, poll as always.
        control = f"public, max-age=900, s-maxage={left}, stale-if-error=86400"
        assert client.get(feed).headers["Cache-Control"] == control
        assert f"max-age={left}," in client.get("/").headers["Cache-Control"]
    assert client.get(other).cache_control.s_maxage == 60
    wait(seconds=10)
    after = client.get(feed, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert ("Sắp đổi" in after.text) != ("Sắp đổi" in before.text)
    assert after.cache_control.s_maxage == 60


@pytest.mark.bar
def test_forged_host_changes_no_response(
    shared_client: FlaskClient, record_measurement: RecordMeasurement
) -> None:
    forged = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
    }
    others = ("/feeds/news", "/feeds/news/A.rss", "//feeds/news.rss", "/feeds//news.rss", "/api/openapi.json")  # fmt: skip
    for path in (*PATHS, *others):
        plain = shared_client.get(path)
        response = shared_client.get(path, headers=forged)
        assert response.data == plain.data
        assert response.headers.get("Location") == plain.headers.get("Location")
        assert "evil" not in str(response.headers)
    record_measurement(
        "responses that a forged Host or X-Forwarded-* changed",
        f"0 of {len(PATHS)}",
        "0",
    )


@pytest.mark.parametrize(("path", "scripts", "is_list"), TABLES["scripts"])
def test_policy_of_pages_allows_our_scripts_and_documented_frames(
    shared_client: FlaskClient, path: str, scripts: int, is_list: bool
) -> None:
    response = shared_client.get(path)
    text = response.headers["Content-Security-Policy"]
    assert "unsafe" not in text
    policy = dict(part.strip().split(maxsplit=1) for part in text.split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    hosts = [f"https://{host}" for host in EMBEDS]
    assert policy["frame-src"].split() == hosts
    assert "Set-Cookie" not in response.headers
    referrer_policy = response.headers["Referrer-Policy"]
    assert referrer_policy == "strict-origin-when-cross-origin"
    # Partners may frame lists.
    assert (policy.get("frame-ancestors") == "'none'") is not is_list
    # A script has no text of its own but JSON-LD, which runs nowhere.
    texts = re.findall("<script[^>]*>(.)", response.text)
    assert len(texts) == scripts
    assert set(texts) <= {"<", "{"}


@pytest.mark.parametrize(("method", "path", "status", "control"), TABLES["uncached"])
def test_lifetimes_of_errors_and_probes(
    shared_client: FlaskClient,
    method: str,
    path: str,
    status: int,
    control: str,
) -> None:
    for accept in ("text/html", "*/*"):
        response = shared_client.open(path, method=method, headers={"Accept": accept})
        assert response.status_code == status
        assert response.headers["Cache-Control"] == control
        assert "ETag" not in response.headers
        if status >= 400:
            assert response.vary.to_header() == "Accept, Accept-Encoding"


def response_of(app: Flask, body: bytes = b"") -> CachedResponse:
    """Return a response of what is stored now."""
    revision = get_services(app).database.revisions.last
    return CachedResponse(body, "text/plain", revision, None, 60)


def render_at_once(
    app: Flask, render: Callable[[], CachedResponse]
) -> list[CachedResponse | Exception | None]:
    """Ask for one URL in 16 threads; return what each gets."""

    def ask(_: int) -> CachedResponse | Exception | None:
        try:
            return get_services(app).cache.get_or_render("/x", render)
        except Unavailable as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(ask, range(THREADS)))


def test_one_thread_renders_what_others_wait_for(app: Flask) -> None:
    rendered = []

    def render() -> CachedResponse:
        rendered.append(threading.get_ident())
        # The other threads ask meanwhile.
        threading.Event().wait(0.2)
        return response_of(app)

    responses = render_at_once(app, render)
    assert len(rendered) == 1
    assert len(set(map(id, responses))) == 1


def test_after_a_failed_render_the_others_do_not_fail_one_by_one(
    app: Flask,
) -> None:
    first = threading.Lock()
    # All others are in `render` at the same time.
    others = threading.Barrier(THREADS - 1)
    is_first_done = threading.Event()

    def render() -> CachedResponse:
        if first.acquire(blocking=False):
            is_first_done.wait(0.2)
        else:
            others.wait(timeout=10)
        raise Unavailable("x")

    errors = render_at_once(app, render)
    assert {type(error) for error in errors} == {Unavailable}
    assert not others.broken


def test_threads_render_their_own_if_another_takes_too_long(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_WAIT", 0.01)
    all_render = threading.Barrier(THREADS)

    def render() -> CachedResponse:
        all_render.wait(timeout=10)
        return response_of(app)

    assert None not in render_at_once(app, render)


def test_who_has_written_waits_for_no_older_response(
    app: Flask, editor: ApiClient
) -> None:
    is_written = threading.Event()
    has_begun = threading.Event()
    renderers = []

    def render() -> CachedResponse:
        renderers.append(threading.get_ident())
        response = response_of(app, str(len(renderers)).encode())
        has_begun.set()
        is_written.wait(timeout=10)
        return response

    with ThreadPoolExecutor(2) as pool:
        services = get_services(app)
        old = pool.submit(services.cache.get_or_render, "/x", render)
        has_begun.wait(timeout=10)
        editor.put("/articles/a", {"title": "Một"})
        new = pool.submit(services.cache.get_or_render, "/x", render)
        is_written.set()
        assert old.result().body == b"1"
        assert new.result().body == b"2"


@pytest.mark.postgresql
def test_poll_that_began_before_a_write_does_not_hide_it(
    app: Flask, editor: ApiClient, client: FlaskClient
) -> None:
    database = get_services(app).database
    editor.put("/articles/a", {"title": "Old"})
    assert "Old" in client.get(FEED).text
    reads: list[object] = []

    def write_once(*arguments: object) -> None:
        if "FROM revisions" in str(arguments[2]) and not reads:
            reads.append(arguments)
            editor.put("/articles/a", {"title": "New"})

    # The poll has read the former revision when the write commits. In SQLite without a
    # write-ahead log, no write could commit before the poll ends.
    sa.event.listen(database.engine, "after_cursor_execute", write_once)
    try:
        database.poll()
    finally:
        sa.event.remove(database.engine, "after_cursor_execute", write_once)
    assert reads
    assert "New" in client.get(FEED).text


@pytest.mark.parametrize("count", [500, pytest.param(100_000, marks=pytest.mark.soak)])
def test_random_query_strings_are_rendered_once(
    client: FlaskClient,
    editor: ApiClient,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    record_measurement: RecordMeasurement,
) -> None:
    editor.put("/articles/a", {"title": "Một"})
    paths: list[str] = []

    def render(feed: Feed, cache: FragmentCache, read: ReadEntries) -> bytes:
        paths.append(feed.query.path)
        return render_feed(feed, cache, read)

    monkeypatch.setattr("feedsvc.web.feeds.render_feed", render)
    generator = random.Random(1)
    for _ in range(count):
        query = "".join(generator.choices("abxyz=&%1;+", k=12))
        assert client.get(f"/feeds/news.rss?{query}").status_code == 200
    record_measurement(
        f"renders of one feed for {count:,} random query strings",
        f"{len(paths)}",
        "1",
    )
    assert paths == ["/feeds/news.rss"]


def documents_read(app: Flask, client: FlaskClient, *paths: str) -> int:
    """Return how many statements read documents of entries for feeds."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *arguments: Any) -> None:
        statements.append(statement)

    engine = get_services(app).database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    for path in paths:
        assert client.get(f"/feeds/{path}").status_code == 200
    sa.event.remove(engine, "before_cursor_execute", note)
    return sum("document" in statement for statement in statements)


def test_feeds_read_no_document_of_an_entry_that_was_shown(
    app: Flask, client: FlaskClient, editor: ApiClient
) -> None:
    editor.put("/categories/a", {"title": "A"})
    for id in "abc":
        editor.put(f"/articles/{id}", {"title": id, "categories": ["a"]})
    # Further pages do not displace what subscribers need.
    further = ["news.rss?limit=1&page=2", "news/a.rss?limit=1&page=2"]
    assert documents_read(app, client, *further) == 2
    assert documents_read(app, client, "news.rss") == 1
    others = ["news/a.rss", "news.rss?limit=2", "news.rss?limit=2&page=2"]
    assert documents_read(app, client, *others) == 0
    assert documents_read(app, client, "news.rss?content=summary", "news.atom") == 2
    editor.put("/articles/b", {"title": "Hai", "categories": ["a"]})
    assert documents_read(app, client, "news.rss", *others) == 1
    assert "Hai" in client.get("/feeds/news/a.rss").text


def test_body_that_a_write_leaves_as_it_was_is_not_encoded_again(
    client: FlaskClient, editor: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[bytes] = []
    original = gzip.compress

    def compress(body: bytes, **options: int) -> bytes:
        encoded.append(body)
        return original(body, **options)

    monkeypatch.setattr("gzip.compress", compress)
    for slug in "ab":
        editor.put(f"/categories/{slug}", {"title": slug})
    for number, slug in enumerate("aba"):
        editor.put(f"/articles/{number}", {"title": "Một", "categories": [slug]})
        response = client.get("/feeds/news/a.rss", headers={"Accept-Encoding": "gzip"})
        assert gzip.decompress(response.data) == client.get("/feeds/news/a.rss").data
    assert len(encoded) == 2


def test_encoded_question_mark_is_part_of_the_path(
    client: FlaskClient, editor: ApiClient
) -> None:
    editor.put("/articles/a", {"title": "Một"})
    assert client.get("/entries/a?ui=en").status_code == 200
    assert client.get("/entries/a%3Fui=en").status_code == 404


def test_other_settings_end_the_validity_of_what_clients_have(
    make_app: MakeApp, editor: ApiClient, clock: Clock
) -> None:
    editor.put("/articles/a", {"title": "x"})
    headers: dict[str, str] = {}
    for title, status in (("Cổng", 200), ("Cổng", 304), ("Khác", 200)):
        app = make_app(site_title=title)
        get_services(app).background.tick()
        clock.forward(hours=1)
        response = app.test_client().get("/feeds/news.rss", headers=headers)
        assert response.status_code == status, title
        headers["If-Modified-Since"] = response.headers["Last-Modified"]
