"""OPML 2.0: every feed in one list, for readers that import one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime

from lxml import etree

from feedsvc.model import Category, Feed, Site
from feedsvc.query import KINDS
from feedsvc.render import words
from feedsvc.render.documents import Element, add
from feedsvc.render.uris import uri

MEDIA_TYPE = "text/x-opml"


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
        _outline(body, site, kind, None, categories)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def _outline(
    above: Element, site: Site, kind: str, category: Category | None, categories: Sequence[Category]
) -> None:
    """A section or a category, and in it the categories within."""
    feed = Feed.of(site, kind, "rss", category)
    outline = add(
        above,
        "outline",
        title=words.feed_title(feed),
        type="rss",
        version="RSS2",
        xmlUrl=feed.self_url,
        htmlUrl=uri(feed.home_url),
        language=(category and category.language) or site.language,
        description=words.feed_description(feed),
    )
    # `add` takes a `text` for what stands in the element.
    outline.set("text", category.title if category else words.feed_name(feed))
    for within in categories:
        if within.parent == (category.slug if category else None):
            _outline(outline, site, kind, within, categories)
