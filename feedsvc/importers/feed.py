"""RSS and Atom, read by feedparser."""

import re
from calendar import timegm
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parseaddr
from html import unescape
from io import BytesIO
from operator import itemgetter
from typing import Any
from urllib.parse import urljoin

import feedparser
from lxml import etree

from feedsvc.errors import BadRequest
from feedsvc.formats import titles
from feedsvc.importers import ImportedEntry, refuse_unpublished, skip_reason
from feedsvc.input import sanitize

_MEDIA = "http://search.yahoo.com/mrss/"
#: Elements of Media RSS, and the members of the API's images that they are.
#:
#: Of several for one picture the first one counts.
_CAPTION_ELEMENTS = {
    "description": "caption",
    "title": "caption",
    "credit": "credit",
}
#: Elements of an item whose elements are markup or, of a source, its members.
_TEXTS = {
    "body",
    "content",
    "description",
    "div",
    "encoded",
    "source",
    "summary",
    "title",
}
#: Elements of people, of which feedparser searches the text for an address.
_PEOPLE = {"author", "creator", "managingeditor", "publisher", "webmaster"}
#: Characters of a person that may be a name and an address.
_MAX_ADDRESS = 300
#: What takes feedparser time that grows with the square of its number.
_TOO_MANY = """
    //*[count(@* | *[contains("category subject keywords", local-name())]) > 1000]
    | //*[local-name()="keywords" or local-name()="tags"]
      [string-length() - string-length(translate(., ",", "")) > 1000]
"""
#: Elements of people and of `app:control`.
_INNER_NAMES = {"name", "email", "uri", "url", "draft"}

#: A feedparser.FeedParserDict, which has no types.
FeedParserDict = Any


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
        # feedparser leaves out anything that is damaged, and has dates of the year 0.
        except Exception as error:
            fields = {"title": entry.get("title")}
            yield ImportedEntry("", fields, skip_reason=skip_reason(error))


def _parse(data: bytes) -> FeedParserDict:
    try:
        # The API sanitizes, and allows some frames; feedparser would remove them all.
        parsed = feedparser.parse(BytesIO(_prepare(data)), sanitize_html=False)
    # The parsers below feedparser raise anything on damaged files.
    except Exception as error:
        raise BadRequest(f"The file cannot be read: {error}") from error
    if not parsed.get("version"):
        raise BadRequest("The file is no RSS, Atom or iCalendar.")
    if any(
        "wordpress.org/export" in uri for uri in parsed.namespaces.values()
    ):
        # Its drafts and private posts look like public ones.
        raise BadRequest(
            "The file is an export of WordPress: see docs/connecting.md."
        )
    return parsed


def _prepare(data: bytes) -> bytes:
    """Return a feed whose captions and authors feedparser reads right.

    :raises ValueError: feedparser would take hours.
    """
    # The file is not trusted: it must not make the import read other files.
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        document = etree.parse(BytesIO(data), parser)
    # feedparser reads damaged files too.
    except etree.XMLSyntaxError:
        ascii_data = data.replace(b"\0", b"")
        words = re.findall(rb"[\w.+-]{1000,}", ascii_data)
        if (
            words
            or max(text.count(b",") for text in ascii_data.split(b"<")) > 5000
        ):
            raise ValueError("it is damaged, and has too long texts") from None
        return data
    # feedparser takes upper case for lower case.
    for element in document.iter("*"):
        name = etree.QName(element)
        lower_name = etree.QName(name.namespace, name.localname.lower())
        element.tag = lower_name.text
    if document.xpath(_TOO_MANY):
        raise ValueError(
            "an element has more than 1,000 attributes or categories"
        )
    _remove_members_of_members(document)
    _move_captions(document)
    _divide_authors(document)
    # Without the DOCTYPE, so that feedparser resolves no entity that it declares.
    return etree.tostring(document.getroot(), encoding="utf-8")


def _remove_members_of_members(document: Any) -> None:
    """Remove elements within the elements of an item, such as the title of its picture.

    feedparser takes them for members of the item. Text may contain XHTML.
    """
    for member in document.xpath(
        "//*[local-name()='item' or local-name()='entry']/*"
    ):
        name = etree.QName(member)
        if name.localname in _TEXTS:
            continue
        for element in [*member.iterdescendants("*")]:
            inner = etree.QName(element)
            is_media = name.namespace == inner.namespace == _MEDIA
            if not is_media and inner.localname not in _INNER_NAMES:
                element.getparent().remove(element)


def _move_captions(document: Any) -> None:
    """Turn captions and credits of pictures into attributes of `media:content`.

    feedparser takes `media:title` for the title of the entry, `media:description` for
    its text, and does not tell to which picture a credit belongs.
    """
    namespaces = {"media": _MEDIA}
    for name, attribute in _CAPTION_ELEMENTS.items():
        for element in document.xpath(
            f"//media:{name}[1]", namespaces=namespaces
        ):
            text = element.text or ""
            if element.get("type") == "html":
                text = sanitize.to_plain_text(text)
            # It stands in the element of its picture, or beside it.
            pictures = element.xpath(
                "parent::media:content | ../media:content",
                namespaces=namespaces,
            )
            for picture in pictures:
                if attribute not in picture.attrib:
                    picture.set(attribute, text)
    names = [f"{{{_MEDIA}}}{name}" for name in _CAPTION_ELEMENTS]
    etree.strip_elements(document, *names)


