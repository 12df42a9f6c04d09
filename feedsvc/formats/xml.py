"""RSS and Atom by feedgen: all that both formats have in common.

feedgen 1.0.0 has no API for some elements: authors of RSS items, Media RSS, links to
other pages. `_CustomExtension` uses its documented extension API to add any element to
a feed; to that of an entry, which feedgen returns, `make_fragment` of a format appends
them.
"""

import re
from collections.abc import Callable, Iterable
from copy import copy
from functools import lru_cache
from html import escape, unescape
from typing import Any

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from feedsvc.feeds.feed import Feed
from feedsvc.formats.common import (
    coordinates,
    format_iso,
    iri_to_uri,
    is_url,
    place_text,
    site_time,
)
from feedsvc.formats.fragments import Fragment
from feedsvc.formats.shown import Shown
from feedsvc.models import Event, Image

#: An lxml element; lxml's stubs lack too many of its methods.
Element = Any

NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "ev": "http://purl.org/rss/1.0/modules/event/",
    "georss": "http://www.georss.org/georss",
    "media": "http://search.yahoo.com/mrss/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}

#: An element with the namespaces of the roots of both formats; feedgen adds `content`.
_ROOT = etree.Element(
    "root",
    nsmap={**NAMESPACES, "content": "http://purl.org/rss/1.0/modules/content/"},
)

_SPECIAL_CHARACTER = re.compile("[&<>]")

# Readers that remove tags by regular expressions take any letter for a name's first.
_TAG_START = re.compile(r"<(?:[^\W\d_]|[/!?])")


class _CustomExtension(BaseExtension):  # type: ignore[misc]
    """An extension of feedgen that calls `extend` with the element of a feed.

    feedgen makes extensions without arguments, so `extend` is set afterwards.
    """

    extend: Callable[[Element], None]

    def extend_ns(self) -> dict[str, str]:
        """Return the namespaces that the root element declares."""
        # feedgen declares Atom's namespace itself.
        return {prefix: uri for prefix, uri in NAMESPACES.items() if prefix != "atom"}

    def extend_atom(self, element: Element) -> None:
        """Add elements to an Atom feed."""
        self.extend(element)

    extend_rss = extend_atom


def write_as_cdata(parent: Element, *names: str) -> None:
    """Write the bodies and summaries among the children of an element as CDATA.

    fast-xml-parser refuses a document with more than 1,000 escapes, and feedgen's own
    CDATA has a type that Atom does not know.

    :param names: of the children, as lxml has them.
    """
    for child in parent.iterchildren(*names):
        # Other text has nothing to escape.
        if child.text and _SPECIAL_CHARACTER.search(child.text):
            child.text = etree.CDATA(child.text)


def create_generator(
    feed: Feed, extend: Callable[[Element, Feed], None]
) -> FeedGenerator:
    """Return a generator with the elements of a feed, without its entries.

    :param extend: adds further elements to the RSS or Atom root element.
    """
    generator = FeedGenerator()
    generator.register_extension("custom", _CustomExtension)
    generator.custom.extend = lambda element: extend(element, feed)
    generator.id(feed.self_url)
    media_type = feed.query.format.media_type
    generator.link(href=feed.self_url, rel="self", type=media_type)
    generator.updated(site_time(feed.updated, feed.site))
    generator.generator("feedsvc")
    generator.language(feed.language)
    if feed.site.rights:
        generator.rights(feed.site.rights)
    return generator


def create_item(shown: Shown, content: str) -> FeedEntry:
    """Return feedgen's object for an entry.

    It has no title, summary nor dates, which the formats need in different forms.

    :param content: its body as HTML, or an empty text.
    """
    item = FeedEntry()
    entry = shown.entry
    item.guid(entry.guid)
    item.link(href=iri_to_uri(shown.url), rel="alternate")
    if content:
        item.content(content, type="html")
    # Slugs are unique only within this service.
    scheme = f"{shown.site.public_url}/feeds/{entry.kind}"
    item.category(
        [
            {
                "term": category.slug,
                "scheme": scheme,
                "label": category.title_in(shown.feed_language),
            }
            for category in entry.categories
        ]
    )
    return item


