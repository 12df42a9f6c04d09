"""Markup that composes with what follows it: stored and published, it gains no attribute."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import feedparser
import html5lib
import lxml.html
import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from tests.conftest import ApiClient
from tests.data.payloads import COMPOSING
from tests.full_entries import TEXT_MEMBERS

SMUGGLED = {"builder", "notice"}
"""Values that the payloads give to `id` and `class`, and that no page of these tests has there."""

MARK = "\u0338"
PUBLIC = (
    "/feeds/news.rss",
    "/feeds/news.atom",
    "/feeds/news.json",
    "/feeds/news.html?content=full",
    "/api/v1/changes?after=0",
)


def bodies(client: FlaskClient, path: str) -> Iterator[str]:
    """The HTML of every body in a public document; a page as a whole."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    if "json" in answer.content_type:
        document: Any = answer.get_json()
        for item in document.get("items") or document["changes"]:
            if "content_html" in item:
                yield item["content_html"]
    elif "xml" in answer.content_type:
        feed = feedparser.parse(
            answer.data, sanitize_html=False, resolve_relative_uris=False
        )
        for entry in feed.entries:
            yield from (
                part.value for part in [*entry.get("content", ()), entry.summary_detail]
            )
    else:
        yield answer.text


def smuggled(markup: str) -> list[str]:
    """The attributes that nobody may post, of elements that a body may have, by two parsers."""
    normalized = unicodedata.normalize("NFC", markup)
    trees: list[Any] = [
        html5lib.HTMLParser(namespaceHTMLElements=False).parse(normalized),
        lxml.html.document_fromstring(f"<html><body>{normalized}</body></html>"),
    ]
    return [
        f"{element.tag} {name}={value}"
        for tree in trees
        for element in tree.iter()
        if isinstance(element.tag, str)
        for name, value in element.attrib.items()
        if name.startswith("on") or value in SMUGGLED or value.startswith("javascript:")
    ]


def test_posted_html_gains_no_attribute_in_any_format(
    editor: ApiClient, client: FlaskClient
) -> None:
    for number, payload in enumerate(COMPOSING):
        editor.put(f"/articles/{number}", {"title": "Tin", "content_html": payload})
    pages = [f"/entries/{number}" for number in range(len(COMPOSING))]
    for path in (*PUBLIC, *pages):
        shown = list(bodies(client, path))
        assert shown, path
        for body in shown:
            assert smuggled(body) == [], path


@pytest.mark.parametrize(
    "mark", [MARK, f"\u0327{MARK}", f" {MARK} {MARK}", f"\u202e{MARK}", f"\n\n{MARK}"]
)
def test_leading_combining_mark_of_plain_text_is_removed(
    editor: ApiClient, client: FlaskClient, mark: str
) -> None:
    text = f"{mark} onclick=alert(1) x"
    editor.put("/categories/giao-thong", {"title": text, "description": text})
    url = "https://a.example/x"
    document = {
        **dict.fromkeys(TEXT_MEMBERS["events"], text),
        "content_text": f"{text}\n\n{text}\n{mark}x",
        "image": {"url": url, "alt": text, "caption": text, "credit": text},
        "source": {"name": text},
        "authors": [{"name": text}],
        "categories": ["giao-thong"],
        "attachments": [{"url": url, "mime_type": "text/plain", "title": text}],
        "start": "2030-01-01T10:00:00",
        "location": {"name": text, "address": text},
        "organizer": {"name": text},
    }
    editor.put("/events/a", document)
    feeds = [f"/feeds/events.{format}" for format in FORMATS]
    pages = ["/", "/entries/a", "/feeds.opml", "/feeds/events/giao-thong.html"]
    for path in (*feeds, *pages, "/api/v1/changes", "/api/v1/categories"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert unicodedata.is_normalized("NFC", answer.text), path


def test_derived_summary_starts_with_no_combining_mark(
    editor: ApiClient,
) -> None:
    article = {"title": "x", "content_html": "<p>&#824;a<b>e</b>&#x301;</p>"}
    entry = editor.put("/articles/a", article).get_json()
    assert entry["summary"] == "a\u00e9"
