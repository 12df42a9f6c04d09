"""Build the feed of a query from one snapshot of the database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.errors import NotFound
from feedsvc.feeds.feed import Directory, Feed, FeedHead
from feedsvc.feeds.period import days_of
from feedsvc.feeds.query import (
    MAX_PAGE,
    PERIODS,
    CategoryFilter,
    FeedMoved,
    FeedQuery,
)
from feedsvc.feeds.select import Window, select_entries, select_series
from feedsvc.models import EPOCH, KINDS, NEVER_MODIFIED, Entry, Site, Stamp
from feedsvc.recurrence import MAX_DATETIME, first_in_period
from feedsvc.storage.categories import Categories
from feedsvc.storage.database import revision_row
from feedsvc.storage.documents import decode_document
from feedsvc.storage.entries import read_entries, read_stamps
from feedsvc.storage.sets import is_in_language
from feedsvc.storage.tables import (
    CategoryRow,
    EntryCategoryRow,
    EntryRow,
    from_microseconds,
    to_microseconds,
)

#: Events on the front page: at least these, if there are so many, and at most.
_MIN_AGENDA = 3
_MAX_AGENDA = 5

#: Events that are over are in a calendar while it has fewer than this number.
_CALENDAR_PAST = 500


def build_feed(session: Session, query: FeedQuery, site: Site) -> Feed:
    """Return the feed of a query.

    :raises NotFound: a category does not exist, or there are fewer pages.
    :raises Gone: a category was deleted.
    :raises FeedMoved: a category was renamed.
    """
    # What the SELECT cannot find out by itself: categories with those below them, and
    # series that take place in a period.
    categories = Categories(session)
    included, excluded = resolve_filter(categories, query)
    included_keys = [categories.with_descendants(row) for row in included]
    excluded_keys = [
        key for row in excluded for key in categories.with_descendants(row)
    ]
    window = None
    first_day, last_day = query["from"], query["to"]
    due_at = None
    if query["period"]:
        today = revision_row(session).day
        first_day, last_day = days_of(query["period"], today)
        due_at = site.end_of(today)
    if first_day or last_day:
        begin = site.start_of(first_day) if first_day else EPOCH
        end = site.end_of(last_day) if last_day else MAX_DATETIME
        window = _find_window(session, query, included_keys, excluded_keys, begin, end)
    # Without `lang`, a page leaves out the portal's other languages; programs get all.
    is_mixed = not query["lang"] and not query.format.is_page
    languages = () if is_mixed else site.languages
    stamps: dict[int, Stamp] = {}
    upcoming = 0
    for each in _queries(query):
        missing = max(0, each["limit"] - len(stamps))
        statement, parameters = select_entries(
            session,
            each,
            included_keys,
            excluded_keys,
            window,
            languages,
            # One entry more than the feed shows tells that others follow.
            limit=missing + 1,
        )
        items = [*read_stamps(session, statement, **parameters).items()]
        stamps |= items[:missing]
        if each["when"] == "upcoming":
            upcoming = len(items)
    if query.page > 1 and not stamps:
        raise NotFound("There is no such page: the feed has fewer entries.")
    # Series show their first occurrence in the period; calendars have whole series.
    if window and first_day and not query.format.is_calendar:
        for pk, stamp in stamps.items():
            starts = window.series.get(pk)
            if starts and to_microseconds(starts) != stamp.starts_at:
                stamps[pk] = stamp._replace(occurrence=starts)
    updates = [stamp.updated_at for stamp in stamps.values()]
    # Calendars have no further pages.
    is_last = query.page == MAX_PAGE or query.format.is_calendar
    return Feed(
        query,
        site,
        categories=tuple(row.category for row in (*included, *excluded)),
        updated=from_microseconds(max(updates)) if updates else NEVER_MODIFIED,
        stamps=tuple(stamps.values()),
        has_more=len(items) > missing and not is_last,
        upcoming=upcoming,
        first_day=first_day,
        last_day=last_day,
        due_at=due_at,
    )


def build_list(session: Session, query: FeedQuery, site: Site) -> Feed:
    """Return the feed of a page with its entries; raise what `build_feed` raises."""
    feed = build_feed(session, query, site)
    return replace(feed, entries=read_entries(session, feed.stamps))


def _queries(query: FeedQuery) -> list[FeedQuery]:
    """Return the queries whose entries follow each other in a feed.

    A calendar has events that are not over, then those that are. Each query has an
    index for its order, and one for both would have none.
    """
    if query.format.is_calendar and query["when"] == "all":
        limit = min(query["limit"], _CALENDAR_PAST)
        return [
            query.with_parameters(when="upcoming"),
            query.with_parameters(when="past", limit=limit),
        ]
    return [query]


def resolve_filter(
    categories: Categories, query: FeedQuery
) -> tuple[list[CategoryRow], list[CategoryRow]]:
    """Return the included and the excluded categories of a query.

    :raises NotFound: one does not exist.
    :raises Gone: one was deleted.
    :raises FeedMoved: one was renamed.
    """
    category_filter = query.category_filter
    included, excluded = (
        [categories.get_current(slug) for slug in slugs]
        for slugs in (category_filter.include, category_filter.exclude)
    )
    current = CategoryFilter.create(
        (row.slug for row in included),
        (row.slug for row in excluded),
        match_all=category_filter.match_all,
    )
    if current != category_filter:
        raise FeedMoved(replace(query, category_filter=current).path)
    return included, excluded


def _find_window(
    session: Session,
    query: FeedQuery,
    included: Sequence[Sequence[int]],
    excluded: Sequence[int],
    begin: datetime,
    end: datetime,
) -> Window:
    """Return a period with the series that take place in it.

    SQL does not know recurrence rules, so the series that may do so are expanded here.
    """
    series = {}
    statement = select_series(session, query, included, excluded, begin, end)
    for pk, ends, document in session.execute(statement):
        event = decode_document(document).event
        occurrence = event and first_in_period(event, begin, end, ends)
        if occurrence:
            series[pk] = occurrence.starts
    return Window(begin, end, series)


def build_directory(session: Session, feed: Feed) -> Directory:
    """Return the links of the page of a list."""
    categories = Categories(session)
    path: list[CategoryRow] = []
    if feed.category:
        path = [*categories.get(feed.category.slug).iter_upwards()][::-1]
    directory = Directory(
        [row.category for row in path], nearest=_find_nearest(session, feed)
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


def build_agenda(
    session: Session, query: FeedQuery, site: Site
) -> dict[str, Sequence[Entry]]:
    """Return the first events of today, of the weekend, and if few others, by name.

    The part whose first event is next comes first.
    A period would have to expand all series, while these are among the nearest events.
    """
    query = query.with_parameters(limit=query.format.max_limit)
    today = revision_row(session).day

    def day_of(stamp: Stamp) -> date:
        return site.day_of(from_microseconds(stamp.starts_at or 0))

    rest: Sequence[Stamp] = build_feed(session, query, site).stamps
    agenda: dict[str, Sequence[Stamp]] = {}
    shown = 0
    # Those of today leave room for the weekend.
    for period, most in (("today", _MIN_AGENDA), ("weekend", _MAX_AGENDA)):
        first, last = days_of(period, today)
        stamps = [each for each in rest if first <= day_of(each) <= last]
        rest = [each for each in rest if each not in stamps]
        agenda[period] = stamps[: most - shown]
        shown += len(agenda[period])
    # Those that have begun come last.
    rest = sorted(rest, key=lambda stamp: stamp.listed_at != stamp.starts_at)
    if agenda["weekend"]:
        # Those after it follow only if none is before it.
        weekend = day_of(agenda["weekend"][0])
        rest = [each for each in rest if day_of(each) < weekend] or rest
    agenda["soon"] = rest[: max(0, _MIN_AGENDA - shown)]
    names = [name for name, stamps in agenda.items() if stamps]
    names.sort(key=lambda name: agenda[name][0].listed_at or 0)
    return {name: read_entries(session, agenda[name]) for name in names}


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
