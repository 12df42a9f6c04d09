"""Translations: entries of a kind with the same key, in different languages."""

from __future__ import annotations

import json
from typing import Any

import feedparser
import pytest
from flask.testing import FlaskClient
from lxml import etree, html

from tests.api.problems import errors
from tests.conftest import ApiClient, MakeApp
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.web.feeds import items

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


def shown(client: FlaskClient, path: str) -> list[tuple[str, str]]:
    """Return the languages and titles of the translations of a feed's only entry."""
    (item,) = items(client, path)
    translations = item["_entry"].get("translations", [])
    return [(each["language"], each["title"]) for each in translations]


VI = "/feeds/news/van-hoa.json"
EN = "/feeds/news/giao-thong.json"


def test_translations_are_in_the_order_of_their_languages(
    editor: ApiClient, client: FlaskClient
) -> None:
    for language in ("vi", "ja", "de", "en"):
        put(editor, language, language)
    languages = [language for language, _ in shown(client, VI)]
    assert languages == ["de", "en", "ja"]


def test_translations_link_to_each_other(
    editor: ApiClient, client: FlaskClient
) -> None:
    put(editor, "a", "vi")
    put(editor, "b", "en-GB", url="https://portal.example/b")
    put(editor, "other", "en-GB", translation_key="closing", categories=[])
    event = {"title": "x", "start": "2027-01-01", "translation_key": "opening"}
    editor.put("/events/e", event)
    feed = client.get("/feeds/news/van-hoa.atom").data
    links: Any = etree.fromstring(feed).xpath(
        "//atom:entry/atom:link[@rel='alternate'][@hreflang]", namespaces=ATOM
    )
    assert [(link.get("hreflang"), link.get("href")) for link in links] == [
        ("en-GB", "https://portal.example/b"),
        ("vi", "https://feeds.example/entries/a"),
    ]
    assert feedparser.parse(feed).entries[0].link.endswith("/entries/a")
    (item,) = items(client, VI)
    assert item["_entry"]["translations"] == [
        {
            "id": "b",
            "language": "en-GB",
            "title": "Title b",
            "url": "https://portal.example/b",
        }
    ]
    page: Any = html.document_fromstring(client.get("/entries/a").data)
    assert [
        link.get("hreflang")
        for link in page.xpath("//link[@rel='alternate'][@hreflang]")
    ] == ["vi", "en-GB"]
    (visible,) = page.xpath("//p/a[@rel='alternate']")
    assert visible.get("href") == "https://portal.example/b"
    assert visible.text == "English (United Kingdom)"
    (data,) = page.xpath("//script[@type='application/ld+json']")
    assert json.loads(data.text)["workTranslation"] == [
        {
            "@type": "NewsArticle",
            "headline": "Title b",
            "inLanguage": "en-GB",
            "url": "https://portal.example/b",
        }
    ]


def test_change_of_one_updates_the_feeds_that_show_the_others(
    editor: ApiClient, client: FlaskClient, clock: Clock, make_app: MakeApp
) -> None:
    def check(expected: list[tuple[str, str]]) -> None:
        clock.forward(seconds=5)
        atom = client.get("/feeds/news/van-hoa.atom")
        assert shown(client, VI) == expected
        page = client.get("/entries/a").text
        assert ("Title b" in page, "New b" in page) == (
            ("en", "Title b") in expected,
            ("en", "New b") in expected,
        )
        cold = make_app().test_client()
        assert cold.get("/feeds/news/van-hoa.atom").data == atom.data

    put(editor, "a", "vi")
    check([])
    for changes in (
        {"status": "draft"},
        {"translation_key": "else"},
        {"status": "withdrawn", "notice": "x"},
    ):
        put(editor, "b", "en")
        check([("en", "Title b")])
        put(editor, "b", "en", **changes)
        check([])
    put(editor, "b", "en", title="New b")
    check([("en", "New b")])
    editor.send("DELETE", "/articles/b")
    check([])


def test_scheduled_translation_appears_and_expires(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    put(editor, "a", "vi")
    times = {"date_published": "2027-01-01", "expires": "2027-02-01"}
    put(editor, "b", "en", **times)
    assert shown(client, VI) == []
    # From 25 November to 2 January, and to 2 February.
    for days, expected in ((38, [("en", "Title b")]), (31, [])):
        wait(days=days)
        assert shown(client, VI) == expected


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
