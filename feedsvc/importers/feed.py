"""RSS, Atom and WordPress's export (WXR, which is RSS), by feedparser, however broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from html import unescape
from io import BytesIO
from typing import Any
from urllib.parse import urljoin

import feedparser

from feedsvc.api import sanitize
from feedsvc.errors import BadRequest
from feedsvc.importers.base import ImportedEntry, ImportWarning, guess_media_type
from feedsvc.importers.dates import DateReader
from feedsvc.importers.wordpress import Library

_DRAFTS = {"draft", "pending", "private", "auto-draft"}
_PUBLIC = {"publish", "future"}
_TEXTS = ("text/", "application/xhtml")
_DECLARATION = re.compile(rb"^<\?xml[^>]*\?>")
_END_OF_BREAK = re.compile(
    rb"(<br\b[^<>]*>\s*)?</br\s*>|(&lt;br\b[^&]*&gt;\s*)?&lt;/br\s*&gt;", re.IGNORECASE
)

FeedParserDict = Any
"""A feedparser.FeedParserDict, which has no types."""


def read(data: bytes) -> Iterator[ImportedEntry | ImportWarning]:
    """The items of a feed, which is in UTF-8, and what is wrong with it.

    Nothing is fetched, and no entity of its own resolved.

    :raises Malformed: it is no feed.
    """
    data = _END_OF_BREAK.sub(_line_break, data)
    headers = {"content-type": "application/xml; charset=utf-8"}
    if declaration := _DECLARATION.match(
        data
    ):  # whose encoding is no longer that of the data
        data = data[declaration.end() :]
    try:
        found = feedparser.parse(
            BytesIO(data), response_headers=headers, sanitize_html=False
        )
    except Exception as error:  # whatever its parsers come upon
        raise BadRequest(f"The file cannot be read: {error}") from error
    if not found.get("version") and not found.entries:
        raise BadRequest(
            "The file is no RSS, Atom, JSON Feed, iCalendar, or export of this service."
        )
    if found.bozo:
        yield ImportWarning(
            f"The file is broken, and was read as far as that goes: {found.bozo_exception}"
        )
    library, dates = Library(data), DateReader(map(_written_date, found.entries))
    for entry in found.entries:
        if entry.get("wp_post_type") != "attachment":  # which the library has
            yield _item(
                entry,
                found.feed,
                library,
                dates,
                is_rss=not found.version.startswith("atom"),
            )
    yield from map(ImportWarning, (*dates.remarks(), *library.remarks()))


def _line_break(tag: re.Match[bytes]) -> bytes:
    """Return a line break in place of `</br>`, as browsers read it; feedparser would drop it.

    One that closes a `<br>`, as XHTML has it, stays.
    """
    if tag[1] or tag[2]:
        return tag[0]
    return b"<br/>" if tag[0].startswith(b"<") else b"&lt;br/&gt;"


def _item(
    entry: FeedParserDict,
    feed: FeedParserDict,
    library: Library,
    dates: DateReader,
    *,
    is_rss: bool,
) -> ImportedEntry:
    # Of Atom's entries without a link feedparser says that the id is it.
    named = is_rss or any(
        one.get("rel") == "alternate" for one in entry.get("links", ())
    )
    link = (
        _url(feed.get("link", ""), entry.link) if named and entry.get("link") else None
    )
    members = {
        "url": link,
        "title": _title(entry, is_rss),
        "language": feed.get("language"),
        "authors": [
            _person(author) for author in entry.get("authors", ()) if author.get("name")
        ],
        "date_published": _date(entry, dates),
        "date_modified": _modified(entry, dates),
        "source": _source(entry),
        **_body(entry, library),
        **_files(entry, link or ""),
        **_event(entry),
    }
    if featured := library.featured_image(entry.get("wp_post_id", "")):
        members["image"] = {**featured, "url": _url(link or "", featured["url"])}
    kind, status, skip = (
        entry.get("wp_post_type", "post"),
        entry.get("wp_status", "publish"),
        "",
    )
    if kind != "post":
        skip = f"it is no post but of the type {kind}"
    elif status in _DRAFTS or entry.get("wp_post_password"):
        members["status"] = "draft"
    elif status not in _PUBLIC:
        skip = f"its status is {status}"
    tags = [
        tag
        for tag in entry.get("tags", ())
        if "wp_status" not in entry or tag.scheme == "category"
    ]
    titles = (unescape(tag.get("label") or tag.get("term") or "") for tag in tags)
    return ImportedEntry(
        entry.get("id") or link or "",
        members,
        tuple(title for title in titles if title),
        skip,
    )


def _title(entry: FeedParserDict, is_rss: bool) -> str:
    detail = entry.get("title_detail", {})
    title: str = detail.get("value", "")
    if detail.get("type") in ("text/html", "application/xhtml+xml"):
        return sanitize.to_plain_text(title)
    return unescape(title) if is_rss else title


def _body(entry: FeedParserDict, library: Library) -> dict[str, str]:
    """The content, and the summary; a summary alone is the content."""
    texts = [
        one
        for one in entry.get("content", ())
        if one.get("type", "").startswith(_TEXTS)
    ]
    whole = max(texts, key=lambda one: len(one.value), default=None)
    short = entry.get("summary_detail")
    if whole is None or not whole.value.strip():
        whole, short = short, None
    if whole is None:
        return {}
    text = whole.value
    if "wp_status" in entry:
        text, short = (
            _paragraphs(text, library, entry.get("wp_post_id", "")),
            {"value": entry.get("excerpt_encoded", "")},
        )
    plain = whole.get("type") == "text/plain" and not re.search(r"<[a-z]|&#?\w+;", text)
    body = {"content_text" if plain else "content_html": text}
    if short and short["value"] not in ("", whole.value):
        body["summary"] = sanitize.to_plain_text(short["value"])
    return body


def _paragraphs(text: str, library: Library, post_id: str) -> str:
    """WordPress's own spelling of HTML: shortcodes; an empty line is a paragraph, a line end a line end."""
    has_paragraphs = re.search(r"<p[\s>]", text)
    text = library.expand(text, post_id)
    if has_paragraphs:
        return text
    parts = [part.strip() for part in re.split(r"\n\s*\n", text.replace("\r\n", "\n"))]
    blocks = (
        part if part[0] == "<" else f"<p>{part}</p>".replace("\n", "<br>")
        for part in parts
        if part
    )
    return "\n".join(blocks)


