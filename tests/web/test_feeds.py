"""Category filters, parameters, archives and tombstones, through HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import feedparser
import pytest
from flask.testing import FlaskClient
from lxml import etree

from feedsvc.feed_query import FORMATS
from tests.conftest import ApiClient
from tests.fake_clock import Clock

PUBLIC = "https://feeds.example"


def ids(client: FlaskClient, path: str) -> list[str]:
    """Return the ids of a feed's entries, in its order."""
    response = client.get(path)
    assert response.status_code == 200, response.text
    return [item["_entry"]["id"] for item in response.get_json(force=True)["items"]]


def add_categorized_articles(editor: ApiClient, clock: Clock) -> None:
    """Add an article for each set of the categories a, b and c; c is a child of d."""
    editor.put("/categories/d", {"title": "Dê"})
    for slug, parent in (("a", None), ("b", None), ("c", "d")):
        editor.put(
            f"/categories/{slug}",
            {"title": slug.upper() + "!", **({"parent": parent} if parent else {})},
        )
    for name in ("none", "a", "b", "c", "ab", "ac", "bc", "abc"):
        clock.forward(seconds=60)
        slugs = [] if name == "none" else list(name)
        editor.put(f"/articles/{name}", {"title": name, "categories": slugs})
    clock.forward(seconds=60)


@pytest.fixture
def categorized(editor: ApiClient, clock: Clock) -> ApiClient:
    add_categorized_articles(editor, clock)
    return editor


@pytest.fixture(scope="module")
def shared_client(shared_editor: ApiClient, shared_clock: Clock) -> FlaskClient:
    """Return a client of an application that no test changes."""
    add_categorized_articles(shared_editor, shared_clock)
    return shared_editor.client


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("a", "abc ac ab a"),
        ("d", "abc bc ac c"),
        ("a,b", "abc bc ac ab b a"),
        ("a+b", "abc ab"),
        ("a+b+c", "abc"),
        ("a,-b", "ac a"),
        ("a+b+-c", "ab"),
        ("a,b,-c", "ab b a"),
        ("-a", "bc c b none"),
        ("-a,-b", "c none"),
        ("-d", "ab b a none"),
        ("a,-d", "ab a"),
        ("a,-a", ""),
        ("a+d", "abc ac"),
    ],
)
def test_category_filter_selects_entries(
    shared_client: FlaskClient, selector: str, expected: str
) -> None:
    assert ids(shared_client, f"/feeds/news/{selector}.json") == expected.split()
    for limit in (1, 2):
        assert (
            ids(shared_client, f"/feeds/news/{selector}.json?limit={limit}")
            == expected.split()[:limit]
        )


@pytest.mark.parametrize("format", ["rss", "html"])
@pytest.mark.parametrize(
    ("requested", "canonical"),
    [
        ("b,a", "a,b"),
        ("A", "a"),
        ("-c+b+a", "a+b+-c"),
        ("a,a", "a"),
        ("a+a", "a"),
        ("-b+-a", "-a,-b"),
        ("b%2Ca", "a,b"),
        ("B a", "a+b"),
    ],
)
def test_other_spelling_redirects_to_the_canonical_one(
    shared_client: FlaskClient, format: str, requested: str, canonical: str
) -> None:
    response = shared_client.get(
        f"/feeds/news/{requested}.{format}?limit=5&utm_source=x%2By"
    )
    assert response.status_code == 301
    assert (
        response.headers["Location"]
        == f"{PUBLIC}/feeds/news/{canonical}.{format}?limit=5&utm_source=x%2By"
    )
    assert (
        shared_client.get(response.headers["Location"].removeprefix(PUBLIC)).status_code
        == 200
    )


@pytest.mark.parametrize(
    "requested", ["a%2Cb", "a%2Bb", "a%20b", "a+b", "a,%2Dc", "a%2bb%2b-c"]
)
def test_escaped_signs_need_no_redirect(
    shared_client: FlaskClient, requested: str
) -> None:
    assert shared_client.get(f"/feeds/news/{requested}.rss").status_code == 200


