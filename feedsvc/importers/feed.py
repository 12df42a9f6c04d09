"""RSS, Atom and WordPress exports (WXR, an extended RSS), read by feedparser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from html import unescape
from io import BytesIO
from typing import Any
from urllib.parse import urljoin

import feedparser
from lxml import etree

from feedsvc.api import sanitize
from feedsvc.errors import BadRequest
from feedsvc.importers.base import ImportedEntry, guess_media_type
from feedsvc.importers.dates import DateReader
from feedsvc.importers.wordpress import Library

_DRAFT_STATUSES = {"draft", "pending", "private", "auto-draft"}
_PUBLIC_STATUSES = {"publish", "future"}
_TEXT_TYPES = ("text/", "application/xhtml")
_XML_DECLARATION = re.compile(rb"^<\?xml[^>]*\?>")
# The optional first part is the start tag of `<br></br>`, as XHTML writes it.
_CLOSING_BR = re.compile(
    rb"(<br\b[^<>]*>\s*)?</br\s*>|(&lt;br\b[^&]*&gt;\s*)?&lt;/br\s*&gt;", re.IGNORECASE
)
_MEDIA = "http://search.yahoo.com/mrss/"
_CAPTION_ELEMENTS = {
    "description": "caption",
    "title": "caption",
    "credit": "credit",
}
"""Elements of Media RSS, and the members of the API's images that they are.

