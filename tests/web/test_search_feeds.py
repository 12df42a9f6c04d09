"""Search feeds: what they list, their URLs, titles and place in the cache."""

from __future__ import annotations

from unicodedata import normalize
from urllib.parse import quote

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
    weekly = {"rrule": "FREQ=WEEKLY;COUNT=4"}
    for id, start, recurrence in (
        ("past", "2026-11-01", None),
        ("later", "2027-02-01", None),
        ("soon", "2026-12-01", None),
        ("series", "2026-12-02", weekly),
    ):
        event = {**EVENT, "start": start, "recurrence": recurrence}
        editor.put(f"/events/{id}", event)
    for query, expected in (
        ("order=start&q=ho+sach", ["soon", "series", "later"]),
        ("q=ho+sach&when=past", ["past"]),
        ("q=dinh+tien+hoang&when=past", ["past"]),
        ("q=ho&from=2026-12-20&to=2026-12-25", ["series"]),
    ):
        assert ids(client, f"/feeds/events.json?{query}") == expected, query
    assert len(calendar(client, "/feeds/events.ics?q=guom+sach").events) == 4


@pytest.mark.parametrize(
    "format", [name for name in FORMATS if "news" in FORMATS[name].kinds]
)
def test_every_format_says_what_it_searches_for(
    client: FlaskClient, articles: None, format: str
) -> None:
    response = client.get(f"/feeds/news.{format}?q=3+so+tuyen")
    has_search = "tìm “3 so tuyen”" in response.text
    assert has_search == ("search" not in format_tests(format).HIDDEN), (
        f"HIDDEN in tests/formats/test_{format}.py"
    )
    assert "Tuyến số 3" in response.text
    assert "Cầu Giấy" not in response.text


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


def test_withdrawn_entry_is_not_found_by_hidden_words(
    client: FlaskClient, editor: ApiClient
) -> None:
    article = {"title": "Cầu mới", "content_text": "Sai"}
    editor.put("/articles/a", article)
    editor.put("/articles/a", {**article, "status": "withdrawn"})
    assert ids(client, "/feeds/news.json?q=cau") == ["a"]
    assert ids(client, "/feeds/news.json?q=sai") == []
