"""What each section and category holds now: how many entries its feed draws on, and the newest."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from feedsvc.model import Shelf
from feedsvc.query import KINDS
from feedsvc.store.rows import load
from feedsvc.store.tables import categories, entries, placements

MAX_COUNTED = 1000
"""Entries that are counted; a directory of a million would count for a third of a second after each write."""


def shelves(connection: sa.Connection, now: datetime) -> dict[tuple[str, str | None], Shelf]:
    """By kind and category's slug; the whole section has none. Of events only those that are not over."""
    inside = placements.c.category_id == categories.c.id
    found: dict[tuple[str, str | None], tuple[int, int | None]] = {}
    for kind in KINDS:
        whole = sa.select(sa.null().label("slug"), *_held(entries.c.pk, kind, now))
        each = sa.select(categories.c.slug, *_held(placements.c.entry_pk, kind, now, inside))
        for statement in (whole, each.where(categories.c.retired.is_(None))):
            found |= {(kind, slug): (count, pk) for slug, count, pk in connection.execute(statement)}
    newest = {pk for _, pk in found.values() if pk}
    rows = load(connection, entries.c.pk.in_(newest)) if newest else []
    entry = {row.pk: entry.as_seen() for row, entry in rows}
    return {where: Shelf(count, entry.get(pk)) for where, (count, pk) in found.items()}


def _held(key: sa.Column[Any], kind: str, now: datetime, *where: sa.ColumnElement[bool]) -> list[Any]:
    """Return how many rows are shown, as far as they are counted, and the key of the newest, as columns."""
    table = key.table
    rows = sa.select(key).where(table.c.kind == kind, table.c.shown, *where)
    if kind == "events":
        rows = rows.where(table.c.ends > now)
    newest = rows.order_by(table.c.published.desc(), table.c.guid).limit(1)
    some = rows.limit(MAX_COUNTED + 1).correlate(categories).subquery()
    count = sa.select(sa.func.count()).select_from(some)
    return [count.scalar_subquery(), newest.scalar_subquery()]