Of the two for captions the first one counts.
"""
# WordPress writes the year -0001 for posts that were never published.
_MISSING_DATE = "-0001"

FeedParserDict = Any
"""A feedparser.FeedParserDict, which has no types."""


def read(data: bytes) -> Iterator[ImportedEntry | str]:
    """Yield the entries of a feed, and warnings.

    Nothing is fetched, and no entity that the file declares is resolved.

    :param data: the file in UTF-8.
    :raises BadRequest: the file is no feed.
    """
    parsed = _parse(data)
    if parsed.bozo:
        yield f"The file is damaged. What could be read: {parsed.bozo_exception}"
    dates = DateReader(map(_date_text, parsed.entries))
    reader = _EntryReader(parsed, Library(data), dates)
    for entry in parsed.entries:
        # Attachments of WordPress are in the library.
        if entry.get("wp_post_type") != "attachment":
            yield reader.to_entry(entry)
    yield from dates.warnings()
    yield from reader.library.warnings()


def _parse(data: bytes) -> FeedParserDict:
    data = _CLOSING_BR.sub(_replace_closing_br, data)
    # The declaration may name the encoding that the file had before.
    data = _XML_DECLARATION.sub(b"", data)
    headers = {"content-type": "application/xml; charset=utf-8"}
    try:
        # The API sanitizes, and allows some frames; feedparser would remove them all.
        parsed = feedparser.parse(
            BytesIO(_move_captions(data)),
            response_headers=headers,
            sanitize_html=False,
        )
    # The parsers below feedparser raise anything on damaged files.
    except Exception as error:
        raise BadRequest(f"The file cannot be read: {error}") from error
    if not parsed.get("version") and not parsed.entries:
        raise BadRequest(
            "The file is no RSS, Atom, JSON Feed, iCalendar, or export of this service."
        )
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
    return etree.tostring(document)


def _replace_closing_br(tag: re.Match[bytes]) -> bytes:
    """Turn a lone `</br>` into a line break, as browsers do; feedparser drops it."""
    if tag[1] or tag[2]:
        return tag[0]
    return b"<br/>" if tag[0].startswith(b"<") else b"&lt;br/&gt;"


class _EntryReader:
    """Converts feedparser's entries of one file."""

    def __init__(
        self, parsed: FeedParserDict, library: Library, dates: DateReader
    ) -> None:
        self.library = library
        self._feed = parsed.feed
        self._dates = dates
        self._is_rss = not parsed.version.startswith("atom")

    def to_entry(self, entry: FeedParserDict) -> ImportedEntry:
        """Convert an entry."""
        link = self._link(entry)
        authors = [author for author in entry.get("authors", ()) if author.get("name")]
        language = entry.get("language") or entry.get("title_detail", {}).get(
            "language"
        )
        fields = {
            "url": link,
            "title": self._title(entry),
            "language": language or self._feed.get("language"),
            "authors": [_person(author) for author in authors],
            "date_published": self._date_published(entry),
            "date_modified": self._date_modified(entry),
            "source": _source(entry),
            **self._body(entry),
            **_media(entry, link or ""),
            **_event(entry),
        }
        featured = self.library.featured_image(entry.get("wp_post_id", ""))
        if featured:
            fields["image"] = {**featured, "url": _url(link or "", featured["url"])}
        if _is_draft(entry):
            fields["status"] = "draft"
        guid = entry.get("id") or link or ""
        return ImportedEntry(guid, fields, _categories(entry), _skip_reason(entry))

    def _link(self, entry: FeedParserDict) -> str | None:
        # feedparser returns the id of an Atom entry without a link as its link.
        links = entry.get("links", ())
        has_link = self._is_rss or any(link.get("rel") == "alternate" for link in links)
        if not has_link or not entry.get("link"):
            return None
        return _url(self._feed.get("link", ""), entry.link)

    def _title(self, entry: FeedParserDict) -> str:
        detail = entry.get("title_detail", {})
        title: str = detail.get("value", "")
        if detail.get("type") in ("text/html", "application/xhtml+xml"):
            return sanitize.to_plain_text(title)
        # RSS does not say whether titles are HTML; many are escaped twice.
        return unescape(title) if self._is_rss else title

    def _body(self, entry: FeedParserDict) -> dict[str, str]:
        """Return content and summary; a summary alone is the content."""
        content, summary = _content_and_summary(entry)
        if content is None:
            return {}
        text = content.value
        if "wp_status" in entry:
            text = self._expand_wordpress(text, entry.get("wp_post_id", ""))
            summary = {"value": entry.get("excerpt_encoded", "")}
        is_plain = content.get("type") == "text/plain"
        # Many feeds declare HTML as plain text.
        if re.search(r"<[a-z]|&#?\w+;", text):
            is_plain = False
        body = {"content_text" if is_plain else "content_html": text}
        if summary and summary["value"] not in ("", content.value):
            body["summary"] = sanitize.to_plain_text(summary["value"])
        return body

    def _expand_wordpress(self, text: str, post_id: str) -> str:
        """Return a post as HTML: shortcodes expanded, empty lines as paragraphs."""
        # Posts of the block editor have their paragraphs already.
        has_paragraphs = re.search(r"<p[\s>]", text)
        text = self.library.expand(text, post_id)
        if has_paragraphs:
            return text
        blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
        stripped = filter(None, map(str.strip, blocks))
        return "\n".join(map(_to_paragraph, stripped))

    def _date_published(self, entry: FeedParserDict) -> str | None:
        """Return the date in ISO 8601, or as written for the schema to refuse."""
        text = _date_text(entry)
        if _MISSING_DATE in text:
            return None
        return self._to_iso(text) or text or None

    def _date_modified(self, entry: FeedParserDict) -> str | None:
        """Return when the entry was last changed; None if unknown or unreadable."""
        if "wp_post_modified_gmt" in entry:
            return self._to_iso(f"{entry['wp_post_modified_gmt']}+00:00")
        # FeedParserDict's own get() would return the published date instead.
        return self._to_iso(dict.get(entry, "updated") or "")

    def _to_iso(self, text: str) -> str | None:
        with suppress(ValueError, OverflowError):
            return self._dates.read(text).isoformat()
        return None


def _content_and_summary(
    entry: FeedParserDict,
) -> tuple[FeedParserDict | None, FeedParserDict | None]:
    texts = [
        content
        for content in entry.get("content", ())
        if content.get("type", "").startswith(_TEXT_TYPES)
    ]
    content = max(texts, key=lambda text: len(text.value), default=None)
    summary = entry.get("summary_detail")
    if content is None or not content.value.strip():
        return summary, None
    return content, summary


