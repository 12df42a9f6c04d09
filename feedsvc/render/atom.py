"""Atom 1.0 (RFC 4287)."""

from __future__ import annotations

from feedsvc.model import Entry, Feed
from feedsvc.render import words
from feedsvc.render.body import feed_body
from feedsvc.render.documents import Element, add, add_entry, add_links, add_modules, as_html, link, new_feed
from feedsvc.render.times import iso, local
from feedsvc.render.uris import atom_id, uri

MEDIA_TYPE = "application/atom+xml"


def render(feed: Feed) -> bytes:
    """A feed as Atom."""
    site = feed.site
    generator = new_feed(feed, _extend_feed)
    generator.link(href=feed.self_url, rel="self", type=MEDIA_TYPE)
    generator.link(href=uri(feed.home_url), rel="alternate", type="text/html")
    generator.subtitle(words.feed_description(feed))
    generator.author(_person(site.title, site.url, site.contact))
    if site.icon:
        generator.icon(uri(site.icon))
    for entry in feed.entries:
        item = add_entry(generator, entry, feed, feed_body(entry, feed), _extend_entry)
        item.title(words.entry_title(entry, site.language))
        for author in entry.authors:
            item.author(_person(author.name, author.url, author.email))
        if entry.rights:
            item.rights(entry.rights)
    written: bytes = generator.atom_str()
    return written


def _person(name: str, url: str | None, email: str | None) -> dict[str, str]:
    known = {"name": name, "uri": url and uri(url), "email": email}
    return {member: value for member, value in known.items() if value}


def _extend_feed(element: Element, feed: Feed) -> None:
    _say_what_is_text(element)
    add_links(element, feed, MEDIA_TYPE, "link")
    for tombstone in feed.tombstones:
        left = iso(local(tombstone.when, feed.site))
        add(element, "at:deleted-entry", ref=atom_id(tombstone.guid), when=left)


def _extend_entry(element: Element, entry: Entry, feed: Feed) -> None:
    if entry.language != feed.site.language:
        element.set("{http://www.w3.org/XML/1998/namespace}lang", entry.language)
    _say_what_is_text(element)
    element.find("id").text = atom_id(entry.guid)
    for bare in element.findall("link"):  # feedgen has dropped their attributes
        element.remove(bare)
    add(element, "link", rel="alternate", type="text/html", href=link(entry, feed))
    for file in entry.attachments:
        added = add(element, "link", rel="enclosure", type=file.type, length=file.length, title=file.title)
        added.set("href", uri(file.url))
    if entry.source:
        add(element, "dc:source", entry.source.name)
        if entry.source.url:
            add(element, "link", rel="via", title=entry.source.name, href=uri(entry.source.url))
    add_modules(element, entry)


def _say_what_is_text(element: Element) -> None:
    """Mark text that reads like HTML as HTML that spells it, for readers that ignore the type.

    Titles stay `type="text"`, the default: more readers show those right.
    """
    for child in element:
        if child.tag in ("subtitle", "summary", "rights") and as_html(child.text) != child.text:
            child.text = as_html(child.text)
            child.set("type", "html")
