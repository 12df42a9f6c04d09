"""The values of which pages are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feedsvc.feeds.feed import Feed, FeedHead
from feedsvc.models import Category, Entry, Site
from feedsvc.text.languages import UI_LANGUAGES, match_tag, resolve_language


def list_language(site: Site, language: str) -> str | None:
    """Return the `lang` of lists that have a language; None if they need none."""
    named = match_tag(site.languages, language)
    return named if named in site.languages[1:] else None


@dataclass(frozen=True, slots=True)
class PageLanguages:
    """The languages of a page, which are decided here alone.

    `ui` is the language of its words that its URL names, `default` the one without it.
    `lists` and `feeds` are the `lang` of the lists and feeds to which it leads.
    """

    default: str
    ui: str | None
    lists: str | None
    feeds: str | None

    @classmethod
    def of(
        cls,
        site: Site,
        lang: str | None,
        ui: str | None,
        language: str | None = None,
    ) -> PageLanguages:
        """Return the languages of a page.

        :param lang: the `lang` of its entries; None is the portal's own language.
        :param ui: any text; what is no other language of pages counts as absent.
        :param language: that of its words without `ui`, if it is another than `lang`.
        """
        words = site.words_language(language or lang or site.language)
        default = resolve_language(words)
        is_other = ui in UI_LANGUAGES and ui != default
        # Without `lang`, pages are in the portal's own language, but feeds in all.
        own = next(iter(site.languages), None)
        return cls(
            default,
            ui if is_other else None,
            # Others would be empty in a language in which the portal does not publish.
            lists=lang if lang in site.languages else None,
            feeds=lang or own,
        )

    @property
    def words(self) -> str:
        """The language of the words of the page."""
        return self.ui or self.default


@dataclass(frozen=True)
class Directory:
    """The links of the page of a list: to categories, and to lists of the other kind.

    `path` leads from the top to its own category. `levels` are those on top, then those
    below each one of the path. Its own has entries of `other_kinds` too. `matches` are
    the lists of both kinds for its search, each with its number of entries. `nearest`
    is the event to show instead of days that have none. `access` are the names by which
    the list can select events, as in the column.
    """

    path: Sequence[Category] = ()
    levels: Sequence[Sequence[Category]] = ()
    other_kinds: Sequence[str] = ()
    matches: Sequence[tuple[FeedHead, str]] = ()
    nearest: Sequence[Entry] = ()
    access: Sequence[str] = ()


@dataclass(frozen=True)
class ListPage(Feed):
    """A feed with its entries, as a page shows it.

    `has_long_calendar` is true if the calendar may lack events.
    """

    entries: Sequence[Entry] = ()
    has_long_calendar: bool = False
    directory: Directory = Directory()