def _files(entry: FeedParserDict, base: str) -> dict[str, Any]:
    """The picture and the attachments: an enclosure that is a picture is the picture."""
    media = [file for file in entry.get("media_content", ()) if file.get("url")]
    pictures = [
        file for file in media if file.get("medium") == "image" or _is_image(file)
    ]
    enclosures = [
        {
            **file,
            "url": file["href"],
            "type": guess_media_type(file["href"], file.get("type")),
        }
        for file in entry.get("enclosures", ())
        if file.get("href")
    ]
    pictures += [file for file in enclosures if _is_image(file)]
    pictures += [file for file in entry.get("media_thumbnail", ()) if file.get("url")]
    attachments = [
        {"url": _url(base, file["url"]), "mime_type": file["type"], **_length(file)}
        for file in enclosures
        if not _is_image(file)
    ]
    image = {"url": _url(base, pictures[0]["url"])} if pictures else None
    return {"image": image, "attachments": attachments}


def _is_image(file: FeedParserDict) -> bool:
    return str(file.get("type", "")).startswith("image/")


def _url(base: str, url: str) -> str:
    url = url.strip().replace(" ", "%20")
    try:
        return urljoin(base, url)
    except ValueError:
        return url  # for the schema to refuse


def _length(file: FeedParserDict) -> dict[str, int]:
    length = str(file.get("length", ""))
    return (
        {"size_in_bytes": int(length)}
        if re.fullmatch("[1-9][0-9]{0,14}", length)
        else {}
    )


def _event(entry: FeedParserDict) -> dict[str, Any]:
    """When and where, by the RSS 1.0 event module."""
    place = entry.get("ev_location")
    location = {"name": place} if place else None
    return {
        "start": entry.get("ev_startdate"),
        "end": entry.get("ev_enddate"),
        "location": location,
    }


def _person(author: FeedParserDict) -> dict[str, Any]:
    known = {
        "name": author.name,
        "url": author.get("href"),
        "email": author.get("email"),
    }
    return {name: value for name, value in known.items() if value}


def _source(entry: FeedParserDict) -> dict[str, Any] | None:
    source = entry.get("source", {})
    return (
        {"name": source["title"], "url": source.get("href")}
        if source.get("title")
        else None
    )


def _written_date(entry: FeedParserDict) -> str:
    """Return when it was published, or else updated, as the feed spells it."""
    return next(
        filter(
            None, (entry[name] for name in ("published", "updated") if name in entry)
        ),
        "",
    )


def _date(entry: FeedParserDict, dates: DateReader) -> str | None:
    """Return the date as ISO 8601, without an offset by the site's clocks, or for the schema to refuse."""
    written = _written_date(entry)
    if "-0001" in written:  # as WordPress says of drafts
        return None
    with suppress(ValueError, OverflowError):
        return dates.read(written).isoformat()
    return written or None


def _modified(entry: FeedParserDict, dates: DateReader) -> str | None:
    """Return when an entry was last changed, where its feed says so and it can be read."""
    written = dict.get(
        entry, "updated"
    )  # feedparser's own takes the published date for it
    if "wp_post_modified_gmt" in entry:
        written = f"{entry['wp_post_modified_gmt']}+00:00"
    with suppress(ValueError, OverflowError):
        return dates.read(written).isoformat() if written else None
    return None
