"""JSON Feed 1 and 1.1, whose items have the API's members."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from feedsvc.api import strict_json
from feedsvc.errors import BadRequest
from feedsvc.importers.base import ImportedEntry

_COMMON_FIELDS = (
    "url title summary content_html content_text image date_published date_modified"
    " language authors attachments"
).split()
_ITEMS = re.compile(r'"items"\s*:\s*\[')
_SEPARATOR = re.compile(r"[\s,]*")


def read(data: bytes) -> Iterator[ImportedEntry | str]:
    """Yield the items of a JSON Feed, and warnings.

    Of a damaged file the items before the damage are read.

    :param data: the file in UTF-8.
    :raises BadRequest: the file is no JSON Feed.
    """
    try:
        feed = strict_json.loads_strict(data)
    except BadRequest as error:
        for item in _items_before_damage(data.decode()):
            yield _to_entry(item, {})
        yield f"The file is damaged. Items were read up to the damage: {error}"
        return
    if not isinstance(feed, dict) or not isinstance(feed.get("items"), list):
        raise BadRequest("The file is JSON, but no JSON Feed.")
    for item in feed["items"]:
        yield _to_entry(item, feed)


def _items_before_damage(text: str) -> Iterator[Any]:
    start = _ITEMS.search(text)
    position = start.end() if start else len(text)
    decoder = json.JSONDecoder()
    while True:
        separator = _SEPARATOR.match(text, position)
        assert separator
        begin = separator.end()
        try:
            # The lenient decoder finds the end of an item, the strict one reads it.
            _, position = decoder.raw_decode(text, begin)
            yield strict_json.loads_strict(text[begin:position].encode())
        except (ValueError, RecursionError, BadRequest):
            return


def _to_entry(item: Any, feed: dict[str, Any]) -> ImportedEntry | str:
    if not isinstance(item, dict):
        return "An item is not an object."
    fields = {
        "language": feed.get("language"),
        **{name: item[name] for name in _COMMON_FIELDS if name in item},
    }
    if "authors" not in item:
        author = item.get("author")  # JSON Feed 1
        fields["authors"] = [author] if author else _feed_authors(feed)
    fields["attachments"] = _with_exact_durations(item)
    # This service's own extension, which has the members of an event.
    event = item.get("_event")
    if isinstance(event, dict):
        fields |= event
    # The API takes one of the two, and HTML says more.
    if fields.get("content_html"):
        fields.pop("content_text", None)
    tags = item.get("tags")
    titles = map(str, tags) if isinstance(tags, list) else ()
    guid = str(item.get("id") or item.get("url") or "")
    return ImportedEntry(guid, fields, tuple(title for title in titles if title))


def _feed_authors(feed: dict[str, Any]) -> list[Any]:
    """Return the feed's authors, which items without any inherit (JSON Feed 1.1)."""
    authors = feed.get("authors")
    if not isinstance(authors, list):
        return []
    return [author for author in authors if not _is_publisher(author, feed)]


def _is_publisher(author: Any, feed: dict[str, Any]) -> bool:
    """Return whether an author is the site itself, by its name or home page.

    Feeds of this service and of others name the site as author; as author of each
    entry it would be shown to readers twice.
    """
    if not isinstance(author, dict):
        return False
    title_parts = re.split(r"\s+[–—|-]\s+", str(feed.get("title", "")))
    if author.get("name") in title_parts:
        return True
    url = str(author.get("url") or "")
    return bool(url) and url.rstrip("/") == str(feed.get("home_page_url")).rstrip("/")


def _with_exact_durations(item: dict[str, Any]) -> Any:
    """Return the attachments, with fractions of a second from a feed of this service.

    JSON Feed has whole seconds; this service writes exact ones in its `_entry`.
    """
    attachments, entry = item.get("attachments"), item.get("_entry")
    exact = entry.get("attachments") if isinstance(entry, dict) else None
    if not isinstance(attachments, list) or not isinstance(exact, list):
        return attachments
    durations = {
        str(file.get("url")): file.get("duration_in_seconds")
        for file in exact
        if isinstance(file, dict)
    }
    for file in attachments:
        if isinstance(file, dict) and str(file.get("url")) in durations:
            file["duration_in_seconds"] = durations[str(file.get("url"))]
    return attachments
