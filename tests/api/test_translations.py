"""Translations: entries of a kind with the same key, in different languages."""

import json
from typing import Any

import feedparser
import pytest
from flask.testing import FlaskClient
from lxml import etree

from tests.api.problems import errors
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.web.feeds import get_page, items

pytestmark = pytest.mark.both_databases

ATOM = {"atom": "http://www.w3.org/2005/Atom"}


def put(editor: ApiClient, id: str, language: str, **members: Any) -> Any:
    """Store an article, in the category of its language."""
    document = {
        "title": f"Title {id}",
        "language": language,
        "translation_key": "opening",
        "categories": ["van-hoa" if language == "vi" else "giao-thong"],
        **members,
    }
    return editor.send("PUT", f"/articles/{id}", document)


def shown(client: FlaskClient) -> list[tuple[str, str]]:
    """Return the languages and titles of the translations of the only Vietnamese entry."""
    (item,) = items(client, VI)
    translations = item["_entry"].get("translations", [])
    return [(each["language"], each["title"]) for each in translations]


VI = "/feeds/news/van-hoa.json"


def test_translations_are_in_the_order_of_their_languages(
    editor: ApiClient, client: FlaskClient
) -> None:
    for language in ("vi", "ja", "de", "en"):
        put(editor, language, language)
    expected = [(language, f"Title {language}") for language in ("de", "en", "ja")]
    assert shown(client) == expected


def test_translations_link_to_each_other(
    editor: ApiClient, client: FlaskClient
) -> None:
    put(editor, "a", "vi")
    url = "https://portal.example/b"
    put(editor, "b", "en-GB", url=url)
    put(editor, "other", "en-GB", translation_key="closing", categories=[])
    event = {"title": "x", "start": "2027-01-01", "translation_key": "opening"}
    editor.put("/events/e", event)
    feed = client.get("/feeds/news/van-hoa.atom").data
    links: Any = etree.fromstring(feed).xpath(
        "//atom:entry/atom:link[@rel='alternate'][@hreflang]", namespaces=ATOM
    )
    assert [(link.get("hreflang"), link.get("href")) for link in links] == [
        ("en-GB", url),
        ("vi", "https://feeds.example/entries/a"),
    ]
    assert feedparser.parse(feed).entries[0].link.endswith("/entries/a")
    (item,) = items(client, VI)
    translation = {"language": "en-GB", "title": "Title b", "url": url}
    assert item["_entry"]["translations"] == [{"id": "b", **translation}]
    page = get_page(client, "/entries/a")
    heads = page.xpath("//link[@rel='alternate'][@hreflang]")
    assert [link.get("hreflang") for link in heads] == ["vi", "en-GB"]
    (visible,) = page.xpath("//p/a[@rel='alternate']")
    assert visible.get("href") == url
    assert visible.text == "English (United Kingdom)"
    (data,) = page.xpath("//script[@type='application/ld+json']")
    (work,) = json.loads(data.text)["workTranslation"]
    assert (work["inLanguage"], work["url"]) == ("en-GB", url)


def test_change_of_one_updates_the_feeds_that_show_the_others(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    def check(title: str) -> None:
        clock.forward(seconds=5)
        assert shown(client) == ([("en", title)] if title else [])
        page = client.get("/entries/a").text
        for each in ("Title b", "New b"):
            assert (each in page) == (each == title)

    put(editor, "a", "vi")
    check("")
    for changes in (
        {"status": "draft"},
        {"translation_key": "else"},
        {"status": "withdrawn", "notice": "x"},
    ):
        put(editor, "b", "en")
        check("Title b")
        put(editor, "b", "en", **changes)
        check("")
    put(editor, "b", "en", title="New b")
    check("New b")
    editor.send("DELETE", "/articles/b")
    check("")


def test_withdrawn_entry_has_none(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    put(editor, "a", "vi")
    put(editor, "b", "en")
    clock.forward(seconds=5)
    assert shown(client) == [("en", "Title b")]
    put(editor, "a", "vi", status="withdrawn", notice="x")
    clock.forward(seconds=5)
    assert shown(client) == []
    atom = etree.fromstring(client.get("/feeds/news/van-hoa.atom").data)
    assert not atom.xpath("//atom:entry/atom:link/@hreflang", namespaces=ATOM)


def test_two_of_one_language_are_refused(editor: ApiClient) -> None:
    put(editor, "a", "vi", status="draft")
    response = put(editor, "b", "VI")
    assert "“a”" in errors(response)["#/translation_key"]
    assert put(editor, "a", "vi").status_code == 200
    editor.send("DELETE", "/articles/a")
    assert put(editor, "b", "vi").status_code == 201


def test_entry_has_30_translations_at_most(editor: ApiClient) -> None:
    for number in range(31):
        put(editor, f"a{number}", f"en-x-{number}")
    response = put(editor, "b", "de")
    assert errors(response) == {
        "#/translation_key": "30 other entries have this key already."
    }
    assert put(editor, "a0", "en-x-0", title="Changed").status_code == 200
