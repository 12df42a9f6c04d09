"""RSS and Atom, read by feedparser."""

import re
from calendar import timegm
from codecs import BOM_UTF8
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
from feedsvc.extensions.importers.entry import UNREADABLE, ImportedEntry
from feedsvc.formats.titles import split_label
from feedsvc.input import sanitize

#: A namespace of which feedparser reads nothing.
#:
#: It searches those that it does not know at each element, and lxml declares a prefix
#: at each that is renamed.
_UNKNOWN = "http://purl.org/rss/1.0/modules/reference/"
_MEDIA = "http://search.yahoo.com/mrss/"
_NAMESPACES = {
    "media": _MEDIA,
    "re": "http://exslt.org/regular-expressions",
}
#: Elements of Media RSS, and the members of the API's images that they are.
#:
#: Of several for one picture the first one counts.
_CAPTION_ELEMENTS = {
    "description": "caption",
    "title": "caption",
    "credit": "credit",
}
#: The picture of such an element, in which it stands, or the first one beside it.
_PICTURES = """
    parent::media:content
    | ../media:content[
        @medium="image" or starts-with(translate(@type, "IMAGE", "image"), "image/")
    ][1]
"""
_WORDPRESS = 'contains(namespace-uri(), "//wordpress.org/export/")'
_BLOGGER = 'contains(namespace-uri(), "//schemas.google.com/blogger/")'
_KIND = 'local-name()="category" and @scheme="http://schemas.google.com/g/2005#kind"'
#: Types of WordPress's posts that are entries: its own two, and events of plugins.
#:
#: Plugins name a type by its last word, as in tribe_events, ajde_events, mec-events and
#: ai1ec_event. Names with "event" elsewhere are places, organizers, tickets, series and
#: templates, such as event_venue, but for that of WP Event Manager.
_POST_TYPE = "^(post|page|event_listing|(.*[-_])?events?)$"
#: Elements that mark an entry as not published.
#:
#: Drafts are those of Atom (RFC 5023 §13.1.1) in any namespace, and deletions those of
#: FeedSync. Exports have comments, templates and files as entries, too. WordPress
#: writes the status of each item, so one without it may be a draft.
#:
#: A union of searches would take time that grows with the square of what they find.
_UNPUBLISHED = rf"""
    //*[
        local-name()="draft" and not(re:test(., "^\s*(no|false|0)?\s*$", "i"))
        or local-name()="status"
            and re:test(., "^\s*(draft|auto-draft|private|trash)\s*$", "i")
        or {_WORDPRESS} and (
            local-name()="status" and .!="publish"
            or local-name()="post_password" and .!=""
            or local-name()="post_type"
                and not(re:test(., "{_POST_TYPE}"))
        )
        or {_BLOGGER} and (
            local-name()="status" and .!="LIVE"
            or local-name()="trashed" and .!=""
            or local-name()="type" and not(.="POST" or .="PAGE" or .="BLOGGER")
        )
        or {_KIND} and not(contains(@term, "#post") or contains(@term, "#page"))
        or local-name()="security" and contains(namespace-uri(), "livejournal.org")
            and not(.="public" or @type="public")
        or local-name()="sync" and @deleted="true"
        or local-name()="item"
            and *[{_WORDPRESS}] and not(*[{_WORDPRESS} and local-name()="status"])
    ]
"""
#: What may be such an element, or would take feedparser hours, in a damaged file.
#:
#: A file that was cut may lack them, so the namespaces of those above count too. Each
#: part takes time in proportion to the file.
_UNSAFE = re.compile(
    rb"""(?ix)
    <(?:[\w.-]{,99}:)?
        (?:draft|post_password|post_type|security|status|sync|trashed|type)\b
    | \#kind
    | //(?:wordpress\.org/export|www\.w3\.org/2007/app|purl\.org/atom/app
        |schemas\.google\.com/blogger|www\.livejournal\.org/rss|feedsync\.org
        |www\.microsoft\.com/schemas/rss/sse)
    | (?<![\w.+-])[\w.+-]{1000}
    | (?:\A|<)(?:[^<,]*+,){5000}"""
)
#: How XML begins in EBCDIC (XML 1.0, F.1), which feedparser reads and lxml does not.
_EBCDIC = b"\x4c\x6f\xa7\x94"
#: Elements within those of an entry, except for those of people, of media and of the
#: feed that is the source, where formats nest some; and Blogger's kinds, which are no
#: categories.
#:
#: Two steps, or a union, would take time that grows with the square of what they find.
_NESTED = f"""
    descendant::*[
        namespace-uri()!="{_UNKNOWN}"
            and count(.. | $entry) > 1
            and not(ancestor::*[local-name()="source"][count(.. | $entry) = 1])
            and not(self::media:*[parent::media:*])
            and not(contains(" name email uri url ", concat(" ", local-name(), " ")))
        or {_KIND}
    ]
"""
#: Elements of people, of which feedparser searches the text for an address.
_PEOPLE = f"""
    //*[contains(" author creator managingeditor publisher webmaster ",
        concat(" ", local-name(), " "))][namespace-uri()!="{_UNKNOWN}"]
"""
#: Characters of a person that may be a name and an address.
_MAX_ADDRESS = 300
#: What takes feedparser time that grows with the square of its number.
#:
#: WordPress writes all categories of a site in its export, which cost nothing.
_TOO_MANY = f"""
    //*[count(@*) > 1000]
    | //*[count(*[not({_WORDPRESS}) and contains(" category subject keywords ",
        concat(" ", local-name(), " "))]) > 1000]
    | //*[local-name()="keywords" or local-name()="tags"]
      [string-length() - string-length(translate(., ",", "")) > 1000]
"""

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
        except Exception:
            fields = {"title": entry.get("title")}
            yield ImportedEntry("", fields, skip_reason=UNREADABLE)


