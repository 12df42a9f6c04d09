"""Validators, 304, lifetimes and encodings of public responses."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta

import brotli
import pytest
import zstandard
from flask.testing import FlaskClient
from werkzeug.http import http_date

from tests.conftest import ApiClient, MakeApp, RecordMeasurement
from tests.fake_clock import Clock

FEED = "/feeds/news.rss"
PATHS = (
    FEED,
    "/feeds/news.atom",
    "/feeds/news.json",
    "/feeds/news.html?content=summary",
    "/feeds/news/giao-thong,-van-hoa.rss?limit=5",
    "/feeds/news.atom?archive=2026-11",
    "/feeds.opml",
    "/api/docs",
    "/feeds/events/van-hoa.rss",
    "/",
    "/entries/a",
    "/static/style.css",
    "/api/v1/categories",
)


def add_entries(editor: ApiClient, clock: Clock) -> None:
    editor.put("/categories/y-te", {"title": "Y tế", "description": "x" * 500})
    editor.put(
        "/articles/a",
        {"title": "Một", "content_text": "x" * 500, "categories": ["giao-thong"]},
    )
    clock.forward(seconds=10)


@pytest.fixture
def seeded_editor(editor: ApiClient, clock: Clock) -> ApiClient:
    add_entries(editor, clock)
    return editor


@pytest.fixture(scope="module")
def shared_client(shared_editor: ApiClient, shared_clock: Clock) -> FlaskClient:
    """Return a client of an application that no test changes."""
    add_entries(shared_editor, shared_clock)
    return shared_editor.client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["identity", "gzip", "br", "zstd"])
def test_every_public_url_can_be_revalidated(
    shared_client: FlaskClient, path: str, encoding: str
) -> None:
    accept = {"Accept-Encoding": encoding}
    first = shared_client.get(path, headers=accept)
    assert first.status_code == 200
    assert first.last_modified
    assert first.headers["ETag"].strip('"').partition("-")[2] == encoding.replace(
        "identity", ""
    )
    names = ("ETag", "Last-Modified", "Cache-Control", "Vary")
    kept = {name: first.headers[name] for name in names}
    assert kept["Vary"] == "Accept-Encoding"
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    head = shared_client.head(path, headers=accept)
    assert head.data == b""
    assert {name: head.headers[name] for name in (*names, "Content-Length")} == {
        **kept,
        "Content-Length": first.headers["Content-Length"],
    }
    bare = kept["ETag"].strip('"').partition("-")[0]
    for conditional in (
        {"If-None-Match": kept["ETag"]},
        {"If-None-Match": f'"nix", W/"{bare}"'},
        {"If-None-Match": f'"{bare}-gzip"'},
        {"If-None-Match": f'W/"{bare}-br", "{bare}-zstd"'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": kept["Last-Modified"]},
        {
            "If-None-Match": f'"{bare}"',
            "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT",
        },
    ):
        again = shared_client.get(path, headers={**accept, **conditional})
        assert again.status_code == 304, conditional
        assert again.data == b""
        assert {name: again.headers[name] for name in names} == kept
    for stale in (
        {"If-None-Match": '"nix"'},
        {"If-None-Match": '""'},  # curl --etag-compare with no file yet
        {"If-None-Match": 'W/"", ""'},
        {"If-None-Match": '"nix"', "If-Modified-Since": kept["Last-Modified"]},
        {"If-Modified-Since": "Thu, 01 Jan 1969 00:00:00 GMT"},
        {"If-Modified-Since": http_date(first.last_modified + timedelta(seconds=1))},
        {"If-Modified-Since": "Thu, 31 Dec 2099 00:00:00 GMT"},
        {"If-Modified-Since": "nonsense"},
    ):
        assert (
            shared_client.get(path, headers={**accept, **stale}).status_code == 200
        ), stale


ACCEPTED = [
    ("gzip", "gzip"),
    ("zstd", "zstd"),
    ("br", "br"),
    ("gzip, deflate, br, zstd", "br"),
    ("gzip, deflate, zstd", "zstd"),
    ("gzip;q=1.0, br;q=0.5", "gzip"),
    ("*", "br"),
    ("gzip;q=0", None),
    ("identity", None),
    ("gzip;q=0.5, identity", None),
    ("deflate", None),
    ("", None),
    (";;,,=", None),
    ("gzip;q=nonsense, x" * 50, None),
]


def test_encoding_is_negotiated(shared_client: FlaskClient) -> None:
    plain = shared_client.get(FEED)
    unpack = {
        "gzip": gzip.decompress,
        "br": brotli.decompress,
        "zstd": zstandard.decompress,
        None: bytes,
    }
    for accepted, coding in ACCEPTED:
        response = shared_client.get(FEED, headers={"Accept-Encoding": accepted})
        assert response.headers.get("Content-Encoding") == coding, accepted
        assert unpack[coding](response.data) == plain.data
        assert response.headers["ETag"].strip('"').partition("-")[2] == (coding or "")


def test_feeds_have_their_media_type_and_link_to_themselves(
    shared_client: FlaskClient,
) -> None:
    for format, media_type in (
        ("rss", "application/rss+xml"),
        ("atom", "application/atom+xml"),
    ):
        for path in (f"/feeds/news.{format}", f"/feeds/events/van-hoa.{format}"):
            response = shared_client.get(path + "?utm_source=x")
            assert response.headers["Content-Type"] == f"{media_type}; charset=utf-8"
            assert (
                response.headers["Link"] == f'<https://feeds.example{path}>; rel="self"'
            )


def test_second_change_in_the_same_second_is_not_hidden(
    seeded_editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 26, 12, 0, 0, 200_000, tzinfo=UTC)
    seeded_editor.put("/articles/b", {"title": "Hai"})
    early = client.get(FEED)
    assert "Last-Modified" not in early.headers
    clock.forward(seconds=0.5)
    seeded_editor.put("/articles/b", {"title": "Ba"})
    since = {"If-Modified-Since": "Thu, 26 Nov 2026 12:00:00 GMT"}
    assert "Ba" in client.get(FEED, headers=since).text
    clock.forward(seconds=0.799)
    early = client.get(FEED, headers=since)
    assert early.status_code == 200
    assert "Last-Modified" not in early.headers
    clock.forward(seconds=0.001)
    late = client.get(FEED)
    assert late.headers["Last-Modified"] == "Thu, 26 Nov 2026 12:00:00 GMT"
    assert (
        client.get(
            FEED, headers={"If-Modified-Since": late.headers["Last-Modified"]}
        ).status_code
        == 304
    )


def test_deletion_and_move_change_both_validators_of_the_affected_feeds(
    seeded_editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    paths = [
        f"/feeds/{kind}{slug}.rss"
        for kind in ("news", "events")
        for slug in ("", "/giao-thong", "/van-hoa")
    ]

    def moved(method: str, document: object = None) -> set[str]:
        before = {path: client.get(path).headers for path in paths}
        assert seeded_editor.send(method, "/articles/a", document).status_code < 300
        clock.forward(seconds=10)
        changed_paths = set()
        for path in paths:
            since = {"If-Modified-Since": before[path]["Last-Modified"]}
            etag, modified = (
                client.get(path).headers[name] != before[path][name]
                for name in ("ETag", "Last-Modified")
            )
            assert (
                etag == modified == (client.get(path, headers=since).status_code == 200)
            )
            if etag:
                changed_paths.add(path)
        return changed_paths

    assert moved("PUT", {"title": "Một", "categories": ["van-hoa"]}) == set(paths[:3])
    assert moved("PUT", {"title": "Một", "categories": ["van-hoa"]}) == set()
    assert moved("DELETE") == {paths[0], paths[2]}


def test_all_hints_recommend_the_same_interval(make_app: MakeApp) -> None:
    client = make_app(poll_minutes=30, max_age=20).test_client()
    for name in ("news.rss", "news.atom", "news.json", "events.ics", "events.rss"):
        response = client.get(f"/feeds/{name}")
        lifetimes = "max-age=1800, s-maxage=20"
        assert f"public, {lifetimes}, " in response.headers["Cache-Control"], name
    rss = client.get("/feeds/news.rss").text
    assert "<ttl>30</ttl>" in rss
    assert "<sy:updatePeriod>hourly<" in rss
    assert "<sy:updateFrequency>2<" in rss
    calendar = client.get("/feeds/events.ics").text
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT30M\r\n" in calendar
    assert "X-PUBLISHED-TTL:PT30M\r\n" in calendar
    for path in ("/feeds/news.html", "/", "/feeds.opml"):
        control = client.get(path).headers["Cache-Control"]
        assert control == "public, max-age=20, stale-if-error=86400", path


def test_lifetime_ends_with_an_event(
    seeded_editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
    seeded_editor.put(
        "/events/e",
        {"title": "Hội", "start": "2026-11-26T18:00:00", "end": "2026-11-26T19:00:30"},
    )
    path = "/feeds/events.rss"
    clock.forward(seconds=10)
    first = client.get(path)
    assert first.headers["Cache-Control"] == (
        "public, max-age=20, s-maxage=20, stale-if-error=86400"
    )
    assert "Hội" in first.text
    clock.forward(seconds=20)
    after = client.get(
        path, headers={"If-Modified-Since": first.headers["Last-Modified"]}
    )
    assert after.status_code == 200
    assert "Hội" not in after.text
    assert after.headers["Cache-Control"] == (
        "public, max-age=900, s-maxage=60, stale-if-error=86400"
    )
    clock.forward(seconds=5)
    assert client.get(path).headers["Last-Modified"] == "Thu, 26 Nov 2026 12:00:30 GMT"
    assert client.get(path).data == after.data


@pytest.mark.bar
def test_forged_host_changes_no_response(
    shared_client: FlaskClient, record_measurement: RecordMeasurement
) -> None:
    forged = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
    }
    for path in PATHS:
        assert (
            shared_client.get(path, headers=forged).data == shared_client.get(path).data
        )
        assert "evil" not in str(shared_client.get(path, headers=forged).headers)
    record_measurement(
        "responses that a forged Host or X-Forwarded-* changed",
        f"0 of {len(PATHS)}",
        "0",
    )


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/news/khong-co.rss",
        "/feeds/news.pdf",
        "/feeds/tin.rss",
        "/feeds/news/A.rss",
        "/nix",
    ],
)
def test_missing_page_is_a_problem_document(
    shared_client: FlaskClient, path: str
) -> None:
    response = shared_client.get(path)
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"
    assert response.get_json().keys() == {"title", "status", "detail"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_other_methods_are_not_allowed(
    shared_client: FlaskClient, path: str, method: str
) -> None:
    shared_client.get(path)  # also where it is kept
    response = shared_client.open(path, method=method)
    assert response.status_code == 405
    assert response.mimetype == "application/problem+json"
    assert {"GET", "HEAD"} <= set(response.headers["Allow"].split(", "))


def test_policy_of_pages_allows_only_our_scripts(shared_client: FlaskClient) -> None:
    for path, count in (("/", 1), ("/entries/a", 2), ("/feeds/news.html", 1)):
        response = shared_client.get(path)
        assert (
            "default-src 'none'; script-src 'self';"
            in response.headers["Content-Security-Policy"]
        )
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        scripts = re.findall(
            "<script[^>]*>.", response.text
        )  # a block of data runs nowhere
        assert {script[-2:] for script in scripts} <= {"><", ">{"}, (
            "none has a text but data"
        )
        assert len(scripts) == count
        assert "Set-Cookie" not in response.headers


def test_directory_links_to_every_feed(shared_client: FlaskClient) -> None:
    page = shared_client.get("/").text
    for kind in ("news", "events"):
        for slug in ("", "/giao-thong", "/van-hoa"):
            for format, media_type in (
                ("rss", "application/rss+xml"),
                ("atom", "application/atom+xml"),
            ):
                url = f"https://feeds.example/feeds/{kind}{slug}.{format}"
                assert page.count(f'href="{url}"') == 2, (
                    "a link and one for autodiscovery"
                )
                assert f'type="{media_type}"' in page
    for slug in ("", "/giao-thong", "/van-hoa"):
        assert page.count(f'href="webcal://feeds.example/feeds/events{slug}.ics"') == 1
        assert (
            page.count(f'href="https://feeds.example/feeds/events{slug}.ics"') == 2
        ), "a link and one for autodiscovery"
    assert "news.ics" not in page


def test_probes_are_not_cached(shared_client: FlaskClient) -> None:
    for path in ("/healthz", "/readyz"):
        response = shared_client.get(path)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers


def test_missing_and_deleted_pages_may_be_cached_for_a_second(
    seeded_editor: ApiClient, client: FlaskClient
) -> None:
    """Otherwise a cache would serve the former page while the service is down."""
    seeded_editor.put("/articles/a", {"title": "Một"})
    assert seeded_editor.send("DELETE", "/articles/a").status_code == 204
    for path, status in (
        ("/entries/a", 410),
        ("/entries/b", 404),
        ("/feeds/news/nix.rss", 404),
    ):
        for method in ("GET", "HEAD"):
            for accept in ("text/html", "*/*"):
                response = client.open(path, method=method, headers={"Accept": accept})
                assert response.status_code == status
                assert response.headers["Cache-Control"] == "public, max-age=1"
                assert response.vary.to_header() == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/entries/a", 405),
        ("DELETE", "/feeds/nix.rss", 405),
        ("GET", "/feeds/news.rss?limit=0", 400),
        ("GET", "/hub", 410),
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/articles/a", 401),
        ("GET", "/api/v1/nowhere", 404),
    ],
)
def test_other_errors_are_not_cached(
    shared_client: FlaskClient, method: str, path: str, status: int
) -> None:
    response = shared_client.open(path, method=method)
    assert (response.status_code, response.headers["Cache-Control"]) == (
        status,
        "no-store",
    )
