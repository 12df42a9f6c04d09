"""RSS 2.0, with the RSS Advisory Board's profile."""

import re
import threading
from collections.abc import Iterable
from email.utils import format_datetime
from html import escape

from lxml import etree

from feedsvc.feeds.feed import Feed
from feedsvc.formats import titles
from feedsvc.formats.common import iri_to_uri, site_time
from feedsvc.formats.content import attachment_list
from feedsvc.formats.fragments import Fragment
from feedsvc.formats.shown import Shown
from feedsvc.formats.xml import (
    Element,
    add_extensions,
    add_links,
    create_generator,
    create_item,
    escape_if_markup,
    insert_items,
    qualified_name,
    sub_element,
    to_fragment,
    write_as_cdata,
)

#: Elements with text for people that may contain `&` and `<`.
#:
#: Readers show names of people and places as they are, and descriptions are CDATA.
_PLAIN_TEXT = (
    "title",
    "copyright",
    "source",
    "category",
    "media:title",
    "dc:source",
    "dc:rights",
)
_SPECIAL_CHARACTER = re.compile("([&<])")

#: feedgen sets the locale of the process while it formats a date.
#:
#: Two threads at once could leave the process with the wrong one.
_feedgen_lock = threading.Lock()


def make_fragment(shown: Shown) -> Fragment:
    """Return the item of an entry."""
    entry = shown.entry
    item = create_item(shown, _content(shown))
    item.title(escape_if_markup(shown.title))
    # Readers take the description for HTML.
    summary = escape(shown.summary, quote=False)
    item.description(summary, isSummary=True)
    if entry.attachments:
        first = entry.attachments[0]
        # The length is required; the profile recommends 0 if it is unknown.
        item.enclosure(iri_to_uri(first.url), str(first.length or 0), first.type)
    element = item.rss_entry()
    _extend_item(element, shown)
    return to_fragment(element)


def render(feed: Feed, fragments: Iterable[Fragment]) -> bytes:
    """Render a feed as RSS 2.0."""
    site = feed.site
    title = escape_if_markup(titles.feed_title(feed))
    generator = create_generator(feed, _extend_channel)
    # feedgen takes the last link for the channel's.
    generator.link(href=iri_to_uri(feed.home_url), rel="alternate")
    generator.title(title)
    generator.description(escape_if_markup(titles.feed_description(feed)))
    generator.ttl(site.poll_minutes)
    # RSS 2.0 allows no other types of images.
    if site.icon.lower().endswith((".gif", ".jpg", ".jpeg", ".png")):
        generator.image(
            url=iri_to_uri(site.icon),
            title=title,
            link=iri_to_uri(feed.home_url),
        )
    if site.contact:
        generator.managingEditor(f"{site.contact} ({feed.site_title})")
    with _feedgen_lock:
        document: bytes = generator.rss_str()
    return insert_items(document, fragments, b"</channel></rss>")


def _content(shown: Shown) -> str:
    """Return the body and links to all attachments but the first.

    An item has one enclosure. Further ones as `media:content` would be shown twice by
    readers that know both. A summary has no links: they belong to the body.
    """
    further_files = shown.entry.attachments[1:]
    if not further_files or shown.is_summary:
        return shown.body
    links = attachment_list(further_files, shown.language)
    return f"{shown.body}\n{links}" if shown.body else links


def _extend_channel(rss: Element, feed: Feed) -> None:
    channel = rss[0]
    sub_element(channel, "sy:updatePeriod", "hourly")
    # The number is whole, because the setting is a divisor of 60.
    polls_an_hour = 60 // feed.site.poll_minutes
    sub_element(channel, "sy:updateFrequency", str(polls_an_hour))
    add_links(channel, feed, "atom:link")
    _write_text(channel)


def _extend_item(item: Element, shown: Shown) -> None:
    entry = shown.entry
    published = site_time(shown.date, shown.site)
    # feedgen would set the locale of the process for each date.
    sub_element(item, "pubDate", format_datetime(published))
    if entry.source and entry.source.url:
        url = iri_to_uri(entry.source.url)
        sub_element(item, "source", entry.source.name, url=url)
    for author in entry.authors:
        # RSS's own author element is an e-mail address.
        sub_element(item, "dc:creator", author.name)
    if entry.source and not entry.source.url:
        # RSS's own source element requires a URL.
        sub_element(item, "dc:source", entry.source.name)
    if shown.is_foreign:
        sub_element(item, "dc:language", entry.language)
    if entry.rights:
        sub_element(item, "dc:rights", entry.rights)
    add_extensions(item, shown)
    _write_text(item)


def _write_text(parent: Element) -> None:
    """Write bodies as CDATA, and `&` and `<` in plain text as numeric references.

    Readers that unescape text twice show the character itself for a numeric reference
    (RSS profile, Character Data).
    """
    write_as_cdata(parent, "description", "{*}encoded")
    for element in parent.iter(*map(qualified_name, _PLAIN_TEXT)):
        # The characters are at the odd indices.
        parts = _SPECIAL_CHARACTER.split(element.text or "")
        element.text = parts[0]
        for character, text in zip(parts[1::2], parts[2::2], strict=True):
            reference = etree.Entity(f"#x{ord(character):X}")
            reference.tail = text
            element.append(reference)