def test_renamed_category_redirects_every_combination(
    categorized: ApiClient, client: FlaskClient
) -> None:
    categorized.send("PATCH", "/categories/a", {"slug": "z"})
    for requested, now in (
        ("a", "z"),
        ("a,b", "b,z"),
        ("a+b", "b+z"),
        ("b,-a", "b,-z"),
        ("a,z", "z"),
    ):
        response = client.get(f"/feeds/news/{requested}.atom?limit=3")
        assert (response.status_code, response.headers["Location"]) == (
            301,
            f"{PUBLIC}/feeds/news/{now}.atom?limit=3",
        )
    assert ids(client, "/feeds/news/b+z.json") == ["abc", "ab"]


@pytest.mark.parametrize("format", ["rss", "ics"])
def test_retired_categories_leave_combinations(
    categorized: ApiClient, client: FlaskClient, format: str
) -> None:
    """A category that is renamed leads to its new slug in the same redirect."""
    categorized.send("PATCH", "/categories/a", {"slug": "z"})
    categorized.send("DELETE", "/categories/b")
    categorized.send("PATCH", "/categories/c", {"slug": "y"})
    categorized.send("DELETE", "/categories/y")
    kind = "events" if format == "ics" else "news"
    for retired in (
        "b",
        "c",
        "y",
        "b,c",
        "b,y",
        "z+b",
        "b+-z",
        "a+b",
        "b,-z",
        "b+c",
        "b,-c",
    ):
        assert client.get(f"/feeds/{kind}/{retired}.{format}").status_code == 410, (
            retired
        )
    for requested, now in (
        ("b,z", "/z"),
        ("z,b", "/z"),
        ("a,b", "/z"),
        ("a,b,c", "/z"),
        ("z,-b", "/z"),
        ("a,-b,-c", "/z"),
        ("a+-b", "/z"),
        ("-b", ""),
        ("-b,-c", ""),
        ("-a,-b", "/-z"),
    ):
        response = client.get(f"/feeds/{kind}/{requested}.{format}?limit=3&x=y")
        location = f"{PUBLIC}/feeds/{kind}{now}.{format}?limit=3&x=y"
        assert (response.status_code, response.headers["Location"]) == (
            301,
            location,
        ), requested
        assert client.get(location.removeprefix(PUBLIC)).status_code == 200
    assert client.get(f"/feeds/{kind}/b,khong-co.{format}").status_code == 404


SELECTORS = [
    "a,b+c",
    ",",
    "a,",
    "-",
    "a_b",
    "%0d%0a",
    "%00",
    "%ff",
    "a,,b",
    "+",
    "a+",
    "--a",
    "văn",
    "a" * 65,
    "a" * 5000,
]
SELECTORS += [
    ",".join("a" * 11),
    "a b,c",
    "a%2Cb%2Bc",
    "a;b",
    "a'b",
    '"',
    "%3Cscript%3E",
    "..",
    "%2e%2e",
    "%F0%9F%98%80",
]
PARAMETERS = [
    "limit=0",
    "limit=1001",
    "limit=1&limit=2",
    "limit=",
    "lang=%ff",
    "lang=x",
    "archive=2026-13",
    "archive=",
]
PARAMETERS += [
    "archive=2026-11&limit=3",
    "archive=2026-11&q=x",
    "q=" + "+".join("abcdefghijk"),
    "q=x&q=y",
    "content=half",
    "content=full&content=full",
    "limit=%00",
    "limit=１",
]
EVENTS_ONLY = [
    "when=never",
    "from=2026-12-02&to=2026-12-01",
    "from=2026-02-30",
    "to=x",
    "order=x",
    "cancelled=x",
]


