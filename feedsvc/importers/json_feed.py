"""JSON Feed 1 and 1.1: its items have the API's members already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from feedsvc.api import json_stream, strict_json
from feedsvc.errors import BadRequest
from feedsvc.importers.base import ImportedEntry, ImportWarning

_COMMON_FIELDS = (
    "url title summary content_html content_text image date_published date_modified language authors"
    " attachments"
).split()


def read(data: bytes) -> Iterator[ImportedEntry | ImportWarning]:
    """The items of a feed, and what is wrong with it; of a broken one the items before the break.

    :raises Malformed: it is no JSON Feed.
    """
    try:
        found = strict_json.loads_strict(data)
    except BadRequest as error:
        begin = data.find(b"[", data.find(b'"items"'))
        try:
            for item in json_stream.iter_json_array(BytesIO(data[begin:])):
                yield from _items(item, {})
        except BadRequest:
            yield ImportWarning(
                f"The file is broken, and was read as far as that goes: {error}"
            )
        return
    if not isinstance(found, dict) or not isinstance(found.get("items"), list):
        raise BadRequest("The file is JSON, but no JSON Feed.")
    for item in found["items"]:
        yield from _items(item, found)


def _items(item: Any, feed: dict[str, Any]) -> Iterator[ImportedEntry | ImportWarning]:
    if not isinstance(item, dict):
        yield ImportWarning("An item is no object.")
        return
    members = {
        "language": feed.get("language"),
        **{name: item.get(name) for name in _COMMON_FIELDS if name in item},
    }
    if "authors" not in item:
        one = item.get("author")  # of version 1
        members["authors"] = [one] if one else _feed_authors(feed)
    members["attachments"] = _with_exact_durations(item)
    event = item.get("_event")
    members |= event if isinstance(event, dict) else {}
    if members.get("content_html"):
        members.pop("content_text", None)
    tags = item.get("tags")
    titles = tuple(filter(None, map(str, tags))) if isinstance(tags, list) else ()
    yield ImportedEntry(str(item.get("id") or item.get("url") or ""), members, titles)


def _feed_authors(feed: dict[str, Any]) -> list[Any]:
    """Return the feed's authors, whom items without any inherit (JSON Feed 1.1), but not the site itself."""
    authors = feed.get("authors")
    return (
        [author for author in authors if not _is_publisher(author, feed)]
        if isinstance(authors, list)
        else []
    )


def _is_publisher(author: Any, feed: dict[str, Any]) -> bool:
    """Return whether an author is the site: the feed's title has its name, or its URL is the home page."""
    if not isinstance(author, dict):
        return False
    name, url, home = author.get("name"), author.get("url"), feed.get("home_page_url")
    title_parts = re.split(r"\s+[–—|-]\s+", str(feed.get("title", "")))
    return name in title_parts or (
        bool(url) and str(url).rstrip("/") == str(home).rstrip("/")
    )


def _with_exact_durations(item: dict[str, Any]) -> Any:
    """Return the attachments with their exact durations, where this service has written them in `_entry`."""
    attachments, entry = item.get("attachments"), item.get("_entry")
    exact = entry.get("attachments") if isinstance(entry, dict) else None
    if not isinstance(attachments, list) or not isinstance(exact, list):
        return attachments
    durations = {
        file.get("url"): {"duration_in_seconds": file.get("duration_in_seconds")}
        for file in exact
        if isinstance(file, dict) and isinstance(file.get("url"), str)
    }
    return [
        {**file, **durations.get(str(file.get("url")), {})}
        if isinstance(file, dict)
        else file
        for file in attachments
    ]
