"""OPML 2.0: the list of all feeds, for readers that import one."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime

from lxml import etree

from feedsvc.feeds.feed import FeedHead
from feedsvc.feeds.query import FORMATS
from feedsvc.formats.common import iri_to_uri
from feedsvc.formats.phrases import translate
from feedsvc.formats.titles import feed_description
from feedsvc.formats.xml import Element, sub_element
from feedsvc.models import KINDS, Category, Site
from feedsvc.pages.links import in_format
from feedsvc.pages.values import list_language
from feedsvc.text.html_text import truncate

MEDIA_TYPE = "text/x-opml"
#: Characters of the longest name: some importers reject longer ones.
_MAX_NAME = 200


def render_opml(
    site: Site,
    categories: Sequence[Category],
    slugs: Mapping[str, Container[str]],
    modified: datetime,
    lang: str | None,
) -> bytes:
    """Return the list of all feeds, with one folder for each kind.

    :param lang: the language of the feeds and their names; None for all entries.
    :param slugs: of each kind, those of the categories that have entries; the feeds of
        others would stay empty in readers.
    """
    language = lang or site.language
    title = site.title_in(language)
    root: Element = etree.Element("opml", version="2.0")
    head = sub_element(root, "head")
    body = sub_element(root, "body")
    sub_element(head, "title", title)
    modified = modified.astimezone(site.timezone)
    sub_element(head, "dateModified", format_datetime(modified))
    sub_element(head, "ownerName", title)
    if site.contact:
        sub_element(head, "ownerEmail", site.contact)
    for kind in KINDS:
        shown = [each for each in categories if each.slug in slugs[kind]]
        _add_folder(body, site, kind, shown, lang)
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return document


def _add_folder(
    body: Element,
    site: Site,
    kind: str,
    categories: Sequence[Category],
    lang: str | None,
) -> None:
    """Append the folder of a kind: its own feed, and one feed for each category.

    Importers take an outline for a folder or for a feed, never for both. So the feeds
    of nested categories are not nested.
    """
    format = FORMATS["rss"]
    section = FeedHead.of(site, kind, format, lang=lang)
    words = site.words_language(section.language)
    name = translate(words, f"kind.{kind}")
    folder = sub_element(body, "outline", text=name)
    _add_feed(folder, section, translate(words, f"feed.{kind}"))
    for category in categories:
        feed = FeedHead.of(site, kind, format, category, lang)
        title = category.title_in(feed.language)
        _add_feed(folder, feed, f"{name} – {title}")


def _add_feed(folder: Element, feed: FeedHead, name: str) -> None:
    """Append a feed; importers show its name alone, so it should contain the kind."""
    name = truncate(name, _MAX_NAME)
    # Pages without `lang` are in the portal's own language.
    lang = feed.query["lang"]
    page = in_format(feed, FORMATS["html"]).with_parameters(
        lang=lang and list_language(feed.site, lang)
    )
    sub_element(
        folder,
        "outline",
        title=name,
        type="rss",
        version="RSS2",  # OPML's name of RSS 2.0
        xmlUrl=feed.self_url,
        htmlUrl=iri_to_uri((feed.category and feed.category.url) or page.self_url),
        language=lang or (feed.category and feed.category.language) or feed.language,
        description=feed_description(feed),
        text=name,
    )
