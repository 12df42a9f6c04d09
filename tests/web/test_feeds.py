"""Category filters, pages, periods and orders of feeds, and OPML, through HTTP."""

import os
import re
from html import unescape
from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from tests.conftest import ApiClient, MakeApp
from tests.data import read_tables
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.server import ROOT
from tests.web.feeds import calendar, ids, items

PUBLIC = "https://feeds.example"
TABLES = read_tables("web")
EVENTS = TABLES["events"]


def add_categorized_articles(editor: ApiClient, clock: Clock) -> None:
    """Add an article for each set of the categories a, b and c; c is a child of d."""
    editor.put("/categories/d", {"title": "Dê"})
    for slug in "abc":
        parent = {"parent": "d"} if slug == "c" else {}
        editor.put(f"/categories/{slug}", {"title": f"{slug.upper()}!", **parent})
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


@pytest.mark.parametrize(("selector", "expected"), TABLES["filters"])
def test_category_filter_selects_entries(
    shared_client: FlaskClient, selector: str, expected: str
) -> None:
    path = f"/feeds/news/{selector}.json"
    assert ids(shared_client, path) == expected.split()


@pytest.mark.parametrize("format", ["rss", "html"])
@pytest.mark.parametrize(("requested", "canonical"), TABLES["spellings"])
def test_other_spelling_redirects_to_the_canonical_one(
    shared_client: FlaskClient, format: str, requested: str, canonical: str
) -> None:
    response = shared_client.get(f"/feeds/news/{requested}.{format}?limit=5&x=y")
    assert response.status_code == 301
    path = f"/feeds/news/{canonical}.{format}?limit=5"
    assert response.headers["Location"] == PUBLIC + path
    assert shared_client.get(path).status_code == 200


def test_escaped_signs_need_no_redirect(shared_client: FlaskClient) -> None:
    for selector in ("a%2Cb", "a%2Bb", "a%20b", "a,%2Dc", "a%2bb%2b-c"):
        response = shared_client.get(f"/feeds/news/{selector}.rss")
        assert response.status_code == 200, selector


def test_renamed_category_redirects_every_combination(
    categorized: ApiClient, client: FlaskClient
) -> None:
    categorized.send("PATCH", "/categories/a", {"slug": "z"})
    for selector, now in TABLES["renamed"]:
        location = f"{PUBLIC}/feeds/news/{selector}.atom?limit=3"
        status = 301
        while status == 301:
            response = client.get(location.removeprefix(PUBLIC))
            status = response.status_code
            location = response.headers.get("Location", location)
        assert status == 200
        assert location == f"{PUBLIC}/feeds/news/{now}.atom?limit=3"


def test_unknown_category_is_404_and_a_deleted_one_410(
    categorized: ApiClient, client: FlaskClient
) -> None:
    categorized.put("/categories/former", {"title": "x"})
    categorized.send("PATCH", "/categories/former", {"slug": "later"})
    categorized.send("DELETE", "/categories/later")
    categorized.send("DELETE", "/categories/b")
    for status, selectors in (
        (404, ("none", "a,none", "-none", "A,NONE")),
        (410, ("b", "B", "a+b", "B+A+-c", "b,-a", "b,former", "former")),
    ):
        for selector in selectors:
            for path in (f"news/{selector}.rss", f"events/{selector}.ics?q=x"):
                assert client.get(f"/feeds/{path}").status_code == status


@pytest.mark.parametrize(
    ("kind", "format"),
    [(kind, each.suffix) for each in FORMATS.values() for kind in each.kinds],
)
def test_deleted_category_drops_out_of_every_combination(
    kind: str, format: str, categorized: ApiClient, client: FlaskClient
) -> None:
    for slug in ("a1", "b1", "c1"):
        categorized.put(f"/categories/{slug}", {"title": slug})
        categorized.send("DELETE", f"/categories/{slug}")
    statuses = set()
    states = [["", slug, f"-{slug}", f"{slug}1", f"-{slug}1"] for slug in "abc"]
    for separator, *terms in product(",+", *states):
        named = [term for term in terms if term]
        left = [term for term in named if "1" not in term]
        wanted = [term for term in named if "-" not in term]
        lost = [term for term in wanted if "1" in term]
        if not named:
            continue
        url = f"/feeds/{kind}/{separator.join(named)}.{format}?limit=3"
        response = client.get(url)
        statuses.add(response.status_code)
        if lost and (separator == "+" or lost == wanted):
            assert response.status_code == 410, url
        elif left == named:
            assert response.status_code in {200, 301}, url
        else:
            assert response.status_code == 302, url
            assert response.headers["Cache-Control"] == "no-store"
            # Inclusions come first, and only several are joined by “+”.
            left.sort(key=lambda term: "-" in term)
            sign = "+" if separator == "+" and len(wanted) > 1 else ","
            selector = f"/{sign.join(left)}" if left else ""
            expected = f"{PUBLIC}/feeds/{kind}{selector}.{format}?limit=3"
            assert response.headers["Location"] == expected, url
    assert statuses == {200, 301, 302, 410}


