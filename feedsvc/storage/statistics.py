"""What each section and category holds now: how many entries its feed draws on, and the newest."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedsvc.models import FeedSummary
from feedsvc.query import KINDS
from feedsvc.storage.mappers import fetch_entries
from feedsvc.storage.tables import categories, entries, entry_categories

MAX_COUNTED = 1000
"""Entries that are counted; a directory of a million would count for a third of a second after each write."""


def feed_summaries(connection: sa.Connection, now: datetime) -> dict[tuple[str, str | None], FeedSummary]:
    """By kind and category's slug; the whole section has none. Of events only those that are not over."""
    inside = entry_categories.c.category_id == categories.c.id
    found: dict[tuple[str, str | None], tuple[int, int | None]] = {}
    for kind in KINDS:
        whole = sa.select(sa.null().label("slug"), *_summary_columns(entries.c.pk, kind, now))
        each = sa.select(categories.c.slug, *_summary_columns(entry_categories.c.entry_pk, kind, now, inside))
        for statement in (whole, each.where(categories.c.retired.is_(None))):
            found |= {(kind, slug): (count, pk) for slug, count, pk in connection.execute(statement)}
    newest = {pk for _, pk in found.values() if pk}
    rows = fetch_entries(connection, entries.c.pk.in_(newest)) if newest else []
    entry = {row.pk: entry.public_view() for row, entry in rows}
    return {where: FeedSummary(count, entry.get(pk)) for where, (count, pk) in found.items()}


def _summary_columns(
    key: sa.Column[Any], kind: str, now: datetime, *where: sa.ColumnElement[bool]
) -> list[Any]:
    """Return how many rows are shown, as far as they are counted, and the key of the newest, as columns."""
    table = key.table
    rows = sa.select(key).where(table.c.kind == kind, table.c.shown, *where)
    if kind == "events":
        rows = rows.where(table.c.ends > now)
    newest = rows.order_by(table.c.published.desc(), table.c.guid).limit(1)
    some = rows.limit(MAX_COUNTED + 1).correlate(categories).subquery()
    count = sa.select(sa.func.count()).select_from(some)
    return [count.scalar_subquery(), newest.scalar_subquery()]
