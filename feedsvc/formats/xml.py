"""Feeds by feedgen: what both of its formats say, and the ways around its defects (1.0.0).

It sorts entries newest first by itself, drops the attributes of Atom's entry links, and can say neither
who wrote an RSS item nor what its picture shows. So each format adds elements of its own, by a function
that extends feedgen's channel or feed, and one for its items or entries.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Any

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from feedsvc.formats import labels
from feedsvc.formats.iri import iri_to_uri, is_url
from feedsvc.formats.times import iso, local
from feedsvc.models import Entry, Event, Feed, Image
from feedsvc.recurrence import display_occurrence

Element = Any
"""An lxml element; lxml's stubs know too few of them."""

NAMESPACES = {
    "at": "http://purl.org/atompub/tombstones/1.0",
    "atom": "http://www.w3.org/2005/Atom",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "ev": "http://purl.org/rss/1.0/modules/event/",
    "fh": "http://purl.org/syndication/history/1.0",
    "georss": "http://www.georss.org/georss",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}


class _CustomExtension(BaseExtension):  # type: ignore[misc]
    """What feedgen asks for more: the function `extend` adds it to a feed or an entry."""

    extend: Callable[[Element], None]
    namespaces: dict[str, str]

    def extend_ns(self) -> dict[str, str]:
        return self.namespaces

    def extend_atom(self, element: Element) -> None:
        self.extend(element)

    extend_rss = extend_atom


def build_feed(
    feed: Feed, extend: Callable[[Element, Feed], None], *, has_durations: bool = False
) -> FeedGenerator:
    """A feed without its entries, as far as both formats agree; `extend` adds elements to it.

    :param has_durations: declare the namespace of iTunes, whose elements mean further warnings to validators.
    """
    generator = FeedGenerator()
    generator.register_extension("own", _CustomExtension, _CustomExtension)
    generator.own.extend = lambda element: extend(element, feed)
    # feedgen declares the first where it is needed; validators do not know the second.
    unused = {
        "atom",
        *(() if feed.tombstones else ("at",)),
        *(() if has_durations else ("itunes",)),
    }
    generator.own.namespaces = {
        name: uri for name, uri in NAMESPACES.items() if name not in unused
    }
    generator.id(feed.self_url)
    generator.title(labels.feed_title(feed))
    generator.updated(local(feed.updated, feed.site))
    generator.generator("feedsvc")
    generator.language(feed.site.language)
    if feed.site.rights:
        generator.rights(feed.site.rights)
    return generator


def add_item(
    generator: FeedGenerator,
    entry: Entry,
    feed: Feed,
    content: str,
    extend: Callable[[Element, Entry, Feed], None],
) -> FeedEntry:
    """Append an entry and its body to its feed, as far as both formats agree; `extend` adds elements."""
    site = feed.site
    item = generator.add_entry(order="append")
    item.own.extend = lambda element: extend(element, entry, feed)
    item.guid(entry.guid)
    item.link(href=entry_link(entry, feed), rel="alternate")
    item.updated(local(entry.updated, site))
    item.published(local(entry.feed_date(feed.query), site))
    # Before the content: feedgen's summary is the RSS description, which the content would become.
    summary = labels.feed_summary(entry, feed)
    if summary or not content:  # an entry of Atom should have one of them
        item.summary(summary or entry.title)
    if content:
        item.content(content, type="html")
    scheme = f"{site.public_url}/feeds/{entry.kind}"
    for category in entry.categories:
        item.category(term=category.slug, scheme=scheme, label=category.title)
    return item


def escape_if_markup(text: str) -> str:
    """Plain text for readers that take it for HTML: escaped where they would read something else."""
    differs = unescape(text) != text or re.search(r"<[A-Za-z/!?]", text)
    return escape(text, quote=False) if differs else text


def entry_link(entry: Entry, feed: Feed) -> str:
    """Where a reader of an entry lands."""
    return iri_to_uri(entry.url or feed.site.permalink(entry.id))


def sub_element(
    parent: Element, name: str, text: str | None = None, **attributes: object
) -> Element:
    """Append an element, in the namespace of its prefix; attributes that are None are left out."""
    prefix, _, local_name = name.rpartition(":")
    tag = f"{{{NAMESPACES[prefix]}}}{local_name}" if prefix else name
    given = {key: str(value) for key, value in attributes.items() if value is not None}
    element = etree.SubElement(parent, tag, given)
    element.text = text
    return element


def add_links(parent: Element, feed: Feed, media_type: str, name: str) -> None:
    """The hubs of a feed (WebSub §4), its archives (RFC 5005 §4), and the licence of its entries, as links
    that are named so."""
    for hub in feed.hubs:
        sub_element(parent, name, rel="hub", href=iri_to_uri(hub))
    if feed.query.archive:
        sub_element(parent, "fh:archive")
        sub_element(
            parent,
            name,
            rel="current",
            type=media_type,
            href=feed.url(feed.query.archive_base),
        )
    for rel, query in (
        ("prev-archive", feed.previous_archive),
        ("next-archive", feed.next_archive),
    ):
        if query:
            sub_element(parent, name, rel=rel, type=media_type, href=feed.url(query))
    if is_url(feed.site.rights):
        sub_element(parent, name, rel="license", href=iri_to_uri(feed.site.rights))


def add_extensions(parent: Element, entry: Entry) -> None:
    """What other vocabularies have of an entry: its terms, its picture, and when and where it takes place."""
    if is_url(entry.rights):
        sub_element(parent, "dcterms:license", iri_to_uri(entry.rights or ""))
    if entry.image:
        _add_image(parent, entry.image)
    event = display_occurrence(entry)
    if event:
        _add_event(parent, event)


def _add_image(parent: Element, image: Image) -> None:
    """A picture with its caption and credit (Media RSS 1.5.1)."""
    url, length = iri_to_uri(image.url), image.length or None
    size: dict[str, Any] = {
        "width": image.width or None,
        "height": image.height or None,
    }
    media = sub_element(
        parent,
        "media:content",
        url=url,
        medium="image",
        type=image.type,
        fileSize=length,
        **size,
    )
    if image.caption:
        html = escape_if_markup(image.caption)
        sub_element(
            media,
            "media:description",
            html,
            type="plain" if html == image.caption else "html",
        )
    if image.credit:
        sub_element(media, "media:credit", image.credit, role="photographer")
    sub_element(media, "media:thumbnail", url=url, **size)


def _add_event(parent: Element, event: Event) -> None:
    """When and where an event takes place (RSS 1.0 event module; GeoRSS Simple)."""
    sub_element(parent, "ev:startdate", iso(event.start))
    if event.end:
        sub_element(parent, "ev:enddate", iso(event.end))
    place = event.location
    if place:
        sub_element(
            parent,
            "ev:location",
            ", ".join(part for part in (place.name, place.address) if part),
        )
        if place.latitude is not None:
            sub_element(
                parent, "georss:point", f"{place.latitude:.6f} {place.longitude:.6f}"
            )
    if event.organizer:
        sub_element(parent, "ev:organizer", event.organizer.name)
