"""Every parameter of feeds: good and bad values, defaults, spellings, titles."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS, PARAMETERS
from tests.conftest import ApiClient
from tests.fake_clock import Clock

PUBLIC = "https://feeds.example"

GOOD = {
    "limit": ["1", "5", "100"],
    "page": ["2"],
    "content": ["summary"],
    "lang": ["vi", "en-gb", "zh-hant-tw", "sl-rozaj-biske-1994"],
    "q": ["cau+giay", "c", "2026+da+nang", "+".join("abcdefghij"), "d" * 100],
    "period": ["today", "week", "weekend", "month", "1", "366", "2026-12-24"],
    "from": ["2026-12-24", "2016-11-25", "2031-11-25", "2028-02-29"],
    "to": ["2026-12-24", "2016-11-25", "2031-11-25"],
    "when": ["all", "past"],
    "order": ["start"],
    "date": ["start"],
    "cancelled": ["hide"],
    "ui": ["en"],
}
"""Values that are no default, as the canonical URL has them."""

BAD = {
    "limit": "0|-1|+5|1.5|| 5|5 |1e2|٥|１|five|0x10|99999999999|%00".split(
        "|"
    ),
    "page": ["0", "1001", "99999", "", "x", "-1", "1.0"],
    "content": ["", "FULL", "none", "full,summary"],
    "lang": [
        "",
        "v",
        "vietnamese-",
        "vi_VN",
        "*",
        "vi vn",
        "việt",
        "abcd",
        "%ff",
    ],
    "q": [" ".join("abcdefghijk"), "x" * 101, "ß" * 51],
    "period": "|0|367|-1|+7|1.5|Today|tomorrow|2026-02-30|20261224|2031-11-26".split(
        "|"
    ),
    "from": "|2026-02-30|2026-12|1969-12-31|20261224|2026-12-24T00:00:00|today"
    "|2016-11-24|2031-11-26".split("|"),
    "to": ["", "24-12-2026", "2026-12-32", "2016-11-24", "2031-11-26"],
    "when": ["", "now", "UPCOMING"],
    "order": ["", "title", "start,published"],
    "date": ["", "end"],
    "cancelled": ["", "show"],
    "ui": ["", "pt", "EN"],
}


def path_of(name: str) -> str:
    """Return the path of a feed of events that has a parameter."""
    return f"/feeds/events.{'html' if name == 'ui' else 'rss'}"


@pytest.fixture(scope="module")
def shared_client(shared_editor: ApiClient) -> FlaskClient:
    """Return a client of an application with three pages of one event."""
    for id in ("a", "b", "c"):
        shared_editor.put(
            f"/events/{id}", {"title": "Hội", "start": "2026-12-24"}
        )
    return shared_editor.client


def test_every_parameter_has_values() -> None:
    assert set(PARAMETERS) == set(GOOD) == set(BAD), (
        "GOOD and BAD in this file"
    )


@pytest.mark.parametrize("name", GOOD)
def test_good_value_is_in_the_canonical_url(
    shared_client: FlaskClient, name: str
) -> None:
    for value in GOOD[name]:
        path = f"{path_of(name)}?{name}={value}"
        # The second page needs a first one that is full.
        path = path.replace("?page=", "?limit=1&page=")
        response = shared_client.get(f"{path}&utm_source=x")
        assert response.status_code == 200, response.text
        links = response.headers["Link"]
        assert f"<{PUBLIC}{path}>" in links, (
            "str of the value in feeds/query.py"
        )


@pytest.mark.parametrize("name", BAD)
def test_bad_value_is_refused_by_name(
    shared_client: FlaskClient, name: str
) -> None:
    for value in BAD[name]:
        path = f"{path_of(name)}?{name}={value}"
        response = shared_client.get(path.replace("+", "%2B"))
        assert response.status_code == 400, value
        assert response.mimetype == "application/problem+json"
        assert f"“{name}”" in response.get_json()["detail"]


@pytest.mark.parametrize("name", GOOD)
def test_repeated_parameter_is_refused(
    shared_client: FlaskClient, name: str
) -> None:
    value = f"{name}={GOOD[name][0]}"
    response = shared_client.get(f"{path_of(name)}?{value}&{value}")
    assert response.status_code == 400
    assert f"“{name}” is given twice" in response.get_json()["detail"]


@pytest.mark.parametrize("format", FORMATS)
def test_odd_characters_in_a_search_are_no_error(
    shared_client: FlaskClient, format: str
) -> None:
    # NUL, a control character, a noncharacter, a lone surrogate, and no UTF-8.
    for text in ("%00", "%01", "%EF%BF%BE", "%ED%A0%80", "%FF"):
        path = f"/feeds/events.{format}?q=a{text}"
        assert shared_client.get(path).status_code in (200, 400)


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("news.rss?category=a", 400, "a part of the path"),
        ("news.rss?tag=a", 400, "a part of the path"),
        ("events.rss?since=2026-12-24", 400, "“from” and “to”"),
        (
            "events.rss?from=2026-12-02&to=2026-12-01",
            400,
            "“to” must not be before",
        ),
        ("events.ics?period=week&from=2026-12-02", 400, "“period” cannot"),
        ("events.rss?period=7&to=2026-12-02", 400, "“period” cannot"),
    ],
)
def test_error_has_a_hint(
    shared_client: FlaskClient, path: str, status: int, detail: str
) -> None:
    response = shared_client.get(f"/feeds/{path}")
    assert response.status_code == status
    assert detail in response.get_json()["detail"]


@pytest.mark.parametrize(
    ("plain", "same"),
    [
        (
            "events.rss",
            "limit=50&page=1&content=full&when=upcoming&order=published",
        ),
        (
            "events.rss",
            "date=published&cancelled=mark&ui=zz&lang_=vi&utm_source=x",
        ),
        ("events.html", "limit=20&content=summary&order=start&ui=vi"),
        ("events.ics", "limit=2000&when=all&page=x&order=x&date=x"),
        ("events.rss?from=2026-12-01", "when=all"),
        ("events.html?period=week", "when=all&order=start"),
        (
            "news.rss",
            "period=x&when=x&from=x&to=x&order=x&date=x&cancelled=x&limit=50",
        ),
        ("news.rss?q=cau", "q=C%E1%BA%A6U+c%E1%BA%A7u"),
        ("news.rss", "q=+%21"),
        ("events.rss?lang=en-gb", "lang=EN-gb"),
        ("events.rss?limit=3&content=summary", "content=summary&limit=3"),
    ],
)
def test_defaults_and_other_spellings_are_the_same_feed(
    shared_client: FlaskClient, plain: str, same: str
) -> None:
    base, _, query = plain.partition("?")
    names = {part.partition("=")[0] for part in same.split("&")}
    kept = [
        part
        for part in query.split("&")
        if part.partition("=")[0] not in names
    ]
    expected = shared_client.get(f"/feeds/{plain}")
    response = shared_client.get(f"/feeds/{base}?{'&'.join([*kept, same])}")
    assert response.status_code == 200, response.text
    assert response.data == expected.data
    for name in ("ETag", "Link", "Cache-Control"):
        assert response.headers[name] == expected.headers[name]


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("news.rss?limit=101", "news.rss?limit=100"),
        (
            "events.html?limit=200&content=full",
            "events.html?limit=100&content=full",
        ),
        ("events.json?limit=1000", "events.json?limit=100"),
        ("events.ics?limit=2001", "events.ics"),
        ("events.ics?period=07", "events.ics?period=7"),
    ],
)
def test_other_spellings_are_redirected(
    shared_client: FlaskClient, given: str, canonical: str
) -> None:
    response = shared_client.get(f"/feeds/{given}")
    assert response.status_code == 301
    assert response.headers["Location"] == f"{PUBLIC}/feeds/{canonical}"
    assert shared_client.get(f"/feeds/{canonical}").status_code == 200


@pytest.mark.parametrize(
    ("page", "feeds"),
    [
        (
            "?content=full&lang=en",
            {"rss": "?lang=en", "ics": "?content=full&amp;lang=en"},
        ),
        ("?limit=1&page=2&ui=en", {"rss": "?limit=1", "ics": "?limit=1"}),
        ("?limit=50&order=published", {"rss": "", "ics": "?limit=50"}),
        ("?when=all", {"rss": "?when=all", "ics": ""}),
    ],
)
def test_page_links_to_the_same_feed_in_other_formats(
    shared_client: FlaskClient, page: str, feeds: dict[str, str]
) -> None:
    text = shared_client.get(f"/feeds/events.html{page}").text
    links = re.findall(r'<link rel="alternate"[^>]* href="([^"]*)"', text)
    for format, query in feeds.items():
        assert f"{PUBLIC}/feeds/events.{format}{query}" in links


SELECTED = {
    "language": "vi",
    "title": "Cầu Giấy",
    "start": "2026-12-24T19:00:00",
    "categories": ["van-hoa"],
}
REJECTED: dict[str, dict[str, Any]] = {
    "lang=vi": {"language": "en"},
    "q=cau": {"title": "Giấy"},
    "period=2026-12-24": {"start": "2026-12-23T19:00:00"},
    "from=2026-12-24": {"start": "2026-12-23T19:00:00"},
    "to=2026-12-24": {"start": "2026-12-25T19:00:00"},
    "when=upcoming": {"start": "2026-11-24T19:00:00"},
    "cancelled=hide": {"event_status": "cancelled"},
}
CHANGED = {
    "limit": ("", "limit=1"),
    "page": ("limit=1", "limit=1&page=2"),
    "content": ("", "content=summary"),
    "order": ("", "order=start"),
    "date": ("", "date=start"),
    "ui": ("", "ui=en"),
}
"""Queries of different documents, by the parameters that select no entries."""


def test_every_parameter_has_an_effect_that_is_tested() -> None:
    tested = {
        parameter.partition("=")[0] for parameter in REJECTED
    } | CHANGED.keys()
    assert set(PARAMETERS) == tested, "REJECTED or CHANGED in this file"


@pytest.mark.parametrize("name", CHANGED)
def test_parameter_changes_the_document(
    editor: ApiClient, client: FlaskClient, name: str
) -> None:
    editor.put(
        "/events/a", {**SELECTED, "content_text": "Một", "summary": "Hai"}
    )
    editor.put("/events/b", {**SELECTED, "start": "2026-12-25"})
    documents = {
        # Addresses differ in any case, since they contain the parameters.
        re.sub(
            'https://[^"<]*', "", client.get(f"{path_of(name)}?{query}").text
        )
        for query in CHANGED[name]
    }
    assert len(documents) == 2, f"{name} has no effect in feedsvc/formats"


@pytest.mark.both_databases
@pytest.mark.parametrize("parameter", REJECTED)
def test_parameter_selects_entries_beside_each_other_one(
    editor: ApiClient, client: FlaskClient, clock: Clock, parameter: str
) -> None:
    editor.put("/events/selected", SELECTED)
    editor.put("/events/rejected", {**SELECTED, **REJECTED[parameter]})
    for other in REJECTED:
        names = {text.partition("=")[0] for text in (parameter, other)}
        if "period" in names and names & {"from", "to"}:
            continue
        for path in ("", "/van-hoa", "/van-hoa,-giao-thong"):
            query = "&".join({parameter, other})
            response = client.get(f"/feeds/events{path}.json?{query}")
            items = response.get_json(force=True)["items"]
            ids = [item["_entry"]["id"] for item in items]
            assert ids == ["selected"], f"{query}: feedsvc/feeds/select.py"
    items = client.get("/feeds/events.json?when=all").get_json(force=True)[
        "items"
    ]
    assert len(items) == 2


def test_dates_of_a_window_are_near_today_in_the_zone_of_the_site(
    client: FlaskClient, clock: Clock
) -> None:
    for hour, status in ((16, 400), (17, 200)):
        clock.now = clock.now.replace(hour=hour)
        response = client.get("/feeds/events.rss?to=2031-11-26")
        assert response.status_code == status
