"""Build the page of a list: a feed with its entries, and links to other lists."""

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.errors import NotFound
from feedsvc.feeds.build import build_feed
from feedsvc.feeds.feed import Feed, FeedHead
from feedsvc.feeds.query import PERIODS, FeedQuery
from feedsvc.models import ACCESSIBILITY, KINDS, Entry, Site
from feedsvc.pages.values import Directory, ListPage, PageLanguages
from feedsvc.storage.categories import Categories
from feedsvc.storage.database import revision_row
from feedsvc.storage.entries import read_entries
from feedsvc.storage.sets import has_access, in_categories, is_in_language
from feedsvc.storage.tables import CategoryRow, EntryCategoryRow, EntryRow

#: A number of events of usual length for which a calendar has room.
_SHORT_CALENDAR = 500


def build_list(session: Session, query: FeedQuery, site: Site) -> ListPage:
    """Return the feed of a query with its entries; raise what `build_feed` raises."""
    feed = build_feed(session, query, site)
    return ListPage(**vars(feed), entries=read_entries(session, feed.stamps))


def build_list_page(session: Session, query: FeedQuery, site: Site) -> ListPage:
    """Return the page of a list with its links; raise what `build_feed` raises."""
    page = build_list(session, query, site)
    return replace(
        page,
        has_long_calendar=_has_long_calendar(session, page),
        directory=_build_directory(session, page),
    )


def _has_long_calendar(session: Session, feed: Feed) -> bool:
    """Tell if the calendar of a page may have no room for all events ahead.

    It is not rendered to know it: that takes many times as long as the page. Searches
    and days select few events.
    """
    query = feed.query
    is_short = query["q"] or feed.first_day or feed.last_day
    if query["when"] != "upcoming" or is_short:
        return False
    languages = PageLanguages.of(feed.site, query["lang"], query["ui"])
    # The page behind that many, of one event each, exists if there are more.
    following = query.with_parameters(
        lang=languages.feeds, limit=1, page=_SHORT_CALENDAR + 1
    )
    try:
        build_feed(session, following, feed.site)
    except NotFound:
        return False
    return True


def _build_directory(session: Session, feed: Feed) -> Directory:
    """Return the links of the page of a list."""
    categories = Categories(session)
    path: list[CategoryRow] = []
    if feed.category:
        path = [*categories.get(feed.category.slug).iter_upwards()][::-1]
    keys = categories.with_descendants(path[-1]) if path else []
    directory = Directory(
        [row.category for row in path],
        nearest=_find_nearest(session, feed),
        access=_find_access(session, feed, keys),
    )
    if feed.query["q"]:
        return replace(directory, matches=_count_matches(session, feed))
    kind, lang = feed.query.kind, feed.query["lang"]
    slugs = {
        each: listed_categories(categories, each, feed.site, lang)
        for each in (KINDS if path else (kind,))
    }
    levels = [
        [
            row.category
            for row in categories.rows
            if row.parent_id == parent_id and row.slug in slugs[kind]
        ]
        for parent_id in (None, *(row.id for row in path))
    ]
    return replace(
        directory,
        levels=[level for level in levels if level],
        other_kinds=[
            each for each in slugs if each != kind and path[-1].slug in slugs[each]
        ],
    )


def _find_nearest(session: Session, feed: Feed) -> Sequence[Entry]:
    """Return the event to show, if the days of a list have none.

    It is the next one after these days, or, if they are past or there is none, the next
    one from now on.
    A search, which may take long, has its numbers of both kinds instead.
    """
    if feed.stamps or not feed.first_day or feed.query["q"]:
        return ()
    any_day = feed.query.with_parameters(**{"period": None, "from": None, "to": None})
    queries = [any_day]
    # The next event behind named and past days needs no window, for which all series
    # would be expanded.
    is_ahead = feed.first_day > revision_row(session).day
    if is_ahead and feed.query["period"] not in PERIODS:
        queries.insert(0, any_day.with_parameters(**{"from": feed.first_day}))
    for query in queries:
        near = build_list(session, query.with_parameters(limit=1), feed.site)
        if near.entries:
            return near.entries
    return ()


def _find_access(
    session: Session, feed: Feed, category_ids: Sequence[int]
) -> list[str]:
    """Return by what a list of events selects, or could select some that are ahead.

    :param category_ids: the keys of its category and of those below it, if it has one.
    """
    query = feed.query
    statement = (
        sa.select(EntryRow.access)
        .distinct()
        .where(
            EntryRow.kind == query.kind,
            EntryRow.is_public,
            EntryRow.is_over.is_(False),
            has_access(),
            is_in_language(query["lang"], feed.site.languages),
        )
    )
    if category_ids:
        in_category = in_categories(query.kind, category_ids).condition
        statement = statement.where(in_category)
    names = {*query.access}
    for access in session.scalars(statement):
        names.update(access.split())
    return [name for name in ("free", *ACCESSIBILITY) if name in names]


def _count_matches(session: Session, feed: Feed) -> list[tuple[FeedHead, str]]:
    """Return the lists of both kinds for a search, with the number of their entries.

    One that has none comes last.
    """
    lists = []
    for kind in KINDS:
        query = replace(feed.query, kind=kind).with_parameters(limit=None, page=None)
        matches = feed
        # The page may not have all. Another search takes as long as the first.
        is_complete = feed.query.page == 1 and not feed.has_more
        if kind != feed.query.kind or not is_complete:
            longest = query.with_parameters(limit=query.format.max_limit)
            matches = build_feed(session, longest, feed.site)
        number = f"{len(matches.stamps)}{'+' if matches.has_more else ''}"
        lists.append((FeedHead(query, feed.site), number))
    return sorted(lists, key=lambda pair: pair[1] == "0")


def listed_categories(
    categories: Categories, kind: str, site: Site, lang: str | None
) -> set[str]:
    """Return the slugs of the categories that pages with `lang` list for a kind.

    They have entries, in them or below them, and events that are not over.
    """
    # In another language than those of the portal, pages lead to those without `lang`.
    named = lang if lang in site.languages else None
    is_shown = is_in_language(named, site.languages)
    if kind == "news":
        return categories_with_entries(categories, kind, is_shown)
    # Few events are not over, so these are read.
    statement = (
        sa.select(EntryCategoryRow.category_id)
        .distinct()
        .join(EntryRow, EntryRow.pk == EntryCategoryRow.entry_pk)
        .where(
            EntryRow.kind == kind,
            EntryRow.is_public,
            EntryRow.is_over.is_(False),
            is_shown,
        )
    )
    return _with_ancestors(categories, statement)


def categories_with_entries(
    categories: Categories, kind: str, is_shown: sa.ColumnElement[bool]
) -> set[str]:
    """Return the slugs of the categories with entries, in them or below them.

    :param is_shown: the condition that an entry must meet.
    """
    has_entry = sa.exists().where(
        EntryCategoryRow.category_id == CategoryRow.id,
        EntryCategoryRow.kind == kind,
        EntryCategoryRow.is_public,
        EntryRow.pk == EntryCategoryRow.entry_pk,
        is_shown,
    )
    statement = sa.select(CategoryRow.id).where(has_entry)
    return _with_ancestors(categories, statement)


def _with_ancestors(categories: Categories, statement: sa.Select[int]) -> set[str]:
    """Return the slugs of selected categories, and of those above them."""
    keys = set(categories.session.scalars(statement))
    return {
        ancestor.slug
        for row in categories.rows
        if row.id in keys
        for ancestor in row.iter_upwards()
    }