def test_restored_category_is_in_its_feeds_again(
    categorized: ApiClient, client: FlaskClient
) -> None:
    categorized.send("PATCH", "/categories/a", {"slug": "z"})
    assert client.get("/feeds/news/b,z.rss").status_code == 200
    categorized.send("DELETE", "/categories/b")
    response = client.get("/feeds/news/B,A.rss?q=ab")
    assert response.status_code == 302
    assert response.headers["Location"] == f"{PUBLIC}/feeds/news/z.rss?q=ab"
    categorized.put("/categories/b", {"title": "B!"})
    assert client.get("/feeds/news/b,z.rss").status_code == 200


@pytest.mark.parametrize("format", ["rss", "html", "ics"])
def test_bad_category_filter_is_a_problem_document(
    shared_client: FlaskClient, format: str
) -> None:
    for selector in TABLES["bad_filters"]:
        response = shared_client.get(f"/feeds/events/{selector}.{format}")
        assert response.status_code == 400, selector
        assert response.mimetype == "application/problem+json"
        assert response.get_json()["detail"].endswith(".")


def test_url_of_no_feed_is_404_with_a_hint(shared_client: FlaskClient) -> None:
    for path, hint in TABLES["no_feeds"]:
        response = shared_client.get(f"/feeds/{path}")
        assert response.status_code == 404
        assert hint in response.get_json()["detail"]


def test_title_names_the_categories(shared_client: FlaskClient) -> None:
    for selector, words in TABLES["titles"]:
        feed = shared_client.get(f"/feeds/news/{selector}.json").get_json(force=True)
        site = "Cổng thông tin điện tử thành phố Hà Nội"
        assert feed["title"] == f"Tin tức mới nhất – {words} – {site}"


@pytest.mark.parametrize(
    ("format", "link"),
    [
        ("rss", 'rel="{}"[^>]* href="{}"'),
        ("atom", 'rel="{}"[^>]* href="{}"'),
        ("json", '"{}_url": "{}"'),
        ("html", 'rel="{}[^>]* href="{}"'),
    ],
)
@pytest.mark.parametrize("path", ["news", "news/b,-a"])
def test_pages_reach_every_entry_once(
    shared_client: FlaskClient, format: str, link: str, path: str
) -> None:
    everything = ids(shared_client, f"/feeds/{path}.json")
    url = f"{PUBLIC}/feeds/{path}.{format}?limit=1"
    expected = {"self": url}
    reached = []
    while True:
        response = shared_client.get(url.removeprefix(PUBLIC))
        header = ", ".join(response.headers.getlist("Link"))
        links = dict(re.findall('<([^>]*)>; rel="([a-z]+)"', header))
        links = {relation: target for target, relation in links.items()}
        assert links.items() >= expected.items()
        assert links.keys() <= {"self", "next", "previous"}
        # JSON Feed has no member for the previous page, and HTML calls it “prev”.
        for relation in links.keys() - {"self"}:
            name = "prev" if format == "html" and relation != "next" else relation
            pattern = link.format(name, re.escape(links[relation]))
            is_shown = re.search(pattern, unescape(response.text))
            assert is_shown or (format, relation) == ("json", "previous")
        json_path = url.removeprefix(PUBLIC).replace(f".{format}?", ".json?")
        reached += ids(shared_client, json_path)
        if "next" not in links:
            break
        expected = {"self": links["next"], "previous": url}
        url = links["next"]
    assert reached == everything
    behind = f"/feeds/{path}.{format}?limit=1&page={len(everything) + 1}"
    assert shared_client.get(behind).status_code == 404