def _divide_authors(document: Any) -> None:
    """Divide authors of RSS into name and address, as those of Atom are.

    feedparser ends an address after four letters of the top-level domain, and an author
    without one gets that of the author before.
    """
    for author in document.iter("*"):
        if etree.QName(author).localname not in _PEOPLE:
            continue
        if author.find("{*}name") is not None:
            # Its own address is behind this one, and takes precedence.
            author.insert(0, etree.Element("email"))
        elif author.text:
            name, address = parseaddr(author.text[:_MAX_ADDRESS])
            if not name or "@" not in address:
                name, address = author.text[:_MAX_ADDRESS], ""
            author.text = None
            etree.SubElement(author, "name").text = name
            etree.SubElement(author, "email").text = address


def _to_entry(entry: FeedParserDict, parsed: FeedParserDict) -> ImportedEntry:
    refuse_unpublished(entry)
    title = entry.get("title_detail", {})
    # RSS has a language element, Atom the attribute `xml:lang`.
    languages = (entry.get("language"), title.get("language"))
    source = entry.get("source", {})
    updated = _date(entry, "updated")
    published = _date(entry, "published") or updated
    text = _title(title, is_rss=not parsed.version.startswith("atom"))
    # GitHub and Hugo leave out the host, without xml:base.
    links = {
        link.rel: link.get("href") for link in parsed.feed.get("links", ())
    }
    base = urljoin(links.get("self", ""), links.get("alternate"))
    url = entry.get("link", "")
    fields = {
        "url": url and urljoin(base, url),
        "title": text,
        "language": next(filter(None, languages), parsed.feed.get("language")),
        "authors": [
            {
                "name": author["name"],
                "url": author.get("href"),
                "email": author.get("email"),
            }
            for author in entry.get("authors", ())
            if author.get("name")
        ],
        # The schema refuses a date that cannot be read, which causes a warning.
        "date_published": (
            published.isoformat() if published else entry.get("published")
        ),
        "source": {"name": source.get("title"), "url": source.get("href")},
        # These elements are those of the event module of RSS 1.0.
        "start": entry.get("ev_startdate"),
        "end": entry.get("ev_enddate"),
        "location": {"name": entry.get("ev_location")},
        **_body(entry),
        **_files(entry, base),
    }
    tags = entry.get("tags", ())
    return ImportedEntry(
        # RSS requires none of them.
        entry.get("id") or url or f"{published or ''} {text}",
        fields,
        updated,
        tuple(tag.label or tag.term or "" for tag in tags),
    )


def _title(detail: FeedParserDict, *, is_rss: bool) -> str:
    title: str = detail.get("value", "")
    if detail.get("type") in ("text/html", "application/xhtml+xml"):
        return sanitize.to_plain_text(title)
    # RSS does not say whether a title is HTML; newspapers escape theirs twice.
    return unescape(title) if is_rss else title


def _date(entry: FeedParserDict, name: str) -> datetime | None:
    # For "updated", FeedParserDict.get() would return the date of the publication.
    parsed = dict.get(entry, f"{name}_parsed")
    return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None


def _body(entry: FeedParserDict) -> dict[str, str]:
    """Return content and summary; a summary alone is the content."""
    summary = entry.get("summary_detail", {})
    contents = [*filter(itemgetter("value"), entry.get("content", ()))]
    content = next(iter(contents), summary)
    name = (
        "content_text"
        if content.get("type") == "text/plain"
        else "content_html"
    )
    body = {name: content.get("value", "")}
    if contents:
        body["summary"] = sanitize.to_plain_text(summary.get("value", ""))
    return body


def _files(entry: FeedParserDict, base: str) -> dict[str, Any]:
    """Return image and attachments; an enclosure with a picture is the image."""
    enclosures = entry.get("enclosures", [])
    pictures = [
        *filter(_is_picture, entry.get("media_content", ())),
        *filter(_is_picture, enclosures),
        *entry.get("media_thumbnail", ()),
        # That of an episode of a podcast.
        {"url": entry.get("image", {}).get("href")},
    ]
    image = pictures[0]
    return {
        "image": {
            "url": image.get("url") and urljoin(base, image["url"]),
            "caption": image.get("caption"),
            # Formats write the label again.
            "credit": titles.split_label(
                image.get("credit", ""), "entry.photo"
            )[1],
        },
        "attachments": [
            {
                "url": urljoin(base, file.get("url", "")),
                "mime_type": file.get("type"),
                "size_in_bytes": _size(file.get("length", "")),
            }
            for file in enclosures
            if not _is_picture(file)
        ],
    }


def _is_picture(file: FeedParserDict) -> bool:
    media_type: str = file.get("type", "")
    return file.get("medium") == "image" or media_type.startswith("image/")


def _size(length: str) -> int | None:
    # RSS requires a length; 0 stands for an unknown one.
    return int(length) if re.fullmatch("[1-9][0-9]{,14}", length) else None
