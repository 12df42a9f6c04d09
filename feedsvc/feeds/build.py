"""Build the feed of a query from one snapshot of the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.errors import CategoryRenamed, FeedMoved, NotFound
from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import MAX_PAGE, CategoryFilter, FeedQuery
from feedsvc.feeds.select import Window, select_entries, select_series
from feedsvc.models import EPOCH, KINDS, NEVER_MODIFIED, Entry, Site
from feedsvc.recurrence import MAX_DATETIME, first_in_period
from feedsvc.storage.categories import Categories
from feedsvc.storage.entries import WHOLE_ENTRY, entries_of
from feedsvc.storage.tables import CategoryRow, EntryCategoryRow, EntryRow


def build_feed(session: Session, query: FeedQuery, site: Site) -> Feed:
    """Return the feed of a query.

    :raises NotFound: a category does not exist, or there are fewer pages.
    :raises Gone: a category was deleted.
    :raises FeedMoved: a category was renamed.
    """
    categories = Categories(session)
    included, excluded = resolve_filter(categories, query.category_filter)
    window = None
    if query["from"] or query["to"]:
        window = _find_window(session, query, site)
    rows: list[EntryRow] = []
    for part in _parts(query):
        statement = select_entries(
            part,
            [categories.with_descendants(row) for row in included],
            [key for row in excluded for key in categories.with_descendants(row)],
            window,
        )
        missing = query["limit"] + 1 - len(rows)
        rows += session.scalars(statement.options(*WHOLE_ENTRY).limit(missing))
    if query.page > 1 and not rows:
        raise NotFound("There is no such page: the feed has fewer entries.")
    shown = rows[: query["limit"]]
    entries = entries_of(session, shown)
    # Calendars have whole series.
    if window and query["from"] and not query.format.is_calendar:
        first_starts = [window.series.get(row.pk) for row in shown]
        entries = tuple(map(_with_occurrence, entries, first_starts))
    # Calendars have no further pages.
    is_last = query.page == MAX_PAGE or query.format.is_calendar
    return Feed(
        query,
        site,
        categories=tuple(row.category for row in (*included, *excluded)),
        updated=max((row.updated_at for row in shown), default=NEVER_MODIFIED),
        entries=entries,
        has_more=len(rows) > len(shown) and not is_last,
    )


def _parts(query: FeedQuery) -> list[FeedQuery]:
    """Return the queries whose entries follow each other in a feed.

    A calendar has events that are not over, then those that are. Each part has an
    index for its order, and both together would have none.
    """
    if query.format.is_calendar and query["when"] == "all":
        return [query.with_parameters(when=when) for when in ("upcoming", "past")]
    return [query]


def resolve_filter(
    categories: Categories, category_filter: CategoryFilter
) -> tuple[list[CategoryRow], list[CategoryRow]]:
    """Return the included and the excluded categories of a filter.

    :raises NotFound: one does not exist.
    :raises Gone: one was deleted.
    :raises FeedMoved: one was renamed.
    """
    current_slugs = {}
    for slug in category_filter.all_slugs:
        try:
            categories.get(slug)
        except CategoryRenamed:
            current_slugs[slug] = categories.get_current(slug).slug
    if current_slugs:
        raise FeedMoved(current_slugs)
    return (
        [categories.get(slug) for slug in category_filter.include],
        [categories.get(slug) for slug in category_filter.exclude],
    )


def _find_window(session: Session, query: FeedQuery, site: Site) -> Window:
    """Return the period of `from` and `to`, and the series that take place in it.

    SQL does not know recurrence rules, so the series that may do so are expanded here.
    """
    begin, end = EPOCH, MAX_DATETIME
    if query["from"]:
        begin = _start_of(query["from"], site)
    if query["to"]:
        end = _start_of(query["to"] + timedelta(days=1), site)
    series = {}
    for pk, entry in session.execute(select_series(begin, end)):
        occurrence = entry.event and first_in_period(entry.event, begin, end)
        if occurrence:
            series[pk] = occurrence.starts
    return Window(begin, end, series)


def _with_occurrence(entry: Entry, starts: datetime | None) -> Entry:
    """Return an entry that shows the occurrence with this start; None is its own."""
    if starts in (None, entry.starts):
        return entry
    return replace(entry, starts=starts, is_ongoing=False, is_next=False)


def _start_of(day: date, site: Site) -> datetime:
    return datetime.combine(day, time(), site.timezone).astimezone(UTC)


def newest_by_category(
    session: Session, categories: Categories
) -> dict[tuple[str, str], Entry]:
    """Return the newest entry of each kind and category that has any, by both.

    Entries of the categories below a category count as its own.
    """
    newest: dict[tuple[str, str], Entry] = {}
    for kind in KINDS:
        by_key: dict[int, EntryRow] = dict(session.execute(_select_newest(kind)).all())
        for category in categories.rows:
            keys = categories.with_descendants(category)
            rows = [by_key[key] for key in keys if key in by_key]
            if rows:
                row = max(rows, key=lambda row: (row.published_at, row.guid))
                newest[kind, category.slug] = row.entry.public_view()
    return newest


def _select_newest(kind: str) -> sa.Select[int, EntryRow]:
    """Return the statement for the newest entry of each category itself."""
    newest_pk = (
        sa.select(EntryCategoryRow.entry_pk)
        .where(
            EntryCategoryRow.category_id == CategoryRow.id,
            EntryCategoryRow.kind == kind,
            EntryCategoryRow.is_public,
        )
        .order_by(EntryCategoryRow.published_at.desc())
        .limit(1)
        .correlate(CategoryRow)
        .scalar_subquery()
    )
    return (
        sa.select(CategoryRow.id, EntryRow)
        .join(EntryRow, EntryRow.pk == newest_pk)
        .options(*WHOLE_ENTRY)
    )