def test_last_page_that_may_be_asked_for_has_no_next_one(
    shared_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedsvc.feeds.build.MAX_PAGE", 3)
    for page, has_next in ((2, True), (3, False)):
        path = f"/feeds/news.rss?limit=2&page={page}"
        links = shared_client.get(path).headers.getlist("Link")
        assert ("next" in str(links)) is has_next


@pytest.mark.parametrize(("feed", "rises"), TABLES["ties"])
def test_ties_are_sorted_by_guid_in_the_same_direction(
    editor: ApiClient, client: FlaskClient, feed: str, rises: bool
) -> None:
    day = "2026-11-20" if "past" in feed else "2026-12-24"
    document = {"title": "x", "date_published": "2026-11-20T08:00:00Z"}
    for number in range(8):
        editor.put(f"/articles/a{number}", document)
        editor.put(f"/events/{number}", {**document, "start": day})
    guids = [item["id"] for item in items(client, f"/feeds/{feed}")]
    assert len(guids) == 8
    assert guids == sorted(guids, reverse=not rises)


@pytest.mark.both_databases
def test_entry_that_is_not_public_is_in_no_feed(
    editor: ApiClient, client: FlaskClient, clock: Clock, wait: Wait
) -> None:
    def is_shown(text: str = "Hội sách") -> bool:
        wait(seconds=1)
        path = "/feeds/events.{}?when=all"
        shown = [name for name in FORMATS if text in client.get(path.format(name)).text]
        assert shown in ([], [*FORMATS]), f"feedsvc/formats: only {shown}"
        return bool(shown)

    event = {"title": "Hội sách", "start": "2026-12-24"}
    editor.put("/events/e", {**event, "status": "draft"})
    assert not is_shown()
    published = {"date_published": "2026-11-26T00:00:00Z"}
    editor.put("/events/e", {**event, **published})
    assert not is_shown()
    clock.now = clock.now.replace(day=26, hour=0)
    assert is_shown()
    editor.put("/events/e", {**event, "expires": "2026-11-26T05:00:00Z"})
    assert is_shown()
    clock.forward(hours=5)
    assert not is_shown()
    # Withdrawn while it was public, it leaves when it would have left anyway.
    withdrawal = {"status": "withdrawn", "expires": "2026-11-26T06:00:00Z"}
    editor.send("PATCH", "/events/e", withdrawal)
    assert is_shown()
    clock.forward(hours=1)
    assert not is_shown()
    editor.put("/events/e", event)
    withdrawal = {"status": "withdrawn", "notice": "Nhầm."}
    editor.put("/events/e", {**event, **withdrawal})
    assert is_shown("Nhầm.")
    clock.forward(days=30)
    assert not is_shown()
    editor.put("/events/e", {**event, "start": "2027-12-24"})
    assert is_shown()
    editor.send("DELETE", "/events/e")
    assert not is_shown()


@pytest.fixture(scope="module")
def client_with_events(shared_editor: ApiClient, shared_clock: Clock) -> FlaskClient:
    for id, fields in EVENTS.items():
        shared_clock.forward(seconds=1)
        event = {"title": id, "categories": ["van-hoa"], **fields}
        shared_editor.put(f"/events/{id}", event)
    return shared_editor.client


@pytest.mark.parametrize(("query", "expected"), TABLES["windows"])
def test_periods_and_windows_of_events(
    client_with_events: FlaskClient, query: str, expected: str
) -> None:
    for place in ("", "/van-hoa", "/giao-thong,van-hoa"):
        path = f"/feeds/events{place}.json{query}"
        assert ids(client_with_events, path) == expected.split()


def test_without_a_first_day_a_series_stands_at_its_next_date(
    editor: ApiClient, client: FlaskClient
) -> None:
    weekly = {"start": "2026-11-07", "recurrence": {"rrule": "FREQ=WEEKLY"}}
    editor.put("/events/weekly", {"title": "x", **weekly})
    editor.put("/events/single", {"title": "x", "start": "2026-11-27"})
    path = "/feeds/events.json?to=2026-12-20&order=start"
    assert ids(client, path) == ["single", "weekly"]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"])
def test_all_day_event_is_on_its_days_whatever_its_zone(
    editor: ApiClient, client: FlaskClient, wait: Wait, zone: str
) -> None:
    document = {"title": "x", "start": "2026-11-25", "timezone": zone}
    editor.put("/events/e", document)
    for day, expected in ((24, []), (25, ["e"]), (26, [])):
        window = f"from=2026-11-{day}&to=2026-11-{day}"
        assert ids(client, f"/feeds/events.json?{window}") == expected
    wait(hours=13, minutes=59)
    (item,) = items(client, "/feeds/events.json?date=start")
    assert item["date_published"] == "2026-11-25T00:00:00+07:00"
    # Without an end, it lasts until midnight.
    wait(minutes=1)
    assert ids(client, "/feeds/events.json") == []


def titles_in_calendar(client: FlaskClient, query: str = "") -> list[str]:
    events = calendar(client, f"/feeds/events.ics{query}").events
    return [str(event["SUMMARY"]).split()[-1] for event in events]


@pytest.mark.both_databases
def test_calendar_has_the_nearest_events_and_then_those_that_ended_last(
    editor: ApiClient, client: FlaskClient
) -> None:
    events: dict[str, Any] = {**EVENTS, **TABLES["more_events"]}
    for id, fields in events.items():
        editor.put(f"/events/{id}", {"title": id, "categories": ["van-hoa"], **fields})
    order = ["running", "over-midnight", "weekly", "moment", "next-year"]
    past = ["ended-last", "past", "long-past"]
    for limit in range(1, len(events) + 1):
        query = f"?limit={limit}"
        expected = {*order[:limit], *past[: max(0, limit - len(order))]}
        assert set(titles_in_calendar(client, query)) == expected
    assert titles_in_calendar(client, "?when=upcoming&limit=1") == order[:1]
    assert titles_in_calendar(client, "?when=past&limit=1") == past[:1]


def test_calendar_lists_events_by_guid(editor: ApiClient, client: FlaskClient) -> None:
    for id in "abcdefgh":
        event = {"title": "x", "start": "2026-12-24T19:00:00"}
        editor.put(f"/events/{id}", event)
    uids = [str(event["UID"]) for event in calendar(client).events]
    assert uids == sorted(uids)
    # A limit cuts the highest guids of ties.
    cut = calendar(client, "/feeds/events.ics?limit=5").events
    assert [str(event["UID"]) for event in cut] == uids[:5]


@pytest.mark.parametrize(("requested", "location"), TABLES["short"])
def test_short_url_redirects(
    shared_client: FlaskClient, requested: str, location: str
) -> None:
    response = shared_client.get(requested)
    assert response.status_code == 301
    assert response.headers["Location"] == PUBLIC + location


def test_robots_and_icon(shared_client: FlaskClient) -> None:
    robots = shared_client.get("/robots.txt", buffered=True)
    assert "max-age=3600" in robots.headers["Cache-Control"]
    assert robots.mimetype == "text/plain"
    assert "Disallow: /api/" in robots.text
    # The longer rule wins (RFC 9309 §2.2.2), over those of combinations and parameters.
    assert "Allow: /feeds/*.ics" in robots.text
    icon = shared_client.get("/favicon.ico", buffered=True)
    assert icon.data.startswith(b"\0\0\1\0")
    assert icon.headers["Content-Type"] == "image/vnd.microsoft.icon"


def test_etag_of_a_file_is_equal_on_all_machines(
    shared_client: FlaskClient,
) -> None:
    file = ROOT / "feedsvc/pages/static/style.css"
    time = file.stat().st_mtime
    etags = set()
    for modified in (time - 60, time):
        os.utime(file, (modified, modified))
        response = shared_client.get("/static/style.css", buffered=True)
        assert "max-age=3600" in response.headers["Cache-Control"]
        etags.add(response.headers["ETag"])
    assert len(etags) == 1
    headers = {"If-None-Match": etags.pop()}
    again = shared_client.get("/static/style.css", headers=headers, buffered=True)
    assert again.status_code == 304


@pytest.mark.parametrize(("path", "is_indexed"), TABLES["indexed"])
def test_only_sections_and_categories_are_indexed(
    shared_client: FlaskClient, path: str, is_indexed: bool
) -> None:
    headers = shared_client.get(f"/feeds/{path}").headers
    assert headers.get("X-Robots-Tag") == (None if is_indexed else "noindex")


@pytest.mark.parametrize(("name", "is_announced"), TABLES["announced"])
def test_only_feeds_announced_to_hubs_link_to_them(
    make_app: MakeApp, editor: ApiClient, name: str, is_announced: bool
) -> None:
    app = make_app(hubs=("https://hub.example/",))
    response = app.test_client().get(f"/feeds/{name}")
    links = response.headers.getlist("Link")
    assert ('<https://hub.example/>; rel="hub"' in links) == is_announced
    assert ("https://hub.example/" in response.text) == is_announced
