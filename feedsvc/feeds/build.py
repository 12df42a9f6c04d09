"""Build the feed of a query from one snapshot of the database."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from feedsvc.errors import Gone, NotFound
from feedsvc.feeds.feed import Feed
from feedsvc.feeds.period import days_of
from feedsvc.feeds.query import (
    MAX_PAGE,
    CategoryFilter,
    FeedMoved,
    FeedQuery,
)
from feedsvc.feeds.select import Selection, Window, select_entries, select_series
from feedsvc.models import EPOCH, NEVER_MODIFIED, Site, Stamp
from feedsvc.recurrence import MAX_DATETIME, first_in_period
from feedsvc.storage.categories import Categories
from feedsvc.storage.database import revision_row
from feedsvc.storage.documents import decode_document
from feedsvc.storage.entries import read_stamps
from feedsvc.storage.tables import (
    CategoryRow,
    from_microseconds,
    to_microseconds,
)

#: Events that are over are in a calendar while it has fewer than this number.
_CALENDAR_PAST = 500


def build_feed(session: Session, query: FeedQuery, site: Site) -> Feed:
    """Return the feed of a query.

    :raises NotFound: a category does not exist, or there are fewer pages.
    :raises Gone: see `resolve_filter`.
    :raises FeedMoved: a category was renamed, or one of several was deleted.
    """
    feed, selection = _read_selection(session, query, site)
    return _read_stamps(session, feed, selection)


def _read_selection(
    session: Session, query: FeedQuery, site: Site
) -> tuple[Feed, Selection]:
    """Return a feed with its categories and days, and by what it selects entries.

    The SELECT cannot find out by itself which categories are below others, and which
    series take place in a period.
    """
    categories = Categories(session)
    included, excluded = resolve_filter(categories, query)
    first_day, last_day = query["from"], query["to"]
    due_at = None
    if query["period"]:
        today = revision_row(session).day
        first_day, last_day = days_of(query["period"], today)
        due_at = site.end_of(today)
    # Without `lang`, a page leaves out the portal's other languages; programs get all.
    is_mixed = not query["lang"] and not query.format.is_page
    selection = Selection(
        included=[categories.with_descendants(row) for row in included],
        excluded=[key for row in excluded for key in categories.with_descendants(row)],
        languages=() if is_mixed else site.languages,
    )
    if first_day or last_day:
        begin = site.start_of(first_day) if first_day else EPOCH
        end = site.end_of(last_day) if last_day else MAX_DATETIME
        window = _find_window(session, query, selection, begin, end)
        selection = replace(selection, window=window)
    feed = Feed(
        query,
        site,
        categories=tuple(row.category for row in (*included, *excluded)),
        first_day=first_day,
        last_day=last_day,
        due_at=due_at,
    )
    return feed, selection


def _read_stamps(session: Session, feed: Feed, selection: Selection) -> Feed:
    """Return a feed with the stamps of its entries.

    :raises NotFound: there are fewer pages.
    """
    query, window = feed.query, selection.window
    stamps: dict[int, Stamp] = {}
    upcoming = 0
    for each in _queries(query):
        missing = max(0, each["limit"] - len(stamps))
        # One entry more than the feed shows tells that others follow.
        statement, parameters = select_entries(session, each, selection, missing + 1)
        items = [*read_stamps(session, statement, **parameters).items()]
        stamps |= items[:missing]
        if each["when"] == "upcoming":
            upcoming = len(items)
    if query.page > 1 and not stamps:
        raise NotFound("There is no such page: the feed has fewer entries.")
    # Series show their first occurrence in the period; calendars have whole series.
    if window and feed.first_day and not query.format.is_calendar:
        for pk, stamp in stamps.items():
            starts = window.series.get(pk)
            if starts and to_microseconds(starts) != stamp.starts_at:
                stamps[pk] = stamp._replace(occurrence=starts)
    updates = [stamp.updated_at for stamp in stamps.values()]
    # Calendars have no further pages.
    is_last = query.page == MAX_PAGE or query.format.is_calendar
    return replace(
        feed,
        updated=from_microseconds(max(updates)) if updates else NEVER_MODIFIED,
        stamps=tuple(stamps.values()),
        has_more=len(items) > missing and not is_last,
        upcoming=upcoming,
    )


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
    :raises Gone: entries cannot have the included ones, since some were deleted.
    :raises FeedMoved: one was renamed, or the others were deleted.
    """
    category_filter = query.category_filter
    rows = {}
    deleted = []
    for slug in category_filter.all_slugs:
        try:
            rows[slug] = categories.get_current(slug)
        except Gone:
            deleted.append(slug)
    included, excluded = (
        [rows[slug] for slug in slugs if slug in rows]
        for slugs in (category_filter.include, category_filter.exclude)
    )
    lost = {*deleted}.intersection(category_filter.include)
    if lost and (category_filter.match_all or not included):
        raise Gone(f"The category “{deleted[0]}” was deleted.")
    current = CategoryFilter.create(
        (row.slug for row in included),
        (row.slug for row in excluded),
        match_all=category_filter.match_all,
    )
    if current != category_filter:
        path = replace(query, category_filter=current).path
        raise FeedMoved(path, is_permanent=not deleted)
    return included, excluded


def _find_window(
    session: Session,
    query: FeedQuery,
    selection: Selection,
    begin: datetime,
    end: datetime,
) -> Window:
    """Return a period with the series that take place in it.

    SQL does not know recurrence rules, so the series that may do so are expanded here.
    """
    series = {}
    statement = select_series(session, query, selection, begin, end)
    for row in session.execute(statement):
        event = decode_document(row.document).event
        occurrence = event and first_in_period(event, begin, end, row.ends_at)
        if occurrence:
            series[row.pk] = occurrence.starts
    return Window(begin, end, series)
