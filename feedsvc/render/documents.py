"""Feeds by feedgen: every call of that library, and the ways around its defects (1.0.0).

It sorts entries newest first by itself, drops the attributes of Atom's entry links, and can say neither
who wrote an RSS item nor what its picture shows. So the two formats add their own elements: each hands
over functions that extend feedgen's channel or feed, and its items or entries.
"""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from html import escape, unescape
from typing import Any

from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator

from feedsvc.model import Entry, Feed
from feedsvc.occurrences import settled
from feedsvc.render import words
from feedsvc.render.body import body, without_frames
from feedsvc.render.uris import is_url, uri

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
    "media": "http://search.yahoo.com/mrss/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}

_one_at_a_time = threading.Lock()
"""feedgen sets the locale of the whole process while it writes a date."""


class Format(ABC):
    """What one of feedgen's two formats needs beside feedgen."""

    @abstractmethod
    def prepare_feed(self, generator: FeedGenerator, feed: Feed) -> None:
        """Tell feedgen what only this format says of a feed."""

    @abstractmethod
    def prepare_entry(self, item: FeedEntry, entry: Entry, feed: Feed) -> None:
        """Tell feedgen what only this format says of an entry."""

    @abstractmethod
    def extend_feed(self, element: Element, feed: Feed) -> None:
        """Add elements to the feed or channel."""

    @abstractmethod
    def extend_entry(self, element: Element, entry: Entry, feed: Feed) -> None:
        """Add elements to an entry or item."""

    @abstractmethod
    def write(self, generator: FeedGenerator) -> bytes:
        """The document."""


def document(feed: Feed, form: Format) -> bytes:
    """A feed as XML."""
    with _one_at_a_time:
        return form.write(_generator(feed, form))


def _generator(feed: Feed, form: Format) -> FeedGenerator:
    site = feed.site
    generator = FeedGenerator()
    generator.register_extension("own", _FeedElements, _EntryElements)
    generator.own.extend = lambda element: form.extend_feed(element, feed)
    # feedgen declares the first where it is needed; validators do not know the second.
    generator.own.unused = {"atom", *(() if feed.tombstones else ("at",))}
    generator.id(feed.self_url)
    generator.title(words.feed_title(feed))
    generator.updated(local(feed.updated, feed))
    generator.generator("feedsvc")
    generator.language(site.language)
    if site.rights:
        generator.rights(site.rights)
    form.prepare_feed(generator, feed)
    for entry in feed.entries:
        item = generator.add_entry(order="append")
        item.own.extend = _extension(form, entry, feed)
        item.guid(entry.guid)
        item.link(href=uri(link(entry, feed)), rel="alternate")
        item.updated(local(entry.updated, feed))
        item.published(local(entry.dated(feed.query), feed))
        # Before the content: feedgen's summary is the RSS description, which the content would become.
        content = without_frames(body(entry, site)) if feed.query.content != "summary" else ""
        summary = words.summary(entry, site)
        if summary or not content:  # an entry of Atom should have one of them
            item.summary(summary or entry.title)
        if content:
            item.content(content, type="html")
        for category in entry.categories:
            item.category(
                term=category.slug, scheme=f"{site.public_url}/feeds/{entry.kind}", label=category.title
            )
        form.prepare_entry(item, entry, feed)
    return generator


def as_html(text: str) -> str:
    """Plain text for readers that take it for HTML: escaped where they would read something else."""
    differs = unescape(text) != text or re.search(r"<[A-Za-z/!?]", text)
    return escape(text, quote=False) if differs else text


def link(entry: Entry, feed: Feed) -> str:
    """Where a reader of an entry lands."""
    return entry.url or feed.site.permalink(entry.id)


def local(moment: datetime, feed: Feed) -> datetime:
    """An instant as the site's clocks show it."""
    return moment.astimezone(feed.site.timezone)


def add(parent: Element, name: str, text: str | None = None, **attributes: object) -> Element:
    """Append an element, in the namespace of its prefix; attributes that are None are left out."""
    prefix, colon, local_name = name.rpartition(":")
    tag = f"{{{NAMESPACES[prefix]}}}{local_name}" if colon else name
    element = parent.makeelement(
        tag, {key: str(value) for key, value in attributes.items() if value is not None}
    )
    element.text = text
    parent.append(element)
    return element


def add_links(parent: Element, feed: Feed, media_type: str, name: str) -> None:
    """The hubs of a feed (WebSub §4), its archives (RFC 5005 §4), and the licence of its entries, as links
    that are named so."""
    for hub in feed.hubs:
        add(parent, name, rel="hub", href=uri(hub))
    if feed.query.archive:
        add(parent, "fh:archive")
        add(parent, name, rel="current", type=media_type, href=feed.url(feed.query.archives))
    for rel, query in (("prev-archive", feed.older), ("next-archive", feed.newer)):
        if query:
            add(parent, name, rel=rel, type=media_type, href=feed.url(query))
    if is_url(feed.site.rights):
        add(parent, name, rel="license", href=uri(feed.site.rights))


def add_license(parent: Element, entry: Entry) -> None:
    """The terms of an entry where they are a document of their own (DCMI Metadata Terms)."""
    if is_url(entry.rights):
        add(parent, "dcterms:license", uri(entry.rights or ""))


def add_media(parent: Element, entry: Entry) -> None:
    """The picture with its caption and credit (Media RSS 1.5.1)."""
    image = entry.image
    if image is None:
        return
    url = uri(image.url)
    media = add(
        parent,
        "media:content",
        url=url,
        medium="image",
        type=image.type,
        fileSize=image.length or None,
        width=image.width or None,
        height=image.height or None,
    )
    if image.caption:
        add(media, "media:description", as_html(image.caption), type="html")
    if image.credit:
        add(media, "media:credit", image.credit, role="photographer")
    add(media, "media:thumbnail", url=url, width=image.width or None, height=image.height or None)


def add_event(parent: Element, entry: Entry) -> None:
    """When and where an event takes place (RSS 1.0 event module; GeoRSS Simple)."""
    event = settled(entry)
    if event is None:
        return
    add(parent, "ev:startdate", event.start.isoformat())
    if event.end:
        add(parent, "ev:enddate", event.end.isoformat())
    place = event.location
    if place:
        add(parent, "ev:location", ", ".join(part for part in (place.name, place.address) if part))
        if place.latitude is not None:
            add(parent, "georss:point", f"{place.latitude:.6f} {place.longitude:.6f}")
    if event.organizer:
        add(parent, "ev:organizer", event.organizer.name)


def _extension(form: Format, entry: Entry, feed: Feed) -> Callable[[Element], None]:
    return lambda element: form.extend_entry(element, entry, feed)


class _FeedElements(BaseExtension):  # type: ignore[misc]
    extend: Callable[[Element], None]
    unused: set[str]

    def extend_ns(self) -> dict[str, str]:
        return {name: uri for name, uri in NAMESPACES.items() if name not in self.unused}

    def extend_atom(self, feed: Element) -> None:
        self.extend(feed)

    def extend_rss(self, rss: Element) -> None:
        self.extend(rss[0])


class _EntryElements(BaseEntryExtension):  # type: ignore[misc]
    extend: Callable[[Element], None]

    def extend_atom(self, entry: Element) -> None:
        self.extend(entry)

    def extend_rss(self, item: Element) -> None:
        self.extend(item)
