"""The number of visible entries in each section and category, and one to show.

That is the newest article, or the next event. Both are read from the first rows of an
index, so that the cost does not grow with the table.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedsvc.feed_query import KINDS
from feedsvc.models import FeedSummary
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.tables import categories, entries, entry_categories

MAX_COUNT = 1_000
"""The highest count of entries in a section or category; more are “more than”."""

MAX_CANCELLED = 20
"""The highest number of cancelled events that are passed over to find the next one."""

MAX_CATEGORIES = 100
"""The highest number of categories in use that have a summary."""


def feed_summaries(
    connection: sa.Connection, now: datetime
) -> dict[tuple[str, str | None], FeedSummary]:
    """Return summaries by kind and slug; the slug of a section is None.

    Of events, only those that are not over count. With more than `MAX_CATEGORIES`
    categories, only sections have a summary.
    """
    rows: dict[tuple[str, str | None], sa.Row[Any]] = {}
    has_few_categories = _has_few_categories(connection)
    for kind in KINDS:
        section = sa.select(*_summary_columns(entries, kind, now))
        rows[kind, None] = connection.execute(section).one()
        if has_few_categories:
            for row in connection.execute(_categories_select(kind, now)):
                rows[kind, row.slug] = row
    shown = {row.shown for row in rows.values() if row.shown}
    stored = load_entries(connection, shown, bodies=False)
    summaries = {}
    for key, row in rows.items():
        entry = stored[row.shown].entry.public_view() if row.shown in stored else None
        number = min(row.number, MAX_COUNT)
        summaries[key] = FeedSummary(number, entry, row.number > MAX_COUNT)
    return summaries


def _has_few_categories(connection: sa.Connection) -> bool:
    in_use = (
        sa.select(categories.c.id)
        .where(categories.c.retired.is_(None))
        .limit(MAX_CATEGORIES + 1)
    )
    return len(connection.execute(in_use).all()) <= MAX_CATEGORIES


def _categories_select(kind: str, now: datetime) -> sa.Select[Any]:
    columns = _summary_columns(entry_categories, kind, now)
    return sa.select(categories.c.slug, *columns).where(categories.c.retired.is_(None))


def _summary_columns(
    table: sa.Table, kind: str, now: datetime
) -> list[sa.ColumnElement[Any]]:
    """Return the columns `number`, at most `MAX_COUNT` + 1, and `shown`, a key."""
    pk = entries.c.pk
    conditions = [table.c.kind == kind, table.c.is_visible]
    if table is entry_categories:
        pk = table.c.entry_pk
        conditions.append(table.c.category_id == categories.c.id)
    rows = (
        sa.select(pk.label("pk"), *table.c["published", "guid", "starts", "ends"])
        .where(*conditions)
        .correlate(categories)  # the outer statement has each category
    )
    # ORDER BY makes PostgreSQL read an index; else it might search the whole table.
    if kind == "events":
        not_over = rows.where(table.c.ends > now).order_by(table.c.ends)
        return [_count(not_over).label("number"), _next(not_over).label("shown")]
    newest_first = rows.order_by(table.c.published.desc(), table.c.guid)
    newest = newest_first.with_only_columns(newest_first.selected_columns.pk).limit(1)
    return [
        _count(newest_first).label("number"),
        newest.scalar_subquery().label("shown"),
    ]


def _count(rows: sa.Select[Any]) -> sa.ScalarSelect[int]:
    keys = rows.with_only_columns(rows.selected_columns.pk)
    first = keys.limit(MAX_COUNT + 1).subquery()
    return sa.select(sa.func.count()).select_from(first).scalar_subquery()


def _next(not_over: sa.Select[Any]) -> sa.ScalarSelect[int]:
    """Return the key of the next event to start that is not cancelled."""
    # Of more events, those that end last are not looked at.
    first = not_over.limit(MAX_COUNT).subquery()
    nearest = (
        sa.select(first.c.pk, first.c.starts, first.c.guid)
        .order_by(first.c.starts, first.c.guid)
        .limit(MAX_CANCELLED + 1)
        .subquery()
    )
    event = entries.alias()
    is_cancelled = (event.c.pk == nearest.c.pk, event.c.event_status == "cancelled")
    return (
        sa.select(nearest.c.pk)
        .where(~sa.exists().where(*is_cancelled))
        .order_by(nearest.c.starts, nearest.c.guid)
        .limit(1)
        .scalar_subquery()
    )
