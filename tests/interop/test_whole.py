"""Bodies, JSON Feed, and archives over the corpus, against what the API answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import feedparser
import pytest
from lxml import etree

from tests.conftest import ApiClient
from tests.interop.expected import Oracle, Seen, feed_path, place

FRAME = re.compile(r'<iframe src="([^"]*)"[^>]*></iframe>')
"""What feeds show as a link, since most readers drop it."""
BODY_OF = {
    "rss": ("//item", "guid", "{http://purl.org/rss/1.0/modules/content/}encoded"),
    "atom": (
        "//a:entry",
        "{http://www.w3.org/2005/Atom}id",
        "{http://www.w3.org/2005/Atom}content",
    ),
}


def bodies(document: bytes, format: str) -> dict[str, str]:
    """The bodies of a feed's entries by their ids, as an XML parser reads them."""
    path, id, body = BODY_OF[format]
    root: Any = etree.fromstring(document)
    entries = root.xpath(path, namespaces={"a": "http://www.w3.org/2005/Atom"})
    found = {entry.findtext(id): entry.findtext(body) or "" for entry in entries}
    if format == "rss":  # what has no summary has its body for a description
        found |= {
            entry.findtext(id): entry.findtext("description") or ""
            for entry in entries
            if entry.find(body) is None
        }
    return found


@pytest.mark.parametrize("format", BODY_OF)
def test_bodies_are_those_that_the_api_answers(
    editor: ApiClient, oracle: Oracle, format: str
) -> None:
    met = set()
    for kind, category in oracle.feeds():
        items = {item["guid"]: item for item in oracle.listed(kind, category)}
        for guid, body in bodies(
            editor.client.get(feed_path(kind, category, format)).data, format
        ).items():
            content = FRAME.sub(
                r'<a href="\1">\1</a>', items[guid].get("content_html", "")
            )
            if items[guid]["status"] == "withdrawn":
                assert not content or content not in body
            else:
                assert content in body
                met.add(guid)
    assert len(met) > 300


def test_json_feed(editor: ApiClient, oracle: Oracle) -> None:
    for kind, category in oracle.feeds():
        document = editor.client.get(feed_path(kind, category, "json")).get_json()
        found = [
            Seen(
                item["id"],
                item["title"],
                place(item["url"]),
                datetime.fromisoformat(item["date_published"]).astimezone(UTC),
                datetime.fromisoformat(item["date_modified"]).astimezone(UTC),
                tuple(author["name"] for author in item.get("authors", [])),
                tuple(
                    (
                        place(file["url"]),
                        file["mime_type"],
                        file.get("size_in_bytes", 0),
                    )
                    for file in item.get("attachments", [])
                ),
            )
            for item in document["items"]
        ]
        assert found == oracle.feed(kind, category)


@pytest.mark.parametrize("format", ["rss", "atom"])
@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("news", None),
        ("events", None),
        ("news", "do-thi"),
        ("events", "the-thao"),
        ("news", "trong"),
    ],
)
def test_following_the_archives_reaches_every_entry(
    editor: ApiClient, oracle: Oracle, kind: str, category: str | None, format: str
) -> None:
    months = oracle.months(kind, category)
    found = feedparser.parse(editor.client.get(feed_path(kind, category, format)).data)
    met, visited = {entry.id for entry in found.entries}, []
    while older := [
        link.href for link in found.feed.links if link.rel == "prev-archive"
    ]:
        assert len(older) == 1
        parts = urlsplit(older[0])
        visited.append(parts.query.removeprefix("archive="))
        found = feedparser.parse(editor.client.get(f"{parts.path}?{parts.query}").data)
        assert not found.bozo
        ids = [entry.id for entry in found.entries]
        assert ids == [entry.id for entry in months[visited[-1]]]
        met |= set(ids)
    assert met == {entry.id for month in months.values() for entry in month}
    newest_first = sorted(months, reverse=True)
    assert visited == newest_first[len(newest_first) - len(visited) :]