def bad_paths(format: str) -> Iterator[str]:
    """Yield paths of feeds with a bad category filter or parameter."""
    for kind in FORMATS[format].kinds:
        for selector in SELECTORS:
            yield f"/feeds/{kind}/{selector}.{format}"
        for query in PARAMETERS:
            yield f"/feeds/{kind}.{format}?{query}"
    for query in EVENTS_ONLY:
        yield f"/feeds/events/van-hoa.{format}?{query}"


@pytest.mark.parametrize("format", ["rss", "html", "ics"])
def test_bad_url_is_a_problem_document(shared_client: FlaskClient, format: str) -> None:
    for path in bad_paths(format):
        response = shared_client.get(path)
        is_other_route = ".." in path or "%2e" in path
        assert response.status_code in ((400, 404) if is_other_route else (400,)), path
        assert response.mimetype == "application/problem+json"
        assert response.get_json()["detail"].endswith(".")
    for path in (
        "/feeds/news.ics",
        "/feeds/tin.rss",
        "/feeds/news.pdf",
        "/feeds/news/a/b.rss",
        "/feeds/news.",
        "/feeds/.rss",
    ):
        assert shared_client.get(path).status_code == 404, path


def test_title_names_the_categories(shared_client: FlaskClient) -> None:
    expected = {
        "a": "A!",
        "a,b,c": "A!, B! hoặc C!",
        "a+b": "A! và B!",
        "a,-b": "A! trừ B!",
        "-a,-b": "trừ A! hoặc B!",
        "a+b+-c": "A! và B! trừ C!",
    }
    for selector, words in expected.items():
        title = shared_client.get(f"/feeds/news/{selector}.json").get_json(force=True)[
            "title"
        ]
        assert (
            title
            == f"Tin tức mới nhất – {words} – Cổng thông tin điện tử thành phố Hà Nội"
        )


