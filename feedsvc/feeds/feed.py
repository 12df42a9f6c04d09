"""A feed with its entries, as formats render it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from feedsvc.feeds.query import CategoryFilter, FeedQuery, Format
from feedsvc.models import NEVER_MODIFIED, Category, Site, Stamp


@dataclass(frozen=True)
class FeedHead:
    """A feed without its entries: its URL, and what it is about.

    `categories` are those that its filter names.
    """

    query: FeedQuery
    site: Site
    categories: tuple[Category, ...] = ()

    @classmethod
    def of(
        cls,
        site: Site,
        kind: str,
        format: Format,
        category: Category | None = None,
        lang: str | None = None,
    ) -> FeedHead:
        """Return the feed of a section or a category, with entries in a language."""
        slugs = [category.slug] if category else []
        query = FeedQuery(kind, format, CategoryFilter.create(slugs), {"lang": lang})
        return FeedHead(query, site, (category,) if category else ())

    @property
    def category(self) -> Category | None:
        """The category of the feed, if it is one category's."""
        if len(self.categories) == 1 and self.query.category_filter.include:
            return self.categories[0]
        return None

    @property
    def language(self) -> str:
        """The language of the feed, in which its entries need not be."""
        return self.query["lang"] or self.site.language

    @property
    def site_title(self) -> str:
        """The title of the site in the language of the feed."""
        return self.site.title_in(self.language)

    @property
    def self_url(self) -> str:
        """The canonical URL of the feed."""
        return self.site.public_url + self.query.path

    @property
    def is_summary(self) -> bool:
        """True if entries lack their bodies."""
        return bool(self.query["content"] == "summary")

    @property
    def home_url(self) -> str:
        """The web page that the feed belongs to."""
        return (self.category and self.category.url) or self.site.url

    @property
    def is_plain(self) -> bool:
        """True if it is a section or one category, without parameters.

        A language of the portal may be there, so that each language has plain feeds.
        """
        query = self.query
        if query["lang"] in self.site.languages:
            query = query.with_parameters(lang=None)
        return query.is_plain

    @property
    def hubs(self) -> tuple[str, ...]:
        """The WebSub hubs that are told of the feed's changes."""
        is_told = self.is_plain and self.query.format.is_syndication
        return self.site.hubs if is_told else ()

    def with_parameters(self, **changes: Any) -> FeedHead:
        """Return the feed with other parameters in its URL."""
        query = self.query.with_parameters(**changes)
        return FeedHead(query, self.site, self.categories)


@dataclass(frozen=True)
class Feed(FeedHead):
    """A feed with the stamps of its entries.

    `updated` is the last change of the entries that it shows. `has_more` tells that
    another page follows. `upcoming` is the number of those that are not over, with one
    that has no room. `first_day` and `last_day` are those by which it selects events;
    at `due_at` they change.
    """

    updated: datetime = NEVER_MODIFIED
    stamps: tuple[Stamp, ...] = ()
    has_more: bool = False
    upcoming: int = 0
    first_day: date | None = None
    last_day: date | None = None
    due_at: datetime | None = None

    @property
    def next_url(self) -> str | None:
        """The URL of the page with the next older entries (RFC 5005 §3)."""
        return self._page_url(1) if self.has_more else None

    @property
    def previous_url(self) -> str | None:
        """The URL of the page with the next newer entries."""
        return self._page_url(-1) if self.query.page > 1 else None

    def _page_url(self, step: int) -> str:
        return self.with_parameters(page=self.query.page + step).self_url