def to_fragment(element: Element) -> Fragment:
    """Return the element of an entry as text that is valid within a feed.

    The root of the feed declares the prefixes of its namespaces. That of Atom has none:
    feedgen writes it as an attribute.
    """
    root = copy(_ROOT)
    root.append(element)
    _, _, content = etree.tostring(root, encoding="UTF-8").partition(b">")
    return Fragment(content.removesuffix(b"</root>"))


def insert_items(document: bytes, fragments: Iterable[Fragment], end: bytes) -> bytes:
    """Return the document of a feed with its entries.

    :param end: the tags that close the document, behind the entries.
    """
    return b"".join(
        [document.removesuffix(end), *(each.body for each in fragments), end]
    )


def escape_if_markup(text: str) -> str:
    """Escape plain text that a reader would take for HTML.

    Other text stays as it is: readers that do not take it for HTML would show the
    entities.
    """
    is_markup = unescape(text) != text or _TAG_START.search(text)
    return escape(text, quote=False) if is_markup else text


def sub_element(
    parent: Element,
    name: str,
    text: str | None = None,
    /,
    **attributes: object,
) -> Element:
    """Append an element, such as `dc:source`; attributes that are None are left out."""
    values = {key: str(value) for key, value in attributes.items() if value is not None}
    element = etree.SubElement(parent, qualified_name(name), values)
    element.text = text
    return element


@lru_cache(maxsize=256)
def qualified_name(name: str) -> str:
    """Return the name of an element with its namespace, as lxml has it."""
    prefix, _, local_name = name.rpartition(":")
    return f"{{{NAMESPACES[prefix]}}}{local_name}" if prefix else name


def add_links(parent: Element, feed: Feed, name: str) -> None:
    """Append links to hubs (WebSub §4), other pages (RFC 5005 §3) and the license.

    :param name: the name of the elements, `link` or `atom:link`.
    """
    for hub in feed.hubs:
        sub_element(parent, name, rel="hub", href=iri_to_uri(hub))
    for rel, url in (("next", feed.next_url), ("previous", feed.previous_url)):
        if url:
            media_type = feed.query.format.media_type
            sub_element(parent, name, rel=rel, type=media_type, href=url)
    if is_url(feed.site.rights):
        sub_element(parent, name, rel="license", href=iri_to_uri(feed.site.rights))


def add_extensions(parent: Element, shown: Shown) -> None:
    """Append the license, the image, and the time and place of an event."""
    entry = shown.entry
    if is_url(entry.rights):
        sub_element(parent, "dcterms:license", iri_to_uri(entry.rights or ""))
    if entry.image:
        _add_image(parent, entry.image, shown)
    if shown.occurrence:
        _add_event(parent, shown.occurrence)


def _add_image(parent: Element, image: Image, shown: Shown) -> None:
    """Append an image with its caption and credit (Media RSS 1.5.1)."""
    url = iri_to_uri(image.url)
    # A width, height or length of 0 is not known.
    size: dict[str, Any] = {
        "width": image.width or None,
        "height": image.height or None,
    }
    media = parent
    # Of an Atom entry without content, some readers take media:content for it.
    if parent.tag == "item" or not shown.is_summary:
        media = sub_element(
            parent,
            "media:content",
            url=url,
            medium="image",
            type=image.type,
            fileSize=image.length or None,
            **size,
        )
        _add_caption(media, image)
    # Some readers show thumbnails only.
    sub_element(media, "media:thumbnail", url=url, **size)


def _add_caption(media: Element, image: Image) -> None:
    if image.caption:
        caption = escape_if_markup(image.caption)
        text_type = "plain" if caption == image.caption else "html"
        # Readers built on feedparser take media:description for the entry's summary.
        sub_element(media, "media:title", caption, type=text_type)
    if image.credit:
        sub_element(media, "media:credit", image.credit, role="photographer")


def _add_event(parent: Element, event: Event) -> None:
    """Append time and place (RSS 1.0 event module, GeoRSS Simple)."""
    sub_element(parent, "ev:startdate", format_iso(event.start))
    if event.end:
        sub_element(parent, "ev:enddate", format_iso(event.end))
    place = event.location
    if place:
        sub_element(parent, "ev:location", place_text(place))
        if point := coordinates(place):
            sub_element(parent, "georss:point", " ".join(point))
    if event.organizer:
        sub_element(parent, "ev:organizer", event.organizer.name)
