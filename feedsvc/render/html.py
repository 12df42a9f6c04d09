"""Pages for people: a feed as one, and whatever else is made from the templates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader

from feedsvc.model import Category, Feed, Site
from feedsvc.query import KINDS, UI_LANGUAGES, FeedQuery, Selector
from feedsvc.render import words
from feedsvc.render.body import body
from feedsvc.render.page_words import phrases, size

MEDIA_TYPE = "text/html"
_HEADING = re.compile(r"(</?h)([1-6])\b")


class Pages:
    """The templates of `feedsvc/templates`, with the formats that they link to."""

    def __init__(self, formats: Mapping[str, Any]) -> None:
        self._formats = formats
        self._environment = Environment(
            loader=PackageLoader("feedsvc"), autoescape=True, trim_blocks=False, auto_reload=False
        )
        self._environment.globals |= {"formats": formats, "words": words, "phrases": phrases, "size": size}

    def page(self, template: str, site: Site, **context: Any) -> bytes:
        """One page. Unless it has `rows` of its own, it makes the whole sections known to feed readers."""
        context.setdefault("rows", [row for kind in KINDS for row in self.rows(site, kind)])
        return self._environment.get_template(template).render(site=site, **context).encode()

    def feed(self, feed: Feed) -> bytes:
        """A feed as a page: its entries with their bodies, the way to older ones, and its other formats."""
        language = (feed.query.ui or feed.site.language).split("-")[0].lower()
        entries = [(entry, nested(body(entry, feed.site), 2)) for entry in feed.entries]
        others = [name for name in UI_LANGUAGES if name != language]
        context = {"rows": [self._row(feed)], "language": language, "others": others}
        return self.page("feed.html", feed.site, feed=feed, entries=entries, **context)

    def rows(self, site: Site, kind: str, categories: Iterable[Category] = ()) -> list[list[Feed]]:
        """A row for a section and for each category: a feed a format, empty, for its name and URL."""
        row = [Feed(FeedQuery(kind, "html"), site)]
        row += [
            Feed(FeedQuery(kind, "html", Selector.of([category.slug])), site, (category,))
            for category in categories
        ]
        return [self._row(feed) for feed in row]

    def _row(self, feed: Feed) -> list[Feed]:
        """The feed in each format."""
        return [
            feed.like(format=name, ui=None)
            for name, form in self._formats.items()
            if feed.query.kind in form.kinds
        ]


def nested(html: str, levels: int) -> str:
    """A body whose headings stand so many levels lower, below those of the page."""
    return _HEADING.sub(lambda tag: f"{tag[1]}{min(6, int(tag[2]) + levels)}", html) if "<h" in html else html
