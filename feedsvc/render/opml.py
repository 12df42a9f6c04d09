"""OPML 2.0: every feed in one list, for readers that import one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime

from lxml import etree

from feedsvc.model import Category, Feed, Site
from feedsvc.query import KINDS, FeedQuery, Selector
from feedsvc.render import words
from feedsvc.render.documents import Element, add
from feedsvc.render.uris import uri

MEDIA_TYPE = "text/x-opml"
_FORMAT = "rss"


def render(site: Site, categories: Sequence[Category], modified: datetime) -> bytes:
    """The sections, and in each the categories as they stand within each other."""
    root: Element = etree.Element("opml", version="2.0")
    head, body = add(root, "head"), add(root, "body")
    add(head, "title", site.title)
    add(head, "dateModified", format_datetime(modified.astimezone(site.timezone)))
    add(head, "ownerName", site.title)
    if site.contact:
        add(head, "ownerEmail", site.contact)
    add(head, "docs", "https://opml.org/spec2.opml")
    for kind in KINDS:
        section = _outline(body, Feed(FeedQuery(kind, _FORMAT), site))
        _nest(section, None, kind, site, categories)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def _nest(above: Element, parent: str | None, kind: str, site: Site, categories: Sequence[Category]) -> None:
    for category in categories:
        if category.parent == parent:
            query = FeedQuery(kind, _FORMAT, Selector.of([category.slug]))
            _nest(_outline(above, Feed(query, site, (category,))), category.slug, kind, site, categories)


def _outline(above: Element, feed: Feed) -> Element:
    category = feed.category
    label = category.title if category else words.feed_name(feed)
    outline = add(
        above,
        "outline",
        title=words.feed_title(feed),
        type="rss",
        version="RSS2",
        xmlUrl=feed.self_url,
        htmlUrl=uri(feed.home_url),
        language=(category and category.language) or feed.site.language,
        description=words.feed_description(feed),
    )
    outline.set("text", label)  # `add` takes a `text` for what stands in the element
    return outline