def _parse(data: bytes) -> FeedParserDict:
    try:
        # The API sanitizes, and allows some frames; feedparser would remove them all.
        parsed = feedparser.parse(BytesIO(_prepare(data)), sanitize_html=False)
    # The parsers below feedparser raise anything on damaged files.
    except Exception as error:
        raise BadRequest(f"The file cannot be read: {error}") from error
    if not parsed.get("version"):
        raise BadRequest("The file is no RSS, Atom or iCalendar.")
    return parsed


def _prepare(data: bytes) -> bytes:
    """Return a feed whose captions and authors feedparser reads right.

    :raises ValueError: feedparser would take hours, or read drafts.
    """
    # Themes and plugins of WordPress write blank lines before the declaration.
    data = data.removeprefix(BOM_UTF8).lstrip()
    # The file is not trusted: it must not make the import read other files.
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        document = etree.parse(BytesIO(data), parser)
    # feedparser reads damaged files too.
    except etree.XMLSyntaxError:
        text = data.replace(b"\0", b"")
        if text.startswith(_EBCDIC) or _UNSAFE.search(text):
            reason = "it is damaged, and may have drafts or too long texts"
            raise ValueError(reason) from None
        return data
    # feedparser takes upper case for lower case.
    for element in document.iter("*"):
        namespace, bracket, name = element.tag.rpartition("}")
        element.tag = namespace + bracket + name.lower()
    prefixes = {*re.findall(rb" xmlns:[^\s=]*", etree.tostring(document))}
    if len(prefixes) > 1000 or document.xpath(_TOO_MANY):
        raise ValueError(
            "it has more than 1,000 namespaces, "
            "or an element has more than 1,000 attributes or categories"
        )
    _mark_unpublished(document)
    _hide_nested(document)
    _move_captions(document)
    _divide_authors(document)
    # Without the DOCTYPE, so that feedparser resolves no entity that it declares.
    return etree.tostring(document.getroot(), encoding="utf-8")


