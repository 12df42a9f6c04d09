"""OPML 2.0: every feed in one list, for readers that import one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime

from lxml import etree

from feedsvc.formats import labels
from feedsvc.formats.iri import iri_to_uri
from feedsvc.formats.phrases import page_strings, translate
from feedsvc.formats.xml import Element, sub_element
from feedsvc.models import Category, Feed, Site
from feedsvc.query import KINDS

MEDIA_TYPE = "text/x-opml"
_LONGEST_NAME = 200


def render(site: Site, categories: Sequence[Category], modified: datetime) -> bytes:
    """Return the list of all feeds: a folder for each kind, and its feeds flat in it."""
    root: Element = etree.Element("opml", version="2.0")
    head, body = sub_element(root, "head"), sub_element(root, "body")
    sub_element(head, "title", site.title)
    sub_element(
        head, "dateModified", format_datetime(modified.astimezone(site.timezone))
    )
    sub_element(head, "ownerName", site.title)
    if site.contact:
        sub_element(head, "ownerEmail", site.contact)
    sub_element(head, "docs", "https://opml.org/spec2.opml")
    for kind in KINDS:
        _add_folder(body, site, kind, categories)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def _add_folder(
    body: Element, site: Site, kind: str, categories: Sequence[Category]
) -> None:
    """Append the folder of a kind: its section's feed and one feed for each category.

    Importers take an outline for a folder or for a feed, never for both, so feeds are not nested in feeds.
    """
    name = page_strings(site.language)[kind]
    folder = sub_element(body, "outline", title=name)
    folder.set("text", name)
    _add_feed(folder, Feed.empty(site, kind, "rss"), translate(site.language, kind))
    for category in categories:
        _add_feed(
            folder,
            Feed.empty(site, kind, "rss", category),
            f"{name} – {category.title}",
        )


def _add_feed(folder: Element, feed: Feed, name: str) -> None:
    """Append a feed. Importers show `text`, so it names the kind too; some fail on over 200 characters."""
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1].rstrip() + "…"
    outline = sub_element(
        folder,
        "outline",
        title=name,
        type="rss",
        version="RSS2",
        xmlUrl=feed.self_url,
        htmlUrl=iri_to_uri(feed.home_url),
        language=(feed.category and feed.category.language) or feed.site.language,
        description=labels.feed_description(feed),
    )
    outline.set("text", name)  # `add` has a parameter of that name
