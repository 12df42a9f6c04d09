"""RSS and Atom, read by feedparser."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from io import BytesIO
from typing import Any
from urllib.parse import urljoin

import feedparser
from lxml import etree

from feedsvc.api import sanitize
from feedsvc.errors import BadRequest
from feedsvc.importers.base import ImportedEntry, guess_media_type

_MEDIA = "http://search.yahoo.com/mrss/"
_CAPTION_ELEMENTS = {
    "description": "caption",
    "title": "caption",
    "credit": "credit",
}
"""Elements of Media RSS, and the members of the API's images that they are.

Of the two for captions the first one counts.
"""

FeedParserDict = Any
"""A feedparser.FeedParserDict, which has no types."""


def read(data: bytes) -> Iterator[ImportedEntry | str]:
    """Yield the entries of a feed, and a warning if the file is damaged.

    Nothing is fetched, and no entity that the file declares is resolved.

    :raises BadRequest: the file is no feed.
    """
    parsed = _parse(data)
    if parsed.bozo:
        yield f"The file is damaged: {parsed.bozo_exception}"
    for entry in parsed.entries:
        try:
            yield _to_entry(entry, parsed)
        # An invalid IPv6 address in a URL.
        except ValueError as error:
            guid = entry.get("id", "")
            title = entry.get("title", "")
            yield ImportedEntry(guid, {"title": title}, skip_reason=str(error))


def _parse(data: bytes) -> FeedParserDict:
    try:
        # The API sanitizes, and allows some frames; feedparser would remove them all.
        parsed = feedparser.parse(BytesIO(_move_captions(data)), sanitize_html=False)
    # The parsers below feedparser raise anything on damaged files.
    except Exception as error:
        raise BadRequest(f"The file cannot be read: {error}") from error
    # Text that is no XML may have an `item`, such as an excerpt in documentation.
    if not parsed.get("version") and (parsed.bozo or not parsed.entries):
        raise BadRequest(
            "The file is no RSS, Atom or iCalendar, and no export of this service."
        )
    if any("wordpress.org/export" in uri for uri in parsed.namespaces.values()):
        # As RSS, it would publish drafts and private posts.
        raise BadRequest("The file is an export of WordPress: see docs/connecting.md.")
    return parsed


def _move_captions(data: bytes) -> bytes:
    """Turn captions and credits of pictures into attributes of `media:content`.

    feedparser takes `media:title` for the title of the entry, `media:description` for
    its text, and does not tell to which picture a credit belongs.
    """
    # The file is not trusted: it must not make the import read other files.
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        document = etree.parse(BytesIO(data), parser)
    # feedparser reads damaged files too.
    except etree.XMLSyntaxError:
        return data
    for name, attribute in _CAPTION_ELEMENTS.items():
        for element in list(document.iter(f"{{{_MEDIA}}}{name}")):
            text = element.text or ""
            if element.get("type") == "html":
                text = sanitize.to_plain_text(text)
            # It stands in the element of its picture, or beside it.
            pictures = element.xpath(
                "parent::media:content | ../media:content", namespaces={"media": _MEDIA}
            )
            for picture in pictures:
                if attribute not in picture.attrib:
                    picture.set(attribute, text)
            element.getparent().remove(element)
    return etree.tostring(document, encoding="utf-8")


def _to_entry(entry: FeedParserDict, parsed: FeedParserDict) -> ImportedEntry:
    feed = parsed.feed
    link = _url(feed.get("link", ""), entry.get("link", ""))
    # RSS has a language element, Atom the attribute `xml:lang`.
    title = entry.get("title_detail", {})
    language = entry.get("language") or title.get("language") or feed.get("language")
    authors = [
        {
            "name": author["name"],
            "url": author.get("href"),
            "email": author.get("email"),
        }
        for author in entry.get("authors", ())
        if author.get("name")
    ]
    source = entry.get("source", {})
    tags = entry.get("tags", ())
    # RSS does not say whether text is HTML; much of it is escaped twice.
    titles = (unescape(tag.get("label") or tag.get("term") or "") for tag in tags)
    updated = _date(entry, "updated")
    published = _date(entry, "published") or updated
    published_text = dict.get(entry, "published")
    fields = {
        "url": link,
        "title": _title(title, is_rss=not parsed.version.startswith("atom")),
        "language": language,
        "authors": authors,
        # As written where it cannot be read, for the schema to refuse.
        "date_published": published.isoformat() if published else published_text,
        "source": {"name": source.get("title"), "url": source.get("href")},
        **_body(entry),
        **_media(entry, link),
        **_event(entry),
    }
    guid = entry.get("id") or link
    return ImportedEntry(guid, fields, updated, tuple(filter(None, titles)))


def _title(detail: FeedParserDict, *, is_rss: bool) -> str:
    title: str = detail.get("value", "")
    if detail.get("type") in ("text/html", "application/xhtml+xml"):
        return sanitize.to_plain_text(title)
    return unescape(title) if is_rss else title


def _date(entry: FeedParserDict, name: str) -> datetime | None:
    # FeedParserDict's own get() would return the published date for "updated".
    parsed = dict.get(entry, f"{name}_parsed")
    return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None


def _body(entry: FeedParserDict) -> dict[str, str]:
    """Return content and summary; a summary alone is the content."""
    summary = entry.get("summary_detail", {})
    contents = [content for content in entry.get("content", ()) if content.value]
    content = max(contents, key=lambda each: len(each.value), default=summary)
    name = "content_text" if content.get("type") == "text/plain" else "content_html"
    body = {name: content.get("value", "")}
    if contents and summary.get("value", "") != content.value:
        body["summary"] = sanitize.to_plain_text(summary.get("value", ""))
    return body


def _media(entry: FeedParserDict, base: str) -> dict[str, Any]:
    """Return image and attachments; an enclosure with a picture is the image."""
    enclosures = [file for file in entry.get("enclosures", ()) if file.get("url")]
    pictures = [
        *filter(_is_picture, entry.get("media_content", ())),
        *filter(_is_picture, enclosures),
        *entry.get("media_thumbnail", ()),
    ]
    images = [
        {
            "url": _url(base, picture["url"]),
            "caption": picture.get("caption"),
            "credit": picture.get("credit"),
        }
        for picture in pictures
        if picture.get("url")
    ]
    attachments = [
        {
            "url": _url(base, file["url"]),
            "mime_type": guess_media_type(file["url"], file.get("type")),
            "size_in_bytes": _size(file),
        }
        for file in enclosures
        if not _is_picture(file)
    ]
    return {"image": next(iter(images), None), "attachments": attachments}


def _is_picture(file: FeedParserDict) -> bool:
    media_type = guess_media_type(file.get("url", ""), file.get("type"))
    return file.get("medium") == "image" or media_type.startswith("image/")


def _size(file: FeedParserDict) -> int | None:
    length = file.get("length", "")
    # RSS requires a length; 0 stands for an unknown one.
    return int(length) or None if length.isdecimal() else None


def _url(base: str, url: str) -> str:
    return urljoin(base, url.strip().replace(" ", "%20"))


def _event(entry: FeedParserDict) -> dict[str, Any]:
    """Return time and place of an event (the event module of RSS 1.0)."""
    return {
        "start": entry.get("ev_startdate"),
        "end": entry.get("ev_enddate"),
        "location": {"name": entry.get("ev_location")},
    }