def _mark_unpublished(document: Any) -> None:
    """Add the reason to entries that are skipped, since they are not published."""
    for mark in document.xpath(_UNPUBLISHED, namespaces=_NAMESPACES):
        reason = f"it is not public ({etree.QName(mark).localname})"
        reason = reason.replace("(item)", "(it has no status)")
        for entry in (mark, *mark.iterancestors("{*}item", "{*}entry")):
            etree.SubElement(entry, "skip_reason").text = reason


def _hide_nested(document: Any) -> None:
    """Rename the elements within those of an entry; markup stays markup.

    feedparser takes any `title` or `link` for that of the entry, such as the title of
    a picture.
    """
    # One search in the whole document would take time that grows with its square.
    for entry in document.iter("{*}item", "{*}entry"):
        nested = entry.xpath(_NESTED, namespaces=_NAMESPACES, entry=[entry])
        for element in nested:
            element.tag = f"{{{_UNKNOWN}}}{etree.QName(element).localname}"


def _move_captions(document: Any) -> None:
    """Turn captions and credits of pictures into attributes of `media:content`.

    feedparser takes `media:title` for the title of the entry, `media:description` for
    its text, and does not tell to which picture a credit belongs.
    """
    for name, attribute in _CAPTION_ELEMENTS.items():
        for element in document.xpath(f"//media:{name}[1]", namespaces=_NAMESPACES):
            text = element.text or ""
            if element.get("type") == "html":
                text = sanitize.to_plain_text(text)
            pictures = element.xpath(_PICTURES, namespaces=_NAMESPACES)
            for picture in pictures:
                if attribute not in picture.attrib:
                    picture.set(attribute, text)
    names = [f"{{{_MEDIA}}}{name}" for name in _CAPTION_ELEMENTS]
    # WordPress's plugins write thousands of notes, of which nothing is read.
    etree.strip_elements(document, "{*}postmeta", *names)


def _divide_authors(document: Any) -> None:
    """Divide authors of RSS into name and address, as those of Atom are.

    feedparser ends an address after four letters of the top-level domain, and an author
    without one gets that of the author before.
    """
    for author in document.xpath(_PEOPLE):
        if author.find("{*}name") is not None:
            # Its own address is behind this one, and takes precedence.
            author.insert(0, etree.Element("email"))
        elif author.text:
            text = author.text[:_MAX_ADDRESS]
            name, address = parseaddr(text)
            if not name or "@" not in address:
                name, address = text, ""
            author.text = None
            etree.SubElement(author, "name").text = name
            etree.SubElement(author, "email").text = address


def _to_entry(entry: FeedParserDict, parsed: FeedParserDict) -> ImportedEntry:
    title = entry.get("title_detail", {})
    source = entry.get("source", {})
    updated = _date(entry, "updated")
    published = _date(entry, "published") or updated
    text = _title(title, is_rss=not parsed.version.startswith("atom"))
    # GitHub and Hugo leave out the host, without xml:base.
    links = {link.rel: link.get("href") for link in parsed.feed.get("links", ())}
    base = urljoin(links.get("self", ""), links.get("alternate"))
    url = entry.get("link", "")
    fields = {
        "url": url and urljoin(base, url),
        "title": text,
        # RSS has a language element, Atom the attribute `xml:lang`.
        "language": entry.get("language")
        or title.get("language")
        or parsed.feed.get("language"),
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
        skip_reason=entry.get("skip_reason", ""),
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
    name = "content_text" if content.get("type") == "text/plain" else "content_html"
    body = {name: content.get("value", "")}
    if "wp_post_type" in entry and "<p" not in body[name]:
        # WordPress makes paragraphs of the lines of its old editor.
        body[name] = re.sub(r"\n\s*\n", "<p>", f"\n\n{body[name]}")
    if contents:
        # An export of WordPress has its excerpt in an element of its own.
        value = entry.get("excerpt_encoded") or summary.get("value", "")
        body["summary"] = sanitize.to_plain_text(value)
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
            "credit": split_label(image.get("credit", ""), "entry.photo")[1],
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
