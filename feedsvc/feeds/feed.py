"""A feed with its entries, as formats render it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feedsvc.feeds.query import CategoryFilter, FeedQuery, Format
from feedsvc.models import NEVER_MODIFIED, Category, Entry, Site


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed with its entries.

    `categories` are those that its filter names. `updated` is the last change of the
    entries that it shows. `has_more` tells that another page follows.
    """

    query: FeedQuery
    site: Site
    categories: tuple[Category, ...] = ()
    updated: datetime = NEVER_MODIFIED
    entries: tuple[Entry, ...] = ()
    has_more: bool = False

    @classmethod
    def empty(
        cls,
        site: Site,
        kind: str,
        format: Format,
        category: Category | None = None,
    ) -> Feed:
        """Return the feed of a section or a category without entries, for its URL."""
        if category is None:
            return cls(FeedQuery(kind, format), site)
        category_filter = CategoryFilter.create([category.slug])
        return cls(FeedQuery(kind, format, category_filter), site, (category,))

    @property
    def category(self) -> Category | None:
        """The category of the feed, if it is one category's."""
        category_filter = self.query.category_filter
        if len(category_filter.all_slugs) == 1 and category_filter.include:
            return self.categories[0]
        return None

    @property
    def self_url(self) -> str:
        """The canonical URL of the feed."""
        return self.site.public_url + self.query.path

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

    @property
    def is_summary(self) -> bool:
        """True if entries lack their bodies."""
        return bool(self.query["content"] == "summary")

    @property
    def home_url(self) -> str:
        """The web page that the feed belongs to."""
        return (self.category and self.category.url) or self.site.url

    @property
    def hubs(self) -> tuple[str, ...]:
        """The WebSub hubs that are told of the feed's changes."""
        is_told = self.query.is_plain and self.query.format.is_syndication
        return self.site.hubs if is_told else ()

    def date_of(self, entry: Entry) -> datetime:
        """Return the date of an entry here: its publication, or the event's start."""
        if entry.starts and self.query["date"] == "start":
            return entry.starts
        return entry.date

    def with_parameters(self, **changes: Any) -> Feed:
        """Return the feed with other parameters in its URL, without its entries."""
        query = self.query.with_parameters(**changes)
        return Feed(query, self.site, self.categories)

    def in_format(self, format: Format) -> Feed:
        """Return the feed in another format, without its entries."""
        return Feed(self.query.in_format(format), self.site, self.categories)
