"""Pages for people: a feed as one, and whatever else is made from the templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader

from feedsvc.formats import content, labels, phrases, share_links
from feedsvc.formats.event_calendar import agenda
from feedsvc.formats.json_ld import json_ld
from feedsvc.models import Category, Entry, Feed, FeedSummary, Site
from feedsvc.query import KINDS, UI_LANGUAGES

MEDIA_TYPE = "text/html"
_HEADING = re.compile(r"(</?h)([1-6])\b")


class Pages:
    """The templates of `feedsvc/formats/templates`, with the formats that they link to."""

    def __init__(self, formats: Mapping[str, Any]) -> None:
        self._formats = formats
        self._environment = Environment(
            loader=PackageLoader("feedsvc.formats"),
            autoescape=True,
            trim_blocks=False,
            auto_reload=False,
        )
        self._environment.globals |= {
            "formats": formats,
            "kinds": KINDS,
            "nested": shift_headings,
        }
        self._environment.globals |= {"labels": labels, "phrases": phrases}
        self._environment.globals |= {"content": content, "share_links": share_links}

    def page(
        self, template: str, site: Site, *, ui: str | None = None, **context: Any
    ) -> bytes:
        """One page. Unless it has `rows` of its own, it makes the whole sections known to feed readers.

        In the templates `here` is the site in the page's language, and `others` has the page's URLs in the
        other languages, where there are such.

        :param ui: the language of the page's words, where it is not the site's.
        """
        here = replace(site, language=phrases.resolve_locale(ui or site.language))
        found = {
            "here": here,
            "language": here.language,
            "rows": [self._feed_row(site, kind) for kind in KINDS],
        }
        return (
            self._environment.get_template(template)
            .render(site=site, **{**found, **context})
            .encode()
        )

    def directory(
        self,
        site: Site,
        categories: Sequence[Category],
        shelves: Mapping[tuple[str, str | None], FeedSummary],
        ui: str | None,
    ) -> bytes:
        """Every section with its categories as they stand within each other, and a form to combine them."""

        children: dict[str | None, list[Category]] = {}
        for category in categories:
            children.setdefault(category.parent, []).append(category)

        def node(kind: str, category: Category | None = None) -> dict[str, Any]:
            """The feeds of a category, what it holds, and the nodes of the categories within it."""
            slug = category.slug if category else None
            within = [node(kind, one) for one in children.get(slug, [])]
            shelf = shelves.get((kind, slug), FeedSummary())
            return {
                "row": self._feed_row(site, kind, category),
                "shelf": shelf,
                "within": within,
            }

        context = {
            "sections": {kind: node(kind) for kind in KINDS},
            "categories": categories,
        }
        others = _language_links(
            site, ui, lambda other: f"?ui={other}" if other else "./"
        )
        return self.page("directory.html", site, ui=ui, others=others, **context)

    def entry(self, entry: Entry, site: Site, ui: str | None) -> bytes:
        """The page of one entry."""
        rows = [
            self._feed_row(site, entry.kind, category)
            for category in (None, *entry.categories)
        ]
        others = _language_links(
            site, ui, lambda other: f"?ui={other}" if other else quote(entry.id)
        )
        data = json_ld(entry, site)
        return self.page(
            "entry.html", site, ui=ui, entry=entry, rows=rows, data=data, others=others
        )

    def feed(self, feed: Feed) -> bytes:
        """A feed as a page: its entries with their bodies, the way to older ones, and its other formats."""
        site, ui = feed.site, feed.query.ui
        here = replace(site, language=phrases.resolve_locale(ui or site.language))
        context = {
            "feed": replace(feed, site=here),
            "rows": [self._format_variants(feed)],
            "others": _language_links(
                site, ui, lambda other: feed.with_query(ui=other).self_url
            ),
            "latest": feed.with_query(
                format="json", ui=None, archive=None, limit=5, content="summary"
            ),
            "months": agenda(feed.entries, here),
        }
        return self.page("feed.html", site, ui=ui, **context)

    def _feed_row(
        self, site: Site, kind: str, category: Category | None = None
    ) -> list[Feed]:
        """The feed of a section or a category in each format."""
        return self._format_variants(Feed.empty(site, kind, "html", category))

    def _format_variants(self, feed: Feed) -> list[Feed]:
        """A feed in each format."""
        kind = feed.query.kind
        return [
            feed.with_query(format=name, ui=None)
            for name, form in self._formats.items()
            if kind in form.kinds
        ]


def shift_headings(html: str, level: int) -> str:
    """A body whose headings stand below one of the page's of a level, without a gap between theirs."""
    used = sorted({tag[2] for tag in _HEADING.finditer(html)})
    return _HEADING.sub(
        lambda tag: f"{tag[1]}{min(6, level + 1 + used.index(tag[2]))}", html
    )


def _language_links(
    site: Site, ui: str | None, url: Callable[[str | None], str]
) -> list[tuple[str, str]]:
    """The other languages of a page, each with its URL, which for the site's own has no parameter."""
    own, used = (
        phrases.resolve_locale(site.language),
        phrases.resolve_locale(ui or site.language),
    )
    return [
        (name, url(None if name == own else name))
        for name in UI_LANGUAGES
        if name != used
    ]
