"""Atom 1.0 (RFC 4287)."""

from __future__ import annotations

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
    as_html,
    document,
    link,
    local,
)
from feedsvc.render.uris import atom_id, uri

MEDIA_TYPE = "application/atom+xml"


def render(feed: Feed) -> bytes:
    """A feed as Atom."""
    return document(feed, _Atom())


class _Atom(Format):
    def prepare_feed(self, generator: FeedGenerator, feed: Feed) -> None:
        site = feed.site
        generator.link(href=feed.self_url, rel="self", type=MEDIA_TYPE)
        generator.link(href=uri(feed.home_url), rel="alternate", type="text/html")
        generator.subtitle(words.feed_description(feed))
        author = {"name": site.title, "uri": uri(site.url), "email": site.contact}
        generator.author({name: value for name, value in author.items() if value})
        if site.icon:
            generator.icon(uri(site.icon))

    def prepare_entry(self, item: FeedEntry, entry: Entry, feed: Feed) -> None:
        item.title(words.entry_title(entry, feed.site.language))
        for author in entry.authors:
            known = {"name": author.name, "uri": author.url and uri(author.url), "email": author.email}
            item.author({name: value for name, value in known.items() if value})
        if entry.rights:
            item.rights(entry.rights)

    def extend_feed(self, element: Element, feed: Feed) -> None:
        _say_what_is_text(element)
        add_links(element, feed, MEDIA_TYPE, "link")
        for tombstone in feed.tombstones:
            left = local(tombstone.when, feed).isoformat()
            add(element, "at:deleted-entry", ref=atom_id(tombstone.entry.guid), when=left)

    def extend_entry(self, element: Element, entry: Entry, feed: Feed) -> None:
        if entry.language != feed.site.language:
            element.set("{http://www.w3.org/XML/1998/namespace}lang", entry.language)
        _say_what_is_text(element)
        element.find("id").text = atom_id(entry.guid)
        for bare in element.findall("link"):  # feedgen has dropped their attributes
            element.remove(bare)
        add(element, "link", rel="alternate", type="text/html", href=uri(link(entry, feed)))
        for file in entry.attachments:
            add(
                element,
                "link",
                rel="enclosure",
                type=file.type,
                length=file.length,
                title=file.title,
                href=uri(file.url),
            )
        if entry.source:
            add(element, "dc:source", entry.source.name)
            if entry.source.url:
                add(element, "link", rel="via", title=entry.source.name, href=uri(entry.source.url))
        add_license(element, entry)
        add_media(element, entry)
        add_event(element, entry)

    def write(self, generator: FeedGenerator) -> bytes:
        written: bytes = generator.atom_str()
        return written


def _say_what_is_text(element: Element) -> None:
    """Text that reads like HTML is sent as HTML that spells it, for readers that ask no type."""
    for child in element:
        if child.tag in ("title", "subtitle", "summary", "rights") and as_html(child.text) != child.text:
            child.text = as_html(child.text)
            child.set("type", "html")
