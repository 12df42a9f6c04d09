"""Atom 1.0 (RFC 4287)."""

from __future__ import annotations

from feedsvc.formats import labels
from feedsvc.formats.content import feed_body
from feedsvc.formats.iri import atom_id, iri_to_uri
from feedsvc.formats.times import iso, local
from feedsvc.formats.xml import (
    Element,
    add_extensions,
    add_item,
    add_links,
    build_feed,
    entry_link,
    escape_if_markup,
    sub_element,
)
from feedsvc.models import Entry, Feed

MEDIA_TYPE = "application/atom+xml"


def render(feed: Feed) -> bytes:
    """A feed as Atom."""
    site = feed.site
    generator = build_feed(feed, _extend_feed)
    generator.link(href=feed.self_url, rel="self", type=MEDIA_TYPE)
    generator.link(href=iri_to_uri(feed.home_url), rel="alternate", type="text/html")
    generator.subtitle(labels.feed_description(feed))
    generator.author(_person(site.title, site.url, site.contact))
    if site.icon:
        generator.icon(iri_to_uri(site.icon))
    for entry in feed.entries:
        item = add_item(generator, entry, feed, feed_body(entry, feed), _extend_entry)
        item.title(labels.entry_title(entry, site.language))
        for author in entry.authors:
            item.author(_person(author.name, author.url, author.email))
        if entry.rights:
            item.rights(entry.rights)
    written: bytes = generator.atom_str()
    return written


def _person(name: str, url: str | None, email: str | None) -> dict[str, str]:
    known = {"name": name, "uri": url and iri_to_uri(url), "email": email}
    return {member: value for member, value in known.items() if value}


def _extend_feed(element: Element, feed: Feed) -> None:
    _mark_html_titles(element)
    add_links(element, feed, MEDIA_TYPE, "link")
    for tombstone in feed.tombstones:
        left = iso(local(tombstone.deleted_at, feed.site))
        sub_element(element, "at:deleted-entry", ref=atom_id(tombstone.guid), when=left)


def _extend_entry(element: Element, entry: Entry, feed: Feed) -> None:
    if entry.language != feed.site.language:
        element.set("{http://www.w3.org/XML/1998/namespace}lang", entry.language)
    _mark_html_titles(element)
    element.find("id").text = atom_id(entry.guid)
    for bare in element.findall("link"):  # feedgen has dropped their attributes
        element.remove(bare)
    sub_element(
        element, "link", rel="alternate", type="text/html", href=entry_link(entry, feed)
    )
    for file in entry.attachments:
        added = sub_element(
            element,
            "link",
            rel="enclosure",
            type=file.type,
            length=file.length,
            title=file.title,
        )
        added.set("href", iri_to_uri(file.url))
    if entry.source:
        sub_element(element, "dc:source", entry.source.name)
        if entry.source.url:
            sub_element(
                element,
                "link",
                rel="via",
                title=entry.source.name,
                href=iri_to_uri(entry.source.url),
            )
    add_extensions(element, entry)


def _mark_html_titles(element: Element) -> None:
    """Mark text that reads like HTML as HTML that spells it, for readers that ignore the type.

    Titles stay `type="text"`, the default: more readers show those right.
    """
    for child in element:
        if (
            child.tag in ("subtitle", "summary", "rights")
            and escape_if_markup(child.text) != child.text
        ):
            child.text = escape_if_markup(child.text)
            child.set("type", "html")