def test_lang_and_content(
    categorized: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    categorized.put(
        "/articles/en", {"title": "x", "language": "en", "content_text": "body"}
    )
    clock.forward(seconds=60)
    categorized.put(
        "/articles/gb", {"title": "x", "language": "en-GB", "categories": ["a"]}
    )
    assert ids(client, "/feeds/news.json?lang=EN") == ["gb", "en"]
    assert ids(client, "/feeds/news/a.json?lang=en-gb") == ["gb"]
    assert "en" not in ids(client, "/feeds/news.json?lang=vi")
    assert "<p>body</p>" in client.get("/feeds/news.json").text
    for format in ("rss", "atom", "json"):
        assert "<p>body</p>" not in client.get(
            f"/feeds/news.{format}?content=summary"
        ).text.replace("&lt;", "<")


def test_equal_queries_are_one_feed(shared_client: FlaskClient) -> None:
    plain = shared_client.get("/feeds/news/a.rss?limit=3&content=summary")
    for query in (
        "content=summary&limit=3",
        "limit=03&content=summary",
        "x=1&limit=3&when=nonsense&content=summary&lang_=vi",
        "limit=3&content=summary&ui=nonsense",
    ):
        other = shared_client.get(f"/feeds/news/a.rss?{query}")
        assert (other.data, other.headers["ETag"]) == (
            plain.data,
            plain.headers["ETag"],
        )
        assert other.headers["Link"] == (
            f'<{PUBLIC}/feeds/news/a.rss?limit=3&content=summary>; rel="self"'
        )


def follow_archives(client: FlaskClient, path: str) -> tuple[list[str], list[str]]:
    """Follow `prev-archive`; return the documents and the ids of all their entries."""
    documents: list[str] = []
    entry_ids: list[str] = []
    step: str | None = path
    while step:
        assert step not in documents
        documents.append(step)
        root: Any = etree.fromstring(client.get(step).data)
        links = {link.get("rel"): link.get("href") for link in root.findall("{*}link")}
        archive = (
            root.find("{http://purl.org/syndication/history/1.0}archive") is not None
        )
        assert archive == (len(documents) > 1) == ("current" in links)
        entry_ids += [entry.findtext("{*}id") for entry in root.findall("{*}entry")]
        step = links.get("prev-archive", "").removeprefix(PUBLIC) or None
    return documents, entry_ids


def test_archives_reach_every_entry(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    """Months begin and end in the site's time zone, not in UTC."""
    dates = [
        "2026-11-24T00:00:00+07:00",
        "2026-11-01T00:00:00+07:00",
        "2026-10-31T23:59:59.999999+07:00",
        "2026-08-15T12:00:00Z",
        "2026-07-31T17:00:00Z",
        "2026-07-31T16:59:59Z",
        "2024-02-29T12:00:00Z",
        "1970-01-01T00:00:00Z",
    ]
    for number, date in enumerate(dates):
        slugs = ["van-hoa"] if number % 2 else []
        editor.put(
            f"/articles/{number}",
            {"title": "x", "date_published": date, "categories": slugs},
        )
    clock.forward(seconds=10)
    documents, entry_ids = follow_archives(client, "/feeds/news.atom?limit=3")
    assert [path.partition("archive=")[2] for path in documents] == [
        "",
        "2026-08",
        "2026-07",
        "2024-02",
        "1970-01",
    ]
    assert len(entry_ids) == len(set(entry_ids)) == len(dates)
    documents, entry_ids = follow_archives(client, "/feeds/news.atom?limit=2")
    assert documents[1] == "/feeds/news.atom?archive=2026-10"
    documents, entry_ids = follow_archives(client, "/feeds/news/van-hoa.atom?limit=1")
    assert len(entry_ids) == len(set(entry_ids)) == 4
    documents, entry_ids = follow_archives(
        client, "/feeds/news/giao-thong,van-hoa.atom?limit=1&content=summary"
    )
    assert len(set(entry_ids)) == 4
    assert all(
        "content=summary" in path and "limit" not in path for path in documents[1:]
    )
    assert follow_archives(client, "/feeds/news.atom")[0] == ["/feeds/news.atom"], (
        "it holds all"
    )
    assert ids(client, "/feeds/news.json?archive=2026-11") == ["0", "1"]
    assert ids(client, "/feeds/news.json?archive=2026-09") == []
    page = client.get("/feeds/news.json?archive=2026-08").get_json(force=True)
    assert page["next_url"] == f"{PUBLIC}/feeds/news.json?archive=2026-07"
    assert page["_feed"]["previous_url"] == f"{PUBLIC}/feeds/news.json?archive=2026-10"


def test_archive_changes_only_with_its_entries_and_neighbours(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    for month in ("2026-08", "2026-09", "2026-10"):
        for day in ("05", "06"):
            document = {
                "title": "x",
                "date_published": f"{month}-{day}T00:00:00Z",
                "categories": ["van-hoa"],
            }
            editor.put(f"/articles/{month}-{day}", document)
    paths = [
        f"/feeds/news{selector}.rss?archive=2026-{month}"
        for selector in ("", "/van-hoa")
        for month in ("08", "09", "10", "11")
    ]

    def moved(action: Any) -> set[str]:
        clock.forward(hours=1)
        before = {path: client.get(path) for path in paths}
        action()
        clock.forward(hours=1)
        changed_paths = set()
        for path, old in before.items():
            now = client.get(path)
            assert (now.headers["ETag"] != old.headers["ETag"]) == (
                now.data != old.data
            ), path
            if now.data != old.data:
                changed_paths.add(
                    path.removeprefix("/feeds/news").replace(".rss?archive=2026", "")
                )
        return changed_paths

    assert "s-maxage=60" in client.get(paths[0]).headers["Cache-Control"], (
        "a take-down is not a day late"
    )
    # The first entry of a month: the document before it has a newer one now.
    assert moved(
        lambda: editor.put("/articles/new", {"title": "x", "categories": ["van-hoa"]})
    ) == {f"{place}-{month}" for place in ("", "/van-hoa") for month in ("10", "11")}
    assert moved(lambda: editor.put("/articles/other", {"title": "x"})) == {"-11"}
    assert moved(lambda: editor.send("DELETE", "/articles/2026-09-05")) == {
        "-09",
        "/van-hoa-09",
    }
    assert moved(
        lambda: editor.send("PATCH", "/articles/2026-08-05", {"title": "y"})
    ) == {
        "-08",
        "/van-hoa-08",
    }
    # The last entry of a month goes: the months beside it are linked to each other now.
    assert moved(lambda: editor.send("DELETE", "/articles/2026-09-06")) == {
        f"{place}-{month}" for place in ("", "/van-hoa") for month in ("08", "09", "10")
    }
    assert moved(lambda: clock.forward(days=6)) == set(), (
        "the time alone changes nothing"
    )
    assert moved(lambda: editor.put("/articles/december", {"title": "x"})) == {"-11"}


def left(client: FlaskClient, path: str) -> list[str]:
    root: Any = etree.fromstring(client.get(path).data)
    return [
        one.get("ref")
        for one in root.findall("{http://purl.org/atompub/tombstones/1.0}deleted-entry")
    ]


def test_entries_that_left_have_tombstones(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    def put(id: str, *slugs: str, **fields: Any) -> str:
        clock.forward(seconds=60)
        guid: str = editor.put(
            f"/articles/{id}", {"title": id, "categories": slugs, **fields}
        ).get_json()["guid"]
        return guid

    deleted, draft, moved = (
        put("deleted", "van-hoa"),
        put("draft", "van-hoa"),
        put("moved", "van-hoa"),
    )
    expired = put("expired", "van-hoa", expires="2026-11-25T13:00:00Z")
    never = put("never", "van-hoa", status="draft")
    put("stays", "van-hoa", "giao-thong")
    editor.send("DELETE", "/articles/deleted")
    clock.forward(seconds=1)
    put("draft", "giao-thong", status="draft")
    put("moved", "giao-thong")
    editor.send("DELETE", "/articles/never")
    clock.now = clock.now.replace(hour=13)
    services(editor).apply_scheduled_changes()
    clock.forward(seconds=10)
    gone = [expired, draft, deleted]
    for path in ("", "/van-hoa", "/giao-thong,van-hoa", "/van-hoa,-giao-thong"):
        assert left(client, f"/feeds/news{path}.atom") == gone, path
    assert left(client, "/feeds/news/giao-thong.atom") == []
    assert left(client, "/feeds/news/giao-thong+van-hoa.atom") == []
    assert left(client, "/feeds/events.atom") == []
    assert moved not in gone
    assert never not in gone
    listed = client.get("/feeds/news/van-hoa.json").get_json(force=True)["_deleted"][
        "items"
    ]
    assert [item["id"] for item in listed] == gone
    # A draft's changes move nothing, wherever it is categorized.
    before = client.get("/feeds/news/van-hoa.atom")
    put("draft", "van-hoa", "giao-thong", status="draft", language="en")
    assert client.get("/feeds/news/van-hoa.atom").data == before.data
    assert client.get("/feeds/news/giao-thong.atom").data.count(b"deleted-entry") == 0
    # What comes back has no tombstone, and its guid.
    assert put("deleted", "van-hoa") == deleted
    assert left(client, "/feeds/news.atom") == [expired, draft]
    # Only what left since the oldest entry shown, where there are more entries.
    put("newest", "van-hoa")
    assert left(client, "/feeds/news.atom?limit=1") == []


def services(editor: ApiClient) -> Any:
    from feedsvc.services import get_services

    return get_services(editor.client.application).storage


EVENTS = {  # the clock stands at 2026-11-25T03:00:00Z, 10:00 in Hà Nội
    "long-past": {"start": "2026-10-01"},
    "past": {"start": "2026-11-20T19:00:00", "end": "2026-11-20T21:00:00"},
    "running": {"start": "2026-11-24", "end": "2026-11-27"},
    "over-midnight": {
        "start": "2026-11-30T22:00:00",
        "end": "2026-12-01T02:00:00",
        "event_status": "cancelled",
    },
    "moment": {"start": "2026-12-02T00:00:00"},
    "next-year": {"start": "2027-01-01T08:00:00", "end": "2027-01-01T09:00:00"},
}


@pytest.fixture(scope="module")
def client_with_events(shared_editor: ApiClient, shared_clock: Clock) -> FlaskClient:
    for id, fields in EVENTS.items():
        shared_clock.forward(seconds=1)
        event = {"title": id, "categories": ["van-hoa"], **fields}
        shared_editor.put(f"/events/{id}", event)
    return shared_editor.client


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "next-year moment over-midnight running"),
        ("?when=recent", "next-year moment over-midnight running past"),
        ("?when=past", "past long-past"),
        ("?when=all", "next-year moment over-midnight running past long-past"),
        ("?order=start", "running over-midnight moment next-year"),
        (
            "?order=start&when=all",
            "long-past past running over-midnight moment next-year",
        ),
        ("?order=start&when=past", "past long-past"),
        ("?order=start&limit=2", "running over-midnight"),
        ("?from=2026-12-01", "next-year moment over-midnight"),
        ("?from=2026-12-02&to=2026-12-02", "moment"),
        ("?from=2026-12-01&to=2026-12-01", "over-midnight"),
        ("?to=2026-11-20", "past long-past"),
        ("?to=2026-11-30&when=upcoming", "over-midnight running"),
        ("?from=2026-11-27&to=2026-11-29", ""),
        ("?from=2026-11-26&to=2026-11-26", "running"),
        ("?cancelled=hide", "next-year moment running"),
    ],
)
def test_periods_and_windows_of_events(
    client_with_events: FlaskClient, query: str, expected: str
) -> None:
    for place in ("", "/van-hoa", "/giao-thong,van-hoa"):
        path = f"/feeds/events{place}.json{query}"
        assert ids(client_with_events, path) == expected.split()


def test_date_of_an_event_is_its_publication_or_start(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/events/e", {"title": "e", "start": "2026-12-24T19:00:00"})
    for format in ("rss", "atom"):
        (entry,) = feedparser.parse(client.get(f"/feeds/events.{format}").data).entries
        assert entry.published_parsed[:3] == (2026, 11, 25)
        (entry,) = feedparser.parse(
            client.get(f"/feeds/events.{format}?date=start").data
        ).entries
        assert entry.published_parsed[:5] == (2026, 12, 24, 12, 0)


def test_recent_events_leave_after_thirty_days(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    editor.put(
        "/events/e",
        {"title": "e", "start": "2026-11-25T20:00:00", "end": "2026-11-25T21:00:00"},
    )
    clock.now = clock.now.replace(month=12, day=25, hour=13, minute=59, second=30)
    before = client.get("/feeds/events.json?when=recent")
    assert len(before.get_json(force=True)["items"]) == 1
    assert "max-age=30" in before.headers["Cache-Control"]
    clock.forward(seconds=30)
    after = client.get(
        "/feeds/events.json?when=recent",
        headers={"If-Modified-Since": before.headers["Last-Modified"]},
    )
    assert after.get_json(force=True)["items"] == []


@pytest.mark.parametrize(
    "path",
    ["/", "/feeds.opml", "/api/v1/categories", "/feeds/news.rss", "/feeds/events.ics"],
)
def test_unchanged_resource_has_a_last_modified_of_2000(
    client: FlaskClient, path: str
) -> None:
    response = client.get(path)
    assert response.last_modified
    assert response.last_modified.year == 2000
    assert "1970" not in response.text


def test_short_urls_redirect(shared_client: FlaskClient) -> None:
    for requested, to in (
        ("/feeds/news", "/feeds/news.html"),
        ("/feeds/events", "/feeds/events.html"),
        ("/feeds/", "/"),
        ("/feeds", "/"),
    ):
        response = shared_client.get(requested)
        assert (response.status_code, response.headers["Location"]) == (
            301,
            f"{PUBLIC}{to}",
        )
    assert shared_client.get("/feeds/tin").status_code == 404
    robots = shared_client.get("/robots.txt")
    assert robots.mimetype == "text/plain"
    assert "Disallow: /api/" in robots.text
    icon = shared_client.get("/favicon.ico")
    assert icon.data.startswith(b"\0\0\1\0")
    assert icon.headers["Content-Type"] == "image/vnd.microsoft.icon"


def test_opml_has_a_folder_for_each_kind(shared_client: FlaskClient) -> None:
    root: Any = etree.fromstring(shared_client.get("/feeds.opml").data)
    folders = root.findall("body/outline")
    assert [folder.get("text") for folder in folders] == ["Tin tức", "Sự kiện"]
    for kind, folder in zip(("news", "events"), folders, strict=True):
        assert folder.keys() == ["text"], "validators warn of a title without a type"
        paths = [feed.get("xmlUrl").removeprefix(PUBLIC) for feed in folder]
        assert paths[0] == f"/feeds/{kind}.rss"
        slugs = ("a", "b", "c", "d", "giao-thong", "van-hoa")  # the last two are empty
        assert sorted(paths[1:]) == [f"/feeds/{kind}/{slug}.rss" for slug in slugs]
        for feed in folder:
            assert len(feed) == 0
            assert feed.get("type") == "rss"
            assert feed.get("htmlUrl")
            assert (
                shared_client.get(feed.get("xmlUrl").removeprefix(PUBLIC)).status_code
                == 200
            )


def test_opml_titles_name_kind_and_category(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/categories/tiep-dan", {"title": "Tiếp dân"})
    editor.put("/categories/dai", {"title": "Rất dài " * 25})
    root: Any = etree.fromstring(client.get("/feeds.opml").data)
    feeds = {
        feed.get("xmlUrl").removeprefix(PUBLIC): feed
        for feed in root.iter("outline")
        if feed.get("xmlUrl")
    }
    assert feeds["/feeds/news/tiep-dan.rss"].get("text") == "Tin tức – Tiếp dân"
    assert feeds["/feeds/events/tiep-dan.rss"].get("text") == "Sự kiện – Tiếp dân"
    assert feeds["/feeds/news.rss"].get("text") == "Tin tức mới nhất"
    for feed in feeds.values():
        assert feed.get("title") == feed.get("text")
        assert len(feed.get("text")) <= 200
    assert feeds["/feeds/news/dai.rss"].get("text").endswith("…")


def test_pages_of_feeds_are_for_people_and_not_all_for_crawlers(
    shared_client: FlaskClient,
) -> None:
    assert "X-Robots-Tag" not in shared_client.get("/feeds/news.html").headers
    assert "X-Robots-Tag" not in shared_client.get("/feeds/news/a.html").headers
    for path in (
        "/feeds/news/a,b.html",
        "/feeds/news.html?limit=5",
        "/feeds/news.html?archive=2026-11",
        "/feeds/news/-a.html",
    ):
        assert shared_client.get(path).headers["X-Robots-Tag"] == "noindex", path
    page = shared_client.get("/feeds/news/a.html?limit=1").text
    assert '<link rel="alternate" type="application/rss+xml"' in page
    assert (
        'rel="nofollow" href="https://feeds.example/feeds/news/a.html?archive=2026-11"'
        in page
    )
    assert '<html lang="en">' in shared_client.get("/feeds/news.html?ui=en").text
    assert (
        json.loads(shared_client.get("/feeds/news/a.json").data)["items"][0]["title"]
        in page
    )
