"""Search feeds: what they list, their URLs, titles and place in the cache."""

import re
from collections.abc import Callable
from unicodedata import normalize
from urllib.parse import quote, urlencode

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from markupsafe import escape

from feedsvc.feeds.query import FORMATS
from feedsvc.storage.database import Database
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.fake_clock import Clock
from tests.formats import format_tests
from tests.web.feeds import calendar, get_page, ids

pytestmark = pytest.mark.both_databases

TABLES = read_tables("search")


@pytest.fixture
def articles(editor: ApiClient, clock: Clock) -> None:
    """Store five articles, the newest with the highest number."""
    for id, article in TABLES["articles"].items():
        clock.forward(seconds=2)
        editor.put(f"/articles/{id}", article)


def test_search_lists_the_entries_with_all_words(
    client: FlaskClient, articles: None
) -> None:
    for path, expected in TABLES["found"]:
        assert "".join(ids(client, path)) == expected, path


def test_search_for_events_has_their_parameters(
    client: FlaskClient, editor: ApiClient
) -> None:
    for id, times in TABLES["events"].items():
        editor.put(f"/events/{id}", {**TABLES["event"], **times})
    for query, expected in TABLES["found_events"]:
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
    # Pages mark what is found.
    unmarked = re.sub("</?mark>", "", response.text)
    assert "Tuyến số 3" in unmarked
    assert ("<mark>Tuyến</mark>" in response.text) == FORMATS[format].is_page
    assert "Cầu Giấy" not in unmarked


def test_other_spellings_are_the_same_search(
    client: FlaskClient, articles: None
) -> None:
    # As macOS writes diacritics: 300 characters.
    long = normalize("NFD", "ệ" * 100)
    for query, canonical in (*TABLES["spellings"], (long, "e" * 100)):
        response = client.get(f"/feeds/news.rss?q={quote(query, safe='+%')}")
        assert response.status_code == 200, query
        path = f"/feeds/news.rss?q={canonical}"
        assert f"<https://feeds.example{path}>" in response.headers["Link"]
        assert client.get(path).data == response.data, query


def test_pages_show_a_search_as_it_was_typed(client: FlaskClient) -> None:
    for query, typed in TABLES["typed"]:
        response = client.get("/feeds/news.html", query_string={"q": query})
        canonical = f"/feeds/news.html?{urlencode({'q': typed})}"
        assert f"<https://feeds.example{canonical}>" in response.headers["Link"]
        assert client.get(canonical).data == response.data
        shown = str(escape(typed))
        assert f'value="{shown}"' in response.text
        assert re.search(f"<title>[^<]*“{re.escape(shown)}”", response.text)
        assert re.search(f"<h1[^>]*>[^<]*“{re.escape(shown)}”", response.text)
    assert 'value=""' in client.get("/feeds/news.html?q=!").text


def test_page_of_a_search_leads_to_both_kinds(
    client: FlaskClient, editor: ApiClient
) -> None:
    event = {"start": "2026-12-24", "language": "de"}
    for number in range(101):
        editor.put(f"/events/{number}", {"title": f"Trinkbrunnen {number}", **event})
    editor.put("/events/saal", {"title": "Saal", "summary": "図書館の隣 & 池", **event})
    for search, kinds, marked in TABLES["both_kinds"]:
        page = get_page(client, f"/feeds/news.html?{urlencode({'q': search})}")
        links = page.xpath("//nav[@class='choices kinds']/a")
        assert [link.text for link in links] == kinds, search
        path = f"/feeds/events.html?{urlencode({'q': search, 'limit': 1})}"
        marks = get_page(client, path).xpath("//article//mark/text()")
        assert marks == marked, search


def test_words_are_found_in_every_script(
    client: FlaskClient, editor: ApiClient
) -> None:
    for id, language, text in TABLES["texts"]:
        article = {"title": id, "language": language, "content_text": text}
        editor.put(f"/articles/{id}", article)
    for search, expected in TABLES["found_in_texts"]:
        query = urlencode({"q": search})
        assert sorted(ids(client, f"/feeds/news.json?{query}")) == expected, search
        listed = editor.send("GET", f"/articles?{query}").get_json()["items"]
        assert sorted(item["id"] for item in listed) == expected, search


def test_words_that_an_earlier_version_stored_are_found(
    client: FlaskClient,
    editor: ApiClient,
    database: Database,
    tick: Callable[[], None],
) -> None:
    def store(words: str) -> None:
        """Store words as 3.1 does."""
        with database.begin_migration() as connection:
            connection.execute(sa.text("DELETE FROM entry_words"))
            statement = "INSERT INTO entry_words (entry_pk, words) SELECT pk, :words FROM entries"
            connection.execute(sa.text(statement), {"words": words})

    for id in ("a", "b"):
        editor.put(f"/articles/{id}", {"title": "市立図書館のwifi接続"})
    tick()
    store(" 市立図書館のwifi接続 ")
    path = "/feeds/news.json?q=wifi"
    assert ids(client, path) == []
    tick()
    assert ids(client, path) == ["b", "a"]
    # What has the same words now makes no cached response invalid.
    revision = database.revisions.last
    store(" wifi 市立図書館の 接続 ")
    tick()
    assert database.revisions.last == revision
    assert ids(client, path) == ["b", "a"]


def test_withdrawn_entry_is_not_found_by_hidden_words(
    client: FlaskClient, editor: ApiClient
) -> None:
    article = {"title": "Cầu mới", "content_text": "Sai"}
    editor.put("/articles/a", article)
    editor.put("/articles/a", {**article, "status": "withdrawn"})
    assert ids(client, "/feeds/news.json?q=cau") == ["a"]
    assert ids(client, "/feeds/news.json?q=sai") == []
