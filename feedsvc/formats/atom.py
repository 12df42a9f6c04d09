"""Atom 1.0 (RFC 4287)."""

import re
import uuid
from collections.abc import Iterable
from html import escape

from feedsvc.feeds.feed import Feed
from feedsvc.formats import titles
from feedsvc.formats.common import iri_to_uri
from feedsvc.formats.fragments import Fragment
from feedsvc.formats.shown import Shown
from feedsvc.formats.xml import (
    Element,
    add_extensions,
    add_links,
    create_generator,
    create_item,
    insert_items,
    sub_element,
    to_fragment,
    write_as_cdata,
)
from feedsvc.models import Entry, Translation

_IRI = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"\\^`{|}]+')


def make_fragment(shown: Shown) -> Fragment:
    """Return the element of an entry."""
    entry = shown.entry
    item = create_item(shown, shown.body)
    item.title(shown.title)
    # In UTC, since readers built on libmrss ignore the offset.
    item.updated(entry.updated.replace(microsecond=0))
    item.published(shown.date.replace(microsecond=0))
    summary = shown.summary
    # An entry should have a summary or a content.
    if summary or not shown.body:
        item.summary(summary or entry.title)
    for author in entry.authors:
        item.author(_person(author.name, author.url, author.email))
    if entry.rights:
        item.rights(entry.rights)
    element = item.atom_entry()
    _extend_entry(element, shown)
    return to_fragment(element)


def render(feed: Feed, fragments: Iterable[Fragment]) -> bytes:
    """Render a feed as Atom."""
    site = feed.site
    generator = create_generator(feed, _extend_feed)
    generator.link(href=iri_to_uri(feed.home_url), rel="alternate", type="text/html")
    generator.title(titles.feed_title(feed))
    generator.subtitle(titles.feed_description(feed))
    # RFC 4287 §4.1.1: entries without an author need one of the feed.
    generator.author(_person(feed.site_title, site.url, site.contact))
    if site.icon:
        generator.icon(iri_to_uri(site.icon))
    return insert_items(generator.atom_str(), fragments, b"</feed>")


def atom_id(guid: str) -> str:
    """Return a guid as an absolute IRI (RFC 4287 §4.2.6): itself, or a UUID of it.

    Imported guids may be any text.
    """
    if _IRI.fullmatch(guid):
        return guid
    return uuid.uuid5(uuid.NAMESPACE_URL, guid).urn


def _person(name: str, url: str | None, email: str | None) -> dict[str, str]:
    members = {"name": name, "uri": url and iri_to_uri(url), "email": email}
    return {member: value for member, value in members.items() if value}


def _extend_feed(element: Element, feed: Feed) -> None:
    _mark_html(element)
    add_links(element, feed, "link")


def _extend_entry(element: Element, shown: Shown) -> None:
    entry = shown.entry
    if shown.is_foreign:
        element.set("{http://www.w3.org/XML/1998/namespace}lang", entry.language)
    _mark_html(element)
    # feedgen knows one id for both formats, and RSS has the guid as it was imported.
    element.find("id").text = atom_id(entry.guid)
    # feedgen 1.0.0 writes the links of entries with `href` alone: its loop variable
    # shadows the link. So they are removed, and added here.
    for link in element.findall("link"):
        element.remove(link)
    _add_link(element, "alternate", shown.url, type="text/html")
    # Readers take the first or the last of several links for that of the entry, so its
    # own comes once more, as one of another language (RFC 4287 §4.1.2).
    pages: tuple[Translation | Entry, ...] = (*entry.translations, entry)
    for page in pages if entry.translations else ():
        _add_link(
            element,
            "alternate",
            shown.site.entry_url(page),
            type="text/html",
            hreflang=page.language,
        )
    for file in entry.attachments:
        _add_link(
            element,
            "enclosure",
            file.url,
            type=file.type,
            length=file.length,
            title=file.title,
        )
    if entry.source:
        # atom:source would describe the feed from which an entry was copied.
        name, url = entry.source.name, entry.source.url
        sub_element(element, "dc:source", name)
        if url:
            _add_link(element, "via", url, title=name)
    add_extensions(element, shown)
    write_as_cdata(element, "summary", "content")


def _add_link(parent: Element, rel: str, iri: str, **attributes: object) -> None:
    sub_element(parent, "link", rel=rel, **attributes, href=iri_to_uri(iri))


def _mark_html(element: Element) -> None:
    """Escape text with signs of HTML, and mark it as HTML.

    Some readers ignore that the type is "text" by default, and newsboat shows the
    brackets of CDATA of that type. Titles stay text: more readers show those correctly.
    """
    for child in element:
        if child.tag in ("subtitle", "summary", "rights"):
            escaped = escape(child.text, quote=False)
            if escaped != child.text:
                child.text = escaped
                child.set("type", "html")
