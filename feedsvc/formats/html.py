"""HTML pages from Jinja templates: the directory, feeds, entries, errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS
from feedsvc.formats import content, labels, links
from feedsvc.formats.json_ld import json_ld
from feedsvc.models import KINDS, UI_LANGUAGES, Category, Entry, Site
from feedsvc.words import MAX_LENGTH


class Pages:
    """The pages of the service.

    Every template knows:

    - `site`, and `localized_site`: the site in the language of the page
    - `language`: the language of the page; `t`: its phrases by key
    - `ui`: the language of the page if it is not the site's, for links to other pages
    - `section`: the kind that the page belongs to, `directory`, or None
    - `search`: the words that the page has searched for, or None
    - `feeds`: the feeds that the page announces, each a list of its formats
    - `language_links`: pairs of a language and the URL of the page in it
    """

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("feedsvc.formats"),
            autoescape=True,
            # Templates are package data: they do not change while the service runs.
            auto_reload=False,
            # A misspelled name in a template is an error instead of an empty text.
            undefined=StrictUndefined,
        )
        self._environment.globals |= {
            "kinds": KINDS,
            "max_search_length": MAX_LENGTH,
            # Modules, so that templates name functions as Python code does.
            "labels": labels,
            "content": content,
            "links": links,
        }

    def render(
        self, template: str, site: Site, *, ui: str | None = None, **context: Any
    ) -> bytes:
        """Render a page.

        :param ui: the language of the page, if it is not the site's.
        :param context: further names for the template, or other values for `feeds` and
            `language_links`.
        """
        language = labels.resolve_language(ui or site.language)
        names = {
            "site": site,
            "localized_site": replace(site, language=language),
            "language": language,
            "language_links": (),
            "ui": ui,
            "section": None,
            "search": None,
            **context,
        }
        if "feeds" not in names:
            names["feeds"] = [self._variants(site, kind) for kind in KINDS]
        return self._environment.get_template(template).render(names).encode()

    def render_directory(
        self,
        site: Site,
        categories: Sequence[Category],
        newest: Mapping[tuple[str, str | None], Entry],
        ui: str | None,
    ) -> bytes:
        """Render the directory of feeds: categories as a tree.

        :param newest: the newest entries by kind and slug; a kind alone has None.
        """
        children: dict[str | None, list[Category]] = {}
        for category in categories:
            children.setdefault(category.parent, []).append(category)

        def node(kind: str, category: Category | None = None) -> dict[str, Any]:
            slug = category.slug if category else None
            return {
                "variants": self._variants(site, kind, category),
                "newest": newest.get((kind, slug)),
                "children": [node(kind, child) for child in children.get(slug, [])],
            }

        return self.render(
            "directory.html",
            site,
            ui=ui,
            # Relative, so that pages work under any host name and prefix.
            language_links=_language_links(
                site, ui, lambda other: f"?ui={other}" if other else "./"
            ),
            section="directory",
            sections={kind: node(kind) for kind in KINDS},
        )

    def render_entry(
        self, entry: Entry, related: Sequence[Entry], site: Site, ui: str | None
    ) -> bytes:
        """Render the page of an entry, which announces the feeds of its categories."""
        feeds = [
            self._variants(site, entry.kind, category)
            for category in (None, *entry.categories)
        ]
        return self.render(
            "entry.html",
            site,
            ui=ui,
            language_links=_language_links(
                site, ui, lambda other: f"?ui={other}" if other else quote(entry.id)
            ),
            section=entry.kind,
            feeds=feeds,
            # To follow: the category that the page belongs to, or else the section.
            variants=feeds[1] if entry.categories else feeds[0],
            entry=entry,
            related=related,
            structured_data=json_ld(entry, site),
        )

    def render_feed(self, feed: Feed) -> bytes:
        """Render a feed as a page: its entries, other formats and pages."""
        site = feed.site
        query = feed.query
        language = labels.resolve_language(query["ui"] or site.language)
        localized_site = replace(site, language=language)
        return self.render(
            "feed.html",
            site,
            ui=query["ui"],
            language_links=_language_links(
                site, query["ui"], lambda other: feed.with_parameters(ui=other).self_url
            ),
            section=query.kind,
            search=query["q"],
            feeds=[self._formats_of(feed)],
            feed=replace(feed, site=localized_site),
            groups=_group_entries(feed, localized_site),
        )

    def _variants(
        self, site: Site, kind: str, category: Category | None = None
    ) -> list[Feed]:
        """Return the feed of a kind or a category in each format."""
        return self._formats_of(Feed.empty(site, kind, FORMATS["html"], category))

    def _formats_of(self, feed: Feed) -> list[Feed]:
        return [
            feed.in_format(format)
            for format in FORMATS.values()
            if feed.query.kind in format.kinds
        ]


def _group_entries(feed: Feed, site: Site) -> list[tuple[str, list[Entry]]]:
    """Return the entries in the order of the feed, with a heading for each month.

    Only lists by the dates of events have headings: others have one group without.
    """
    if feed.query.kind != "events" or feed.query["order"] != "start":
        return [("", list(feed.entries))] if feed.entries else []

    # Days are in the events' own zones: two events may be in another order than theirs.
    months: dict[str, list[Entry]] = {}
    for entry in feed.entries:
        day = labels.event_day(entry)
        months.setdefault(f"{day:%Y-%m}" if day else "", []).append(entry)
    return [
        (labels.month_name(name, site.language) if name else "", entries)
        for name, entries in months.items()
    ]


def _language_links(
    site: Site, ui: str | None, url: Callable[[str | None], str]
) -> list[tuple[str, str]]:
    """Return the other languages of a page with their URLs.

    :param url: returns the URL of the page in a language; None is the site's own.
    """
    own = labels.resolve_language(site.language)
    current = labels.resolve_language(ui or site.language)
    return [
        (language, url(None if language == own else language))
        for language in UI_LANGUAGES
        if language != current
    ]


PAGES = Pages()


def render(feed: Feed) -> bytes:
    """Render a feed as a page."""
    return PAGES.render_feed(feed)