def _to_paragraph(block: str) -> str:
    if block.startswith("<"):
        return block
    lines = block.replace("\n", "<br>")
    return f"<p>{lines}</p>"


def _skip_reason(entry: FeedParserDict) -> str:
    kind = entry.get("wp_post_type", "post")
    if kind != "post":
        return f"it is of the type {kind}, not a post"
    status = entry.get("wp_status", "publish")
    if not _is_draft(entry) and status not in _PUBLIC_STATUSES:
        return f"its status is {status}"
    return ""


def _is_draft(entry: FeedParserDict) -> bool:
    """Return whether a WordPress post is not public, or has a password."""
    status = entry.get("wp_status", "publish")
    return status in _DRAFT_STATUSES or bool(entry.get("wp_post_password"))


def _categories(entry: FeedParserDict) -> tuple[str, ...]:
    tags = entry.get("tags", ())
    # WordPress exports keywords beside categories.
    if "wp_status" in entry:
        tags = [tag for tag in tags if tag.scheme == "category"]
    titles = (unescape(tag.get("label") or tag.get("term") or "") for tag in tags)
    return tuple(filter(None, titles))


def _media(entry: FeedParserDict, base: str) -> dict[str, Any]:
    """Return image and attachments; an enclosure with a picture is the image."""
    enclosures = [
        {
            **file,
            "url": file["href"],
            "type": guess_media_type(file["href"], file.get("type")),
        }
        for file in entry.get("enclosures", ())
        if file.get("href")
    ]
    pictures = [
        *filter(_is_picture, entry.get("media_content", ())),
        *filter(_is_picture, enclosures),
        *entry.get("media_thumbnail", ()),
    ]
    images = (_image(picture, base) for picture in pictures if picture.get("url"))
    return {
        "image": next(images, None),
        "attachments": [
            _attachment(file, base) for file in enclosures if not _is_picture(file)
        ],
    }


def _is_picture(file: FeedParserDict) -> bool:
    media_type = str(file.get("type", ""))
    return file.get("medium") == "image" or media_type.startswith("image/")


def _image(picture: FeedParserDict, base: str) -> dict[str, str]:
    image = {
        "url": _url(base, picture["url"]),
        "caption": picture.get("caption"),
        "credit": picture.get("credit"),
    }
    return {name: value for name, value in image.items() if value}


def _attachment(file: FeedParserDict, base: str) -> dict[str, Any]:
    attachment = {"url": _url(base, file["url"]), "mime_type": file["type"]}
    length = str(file.get("length", ""))
    if re.fullmatch("[1-9][0-9]{0,14}", length):
        attachment["size_in_bytes"] = int(length)
    return attachment


def _url(base: str, url: str) -> str:
    url = url.strip().replace(" ", "%20")
    try:
        return urljoin(base, url)
    except ValueError:
        return url  # for the schema to refuse


def _event(entry: FeedParserDict) -> dict[str, Any]:
    """Return time and place of an event (the event module of RSS 1.0)."""
    place = entry.get("ev_location")
    return {
        "start": entry.get("ev_startdate"),
        "end": entry.get("ev_enddate"),
        "location": {"name": place} if place else None,
    }


def _person(author: FeedParserDict) -> dict[str, Any]:
    person = {
        "name": author.name,
        "url": author.get("href"),
        "email": author.get("email"),
    }
    return {name: value for name, value in person.items() if value}


def _source(entry: FeedParserDict) -> dict[str, Any] | None:
    source = entry.get("source", {})
    if not source.get("title"):
        return None
    return {"name": source["title"], "url": source.get("href")}


def _date_text(entry: FeedParserDict) -> str:
    """Return the publication date as the feed writes it, or else the last update."""
    # FeedParserDict's own get() warns of "updated" where only "published" is there.
    return str(dict.get(entry, "published") or dict.get(entry, "updated") or "")
