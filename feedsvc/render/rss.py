"""RSS 2.0, with the RSS Advisory Board's profile."""

from __future__ import annotations

import re
from html import escape, unescape

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator

from feedsvc.model import Entry, Feed
from feedsvc.render import words
from feedsvc.render.documents import (
    Element,
    Format,
    add,
    add_event,
    add_license,
    add_links,
    add_media,
    document,
)
from feedsvc.render.uris import uri

MEDIA_TYPE = "application/rss+xml"
MINUTES = 15
"""How often a reader may well look; it costs next to nothing to find nothing new."""


def render(feed: Feed) -> bytes:
    """A feed as RSS 2.0."""
    return document(feed, _Rss())


class _Rss(Format):
    def prepare_feed(self, generator: FeedGenerator, feed: Feed) -> None:
        generator.link(href=feed.self_url, rel="self", type=MEDIA_TYPE)
        generator.link(href=uri(feed.home_url), rel="alternate")  # the last one is the channel's link
        title = _as_html(words.feed_title(feed))
        generator.title(title)
        generator.description(_as_html(words.feed_description(feed)))
        generator.ttl(MINUTES)
        if feed.site.icon:
            generator.image(url=uri(feed.site.icon), title=title, link=uri(feed.home_url))
        if feed.site.contact:
            generator.managingEditor(f"{feed.site.contact} ({feed.site.title})")

    def prepare_entry(self, item: FeedEntry, entry: Entry, feed: Feed) -> None:
        item.title(_as_html(words.entry_title(entry, feed.site.language)))
        item.description(escape(words.summary(entry, feed.site), quote=False), isSummary=True)
        if entry.attachments:
            first = entry.attachments[0]
            item.enclosure(uri(first.url), str(first.length or 0), first.type)
        if entry.source and entry.source.url:
            item.source(uri(entry.source.url), entry.source.name)

    def extend_feed(self, element: Element, feed: Feed) -> None:
        add(element, "sy:updatePeriod", "hourly")
        add(element, "sy:updateFrequency", str(60 // MINUTES))
        add_links(element, feed, MEDIA_TYPE, "atom:link")

    def extend_entry(self, element: Element, entry: Entry, feed: Feed) -> None:
        for author in entry.authors:
            add(element, "dc:creator", author.name)
        if entry.source and not entry.source.url:
            add(element, "dc:source", entry.source.name)
        if entry.language != feed.site.language:
            add(element, "dc:language", entry.language)
        if entry.rights:
            add(element, "dc:rights", entry.rights)
        add_license(element, entry)
        add_media(element, entry)
        add_event(element, entry)

    def write(self, generator: FeedGenerator) -> bytes:
        written: bytes = generator.rss_str()
        return written


def _as_html(title: str) -> str:
    """Plain text for readers that take it for HTML: escaped where they would read something else."""
    differs = unescape(title) != title or re.search(r"<[A-Za-z/!?]", title)
    return escape(title, quote=False) if differs else title
