"""The number of entries that readers see in each section and category, and the newest of them.

Each is read from the first rows of an index, so the cost does not grow with the table.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedsvc.models import FeedSummary
from feedsvc.query import KINDS
from feedsvc.storage.entry_rows import load_entries
from feedsvc.storage.tables import categories, entries, entry_categories

MAX_COUNT = 1_000
"""Entries of a section or category up to which they are counted."""

MAX_CATEGORIES = 100
"""Categories in use up to which they are counted."""


def feed_summaries(
    connection: sa.Connection, now: datetime
) -> dict[tuple[str, str | None], FeedSummary]:
    """Return the summaries by kind and slug; the slug of a section is None.

    Of events only those count that are not over. Where there are more than `MAX_CATEGORIES` categories,
    only the sections have a summary.
    """
    counted: dict[tuple[str, str | None], tuple[int, int | None]] = {}
    are_few = _are_categories_few(connection)
    for kind in KINDS:
        statements = [
            sa.select(sa.null().label("slug"), *_summary_columns(entries, kind, now))
        ]
        if are_few:
            columns = _summary_columns(entry_categories, kind, now)
            of_categories = sa.select(categories.c.slug, *columns)
            statements.append(of_categories.where(categories.c.retired.is_(None)))
        for statement in statements:
            counted |= {
                (kind, slug): (count, pk)
                for slug, count, pk in connection.execute(statement)
            }
    newest = {pk for _, pk in counted.values() if pk}
    stored = load_entries(connection, newest, bodies=False)
    loaded = {pk: found.entry.public_view() for pk, found in stored.items()}
    return {
        key: FeedSummary(min(count, MAX_COUNT), loaded.get(pk or 0), count > MAX_COUNT)
        for key, (count, pk) in counted.items()
    }


def _are_categories_few(connection: sa.Connection) -> bool:
    in_use = (
        sa.select(categories.c.id)
        .where(categories.c.retired.is_(None))
        .limit(MAX_CATEGORIES + 1)
    )
    return len(connection.execute(in_use).all()) <= MAX_CATEGORIES


def _summary_columns(
    table: sa.Table, kind: str, now: datetime
) -> list[sa.ColumnElement[Any]]:
    """Return a count, at most one more than `MAX_COUNT`, and the newest entry's key as columns.

    `ORDER BY` is what makes PostgreSQL read the rows from an index; it might else search the whole table.
    """
    pk = entries.c.pk if table is entries else table.c.entry_pk
    where = [table.c.kind == kind, table.c.is_visible]
    if table is entry_categories:
        where.append(table.c.category_id == categories.c.id)
    rows = sa.select(
        pk.label("pk"), table.c.published, table.c.guid, table.c.ends
    ).where(*where)
    rows = rows.correlate(categories)  # the outer statement has each category
    announced = rows.order_by(table.c.published.desc(), table.c.guid)
    if kind != "events":
        return [_count(announced.with_only_columns(pk)), _newest(announced.limit(1))]
    ahead = rows.where(table.c.ends > now).order_by(table.c.ends)
    count = _count(ahead.with_only_columns(pk))
    # Where there are few they are all sorted; else one of the newest announced is nearly always not over.
    among_announced = _newest(announced.limit(MAX_COUNT), now)
    newest = sa.case(
        (count > MAX_COUNT, among_announced), else_=_newest(ahead.limit(MAX_COUNT))
    )
    return [count, newest.label("newest")]


def _count(rows: sa.Select[Any]) -> sa.ScalarSelect[int]:
    first = rows.limit(MAX_COUNT + 1).subquery()
    return sa.select(sa.func.count()).select_from(first).scalar_subquery()


def _newest(rows: sa.Select[Any], now: datetime | None = None) -> sa.ScalarSelect[int]:
    """Return the key of the newest of some rows.

    :param now: a time before which the event must not be over.
    """
    first = rows.subquery()
    newest = (
        sa.select(first.c.pk).order_by(first.c.published.desc(), first.c.guid).limit(1)
    )
    if now is not None:
        newest = newest.where(first.c.ends > now)
    return newest.scalar_subquery()
