"""Search feeds: what they list, their URLs, titles and place in the cache."""

from __future__ import annotations

from unicodedata import normalize
from urllib.parse import quote

import feedparser
import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from feedsvc.folding import MAX_SEARCH_LENGTH
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.formats import format_tests
from tests.web.feeds import calendar, ids

pytestmark = pytest.mark.both_databases

EVENT = {
    "title": "Hội sách",
    "location": {"name": "Hồ Gươm", "address": "1 Đinh Tiên Hoàng"},
}


@pytest.fixture
def articles(editor: ApiClient, clock: Clock) -> None:
    """Store five articles, the newest with the highest number."""
    for id, title, categories in (
        ("1", "Cầu Giấy tắc đường", ["giao-thong"]),
        ("2", "Cầu mới", ["giao-thong", "van-hoa"]),
        ("3", "Lễ hội cầu mùa", ["van-hoa"]),
        ("4", "Tuyến số 3", []),
        ("5", "Cầu", []),
    ):
        clock.forward(seconds=2)
        document = {"title": title, "categories": categories}
        if id == "5":
            document["language"] = "en"
        editor.put(f"/articles/{id}", document)


def test_search_lists_the_entries_with_all_words(
    client: FlaskClient, articles: None, subtests: pytest.Subtests
) -> None:
    for path, expected in (
        ("/feeds/news.json?q=cau", "5321"),
        ("/feeds/news.json?q=3+so+tuyen", "4"),
        ("/feeds/news.json?q=cau+tuyen", ""),
        ("/feeds/news.json?q=ca", ""),
        ("/feeds/news/giao-thong.json?q=cau", "21"),
        ("/feeds/news/giao-thong,-van-hoa.json?q=cau", "1"),
        ("/feeds/news.json?lang=vi&q=cau", "321"),
        ("/feeds/news.json?limit=2&q=cau", "53"),
        ("/feeds/news.json?limit=2&page=2&q=cau", "21"),
        ("/feeds/events.json?q=cau", ""),
    ):
        with subtests.test(path):
            assert "".join(ids(client, path)) == expected


def test_search_for_events_has_their_parameters(
    client: FlaskClient, editor: ApiClient
) -> None:
    for id, start in (
        ("past", "2026-11-01"),
        ("later", "2027-02-01"),
        ("soon", "2026-12-01"),
    ):
        editor.put(f"/events/{id}", {**EVENT, "start": start})
    weekly = {"rrule": "FREQ=WEEKLY;COUNT=4"}
    editor.put(
        "/events/series",
        {**EVENT, "start": "2026-12-02", "recurrence": weekly},
    )
    for query, expected in (
        ("order=start&q=ho+sach", ["soon", "series", "later"]),
        ("q=ho+sach&when=past", ["past"]),
        ("q=dinh+tien+hoang&when=past", ["past"]),
        ("q=ho&from=2026-12-20&to=2026-12-25", ["series"]),
    ):
        assert ids(client, f"/feeds/events.json?{query}") == expected, query
    assert len(calendar(client, "/feeds/events.ics?q=guom+sach").events) == 4


def test_every_format_says_what_it_searches_for(
    client: FlaskClient, articles: None, subtests: pytest.Subtests
) -> None:
    for format, properties in FORMATS.items():
        if "news" in properties.kinds:
            with subtests.test(format):
                check_search(client, format)


def check_search(client: FlaskClient, format: str) -> None:
    """Check the title, entries and validators of a search in a format."""
    response = client.get(f"/feeds/news.{format}?q=3+so+tuyen")
    has_search = "tìm “3 so tuyen”" in response.text
    assert has_search == ("search" not in format_tests(format).HIDDEN), (
        f"HIDDEN in tests/formats/test_{format}.py"
    )
    assert "Tuyến số 3" in response.text
    assert "Cầu Giấy" not in response.text
    if format in ("rss", "atom"):
        assert not feedparser.parse(response.data).bozo
    etag = {"If-None-Match": response.headers["ETag"]}
    path = f"/feeds/news.{format}?q=3+so+tuyen"
    assert client.get(path, headers=etag).status_code == 304


def test_other_spellings_are_the_same_search(
    client: FlaskClient, articles: None, subtests: pytest.Subtests
) -> None:
    for query, canonical in (
        ("Tuyến+số+3", "tuyen+so+3"),
        ("tuyen so 3", "tuyen+so+3"),
        ("tuyen++so+3", "tuyen+so+3"),
        ("cau+cau", "cau"),
        ('"cau"', "cau"),
        ("cau+OR+*", "cau+or"),
        # As macOS writes diacritics: 300 characters.
        (normalize("NFD", "ệ" * 100), "e" * 100),
    ):
        with subtests.test(query):
            response = client.get(
                f"/feeds/news.rss?q={quote(query, safe='+%')}"
            )
            assert response.status_code == 200
            path = f"/feeds/news.rss?q={canonical}"
            assert f"<https://feeds.example{path}>" in response.headers["Link"]
            assert client.get(path).data == response.data


def test_field_of_pages_leads_to_the_feed(client: FlaskClient) -> None:
    page = client.get("/feeds/events.html").text
    assert (
        '<form class="search" role="search" action="../feeds/events.html">'
        in page
    )
    assert f'maxlength="{MAX_SEARCH_LENGTH}"' in page
    searched = client.get("/feeds/events.html?q=Hồ+Gươm")
    assert searched.status_code == 200, (
        "the policy refuses redirects to other hosts"
    )
    canonical = client.get("/feeds/events.html?q=ho+guom")
    assert searched.data == canonical.data
    assert 'value="ho guom"' in canonical.text


def test_search_follows_edits_and_deletions(
    client: FlaskClient, editor: ApiClient, articles: None
) -> None:
    path = "/feeds/news.json?q=tuyen"
    assert ids(client, path) == ["4"]
    editor.send("PATCH", "/articles/4", {"title": "Tin"})
    assert ids(client, path) == []
    editor.send("PATCH", "/articles/5", {"summary": "Tuyến"})
    editor.put("/articles/6", {"title": "Tuyến", "status": "draft"})
    assert ids(client, path) == ["5"]
    editor.send("PATCH", "/categories/giao-thong", {"slug": "di-lai"})
    assert ids(client, "/feeds/news/di-lai.json?q=cau") == ["2", "1"]
    editor.send("DELETE", "/articles/5")
    assert ids(client, path) == []


def test_withdrawn_entry_is_not_found_by_hidden_words(
    client: FlaskClient, editor: ApiClient
) -> None:
    article = {"title": "Cầu mới", "content_text": "Sai"}
    editor.put("/articles/a", article)
    editor.put("/articles/a", {**article, "status": "withdrawn"})
    assert ids(client, "/feeds/news.json?q=cau") == ["a"]
    assert ids(client, "/feeds/news.json?q=sai") == []


def test_search_of_the_api_has_limits(editor: ApiClient) -> None:
    response = editor.send("GET", "/articles?q=" + "+".join("abcdefghijk"))
    assert response.status_code == 400
    assert "must have at most 10 words" in response.text
