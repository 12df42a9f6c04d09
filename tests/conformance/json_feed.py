"""JSON Feed 1.1."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.conformance.findings import Report
from tests.conformance.html import check_body, looks_like_html
from tests.conformance.values import (
    EARLIEST,
    is_language,
    is_media_type,
    is_uri,
    is_web_address,
    rfc_3339,
)

SPEC = "JSON Feed 1.1"
VERSION = "https://jsonfeed.org/version/1.1"
Object = dict[str, Any]

_KINDS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str) and bool(value.strip()),
    "address": lambda value: isinstance(value, str) and is_web_address(value),
    "uri": lambda value: isinstance(value, str) and is_uri(value),
    "language": lambda value: isinstance(value, str) and is_language(value),
    "media type": lambda value: isinstance(value, str) and is_media_type(value),
    "date of RFC 3339": lambda value: (
        isinstance(value, str) and rfc_3339(value) is not None
    ),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    ),
    "list": lambda value: isinstance(value, list),
}
_MEMBERS = {
    "feed": {
        **dict.fromkeys(("title", "user_comment", "description"), "text"),
        **dict.fromkeys(
            ("home_page_url", "feed_url", "next_url", "icon", "favicon"), "address"
        ),
        **dict.fromkeys(("authors", "hubs", "items"), "list"),
        **{"version": "text", "language": "language", "expired": "boolean"},
    },
    "item": {
        **dict.fromkeys(
            ("id", "title", "content_html", "content_text", "summary"), "text"
        ),
        **dict.fromkeys(("url", "external_url", "image", "banner_image"), "address"),
        **dict.fromkeys(("date_published", "date_modified"), "date of RFC 3339"),
        **dict.fromkeys(("authors", "tags", "attachments"), "list"),
        "language": "language",
    },
    "author": {"name": "text", "url": "uri", "avatar": "address"},
    "hub": {"type": "text", "url": "address"},
    "attachment": {
        **{"url": "address", "mime_type": "media type", "title": "text"},
        **dict.fromkeys(("size_in_bytes", "duration_in_seconds"), "number"),
    },
}
_REQUIRED = {
    "feed": ("version", "title", "items"),
    "item": ("id",),
    "hub": ("type", "url"),
    "attachment": ("url", "mime_type"),
    "author": (),
}


def check(report: Report, media_type: str) -> None:
    """Check a JSON Feed document."""
    charset = re.search(r";\s*charset=\"?([^\s;\"]+)", media_type)
    if charset and charset[1].lower() != "utf-8":
        report.add("", "RFC 8259 §8.1", "is served with another charset", charset[1])
    try:
        feed = json.loads(
            report.document.decode("utf-8"),
            object_pairs_hook=lambda pairs: _object(report, pairs),
            parse_constant=lambda constant: _constant(report, constant),
        )
    except ValueError as error:
        report.add("", "RFC 8259 §2", "is not JSON in UTF-8", str(error))
        return
    if not isinstance(feed, dict):
        report.add("", f"{SPEC} §top-level", "is not an object")
        return
    _check_strings(report, feed, "")
    _check_object(report, "feed", feed, "")
    _check_feed(report, feed)
    for place, item in _objects(report, feed, "items", ""):
        _check_object(report, "item", item, place)
        _check_item(report, item, place)
    ids = [item.get("id") for _, item in _objects(Report(), feed, "items", "")]
    for id_, count in Counter(id_ for id_ in ids if isinstance(id_, str)).items():
        if count > 1:
            report.add("/items", f"{SPEC} §items", "has a duplicate item id", id_)


def _object(report: Report, pairs: list[tuple[str, Any]]) -> Object:
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            report.add("", "RFC 8259 §4", "has a duplicate member", key)
    return dict(pairs)


def _constant(report: Report, constant: str) -> float:
    report.add("", "RFC 8259 §6", "has a number that JSON does not allow", constant)
    return 0.0


def _objects(
    report: Report, parent: Object, key: str, place: str
) -> list[tuple[str, Object]]:
    """Yield the objects of a list with their pointers."""
    members = parent.get(key)
    found = []
    for number, member in enumerate(members if isinstance(members, list) else []):
        if isinstance(member, dict):
            found.append((f"{place}/{key}/{number}", member))
        else:
            report.add(
                f"{place}/{key}/{number}", SPEC, "is not an object", repr(member)
            )
    return found


def _check_object(report: Report, kind: str, value: Object, place: str) -> None:
    members = _MEMBERS[kind]
    for key, member in value.items():
        here = f"{place}/{key}"
        if key.startswith("_"):
            _check_extension(report, here, key, member)
        elif key not in members:
            report.add(here, f"{SPEC} §extensions", "is not allowed here")
        elif not _KINDS[members[key]](member):
            report.add(here, SPEC, f"should be {members[key]}", repr(member))
    for key in _REQUIRED[kind]:
        if key not in value:
            report.add(place, SPEC, "lacks a member", key)


def _check_extension(report: Report, here: str, key: str, value: Any) -> None:
    section = f"{SPEC} §extensions"
    if not re.fullmatch(r"_[A-Za-z][^.]*", key):
        report.add(here, section, "has an invalid extension name")
    if not isinstance(value, dict):
        report.add(here, section, "is an extension that is not an object", repr(value))
    elif not is_web_address(str(value.get("about"))):
        report.add(
            here,
            section,
            "is an extension without about",
            str(value.get("about", "")),
        )


def _check_feed(report: Report, feed: Object) -> None:
    if feed.get("version") not in (VERSION, None):
        report.add(
            "/version", f"{SPEC} §top-level", "is not version 1.1", str(feed["version"])
        )
    if report.url and feed.get("feed_url") != report.url:
        report.add(
            "/feed_url",
            f"{SPEC} §top-level",
            "does not match the URL of the feed",
            str(feed.get("feed_url", "")),
        )
    if feed.get("next_url") and feed["next_url"] in (feed.get("feed_url"), report.url):
        report.add("/next_url", f"{SPEC} §top-level", "links from a document to itself")
    if "home_page_url" not in feed or "feed_url" not in feed:
        report.add(
            "",
            f"{SPEC} §top-level",
            "lacks feed_url or home_page_url",
        )
    _check_plain(report, feed, ("title", "description"), "")
    _check_authors(report, feed, "")
    for place, hub in _objects(report, feed, "hubs", ""):
        _check_object(report, "hub", hub, place)


def _check_item(report: Report, item: Object, place: str) -> None:
    if "content_html" not in item and "content_text" not in item:
        report.add(place, f"{SPEC} §items", "has no content")
    if isinstance(item.get("content_html"), str):
        check_body(report, f"{place}/content_html", item["content_html"])
    _check_plain(report, item, ("title",), place)
    _check_authors(report, item, place)
    for key in ("date_published", "date_modified"):
        moment = rfc_3339(str(item.get(key)))
        if moment and moment < EARLIEST:
            report.add(f"{place}/{key}", SPEC, "is before 1990", item[key])
        elif moment and report.now and moment > report.now:
            report.add(f"{place}/{key}", SPEC, "is in the future", item[key])
    tags = item.get("tags")
    if isinstance(tags, list) and not all(
        isinstance(tag, str) and tag.strip() for tag in tags
    ):
        report.add(
            f"{place}/tags",
            f"{SPEC} §items",
            "contains a tag that is not text",
            repr(tags),
        )
    for attachment_place, attachment in _objects(report, item, "attachments", place):
        _check_object(report, "attachment", attachment, attachment_place)


def _check_authors(report: Report, parent: Object, place: str) -> None:
    for author_place, author in _objects(report, parent, "authors", place):
        _check_object(report, "author", author, author_place)
        if not {"name", "url", "avatar"} & set(author):
            report.add(author_place, f"{SPEC} §authors", "is an author without members")


def _check_plain(
    report: Report, parent: Object, keys: tuple[str, ...], place: str
) -> None:
    for key in keys:
        if isinstance(parent.get(key), str) and looks_like_html(parent[key]):
            report.add(
                f"{place}/{key}",
                f"{SPEC} §items",
                "is plain text that looks like HTML",
                parent[key],
            )


def _check_strings(report: Report, value: Any, place: str) -> None:
    """Check that every string is in NFC, without control characters."""
    if isinstance(value, dict):
        for key, member in value.items():
            _check_strings(report, member, f"{place}/{key}")
    elif isinstance(value, list):
        for number, member in enumerate(value):
            _check_strings(report, member, f"{place}/{number}")
    elif isinstance(value, str):
        if re.search(
            "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]", value
        ):
            report.add(
                place,
                "RFC 8259 §8.2",
                "contains characters to be avoided",
                ascii(value),
            )
        elif not unicodedata.is_normalized("NFC", value):
            report.add(
                place,
                "RFC 5198 §3",
                "contains text that is not in NFC",
                value,
            )
