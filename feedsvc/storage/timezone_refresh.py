"""Recompute the instants of events after an update of the tzdata package, through the change log.

Events are stored as wall time in a zone. Of the instants `starts`, `ends` and `next_change_at` the zone's
rules decide. The ledger says with which release of tzdata they were computed, and how far a recomputation is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from feedsvc.models import Entry
from feedsvc.recurrence import series_end
from feedsvc.stamps import FeedKey
from feedsvc.storage.change_log import ChangeLog
from feedsvc.storage.mappers import fetch_entries
from feedsvc.storage.scheduler import next_start, visibility
from feedsvc.storage.tables import change_sequence, entries, entry_categories
from feedsvc.timezones import VERSION

_BATCH = 500

TopicsOf = Callable[[int], set[FeedKey]]
"""Returns the topics whose feeds show the entry with a key."""


def is_refresh_due(connection: sa.Connection, *, downgrade: bool) -> bool:
    """Return whether instants have to be recomputed with this process's tzdata.

    :param downgrade: whether also where they were computed with a newer release. Workers that run beside
        those of a newer version leave them as they are.
    """
    row = connection.execute(
        sa.select(change_sequence.c.tzdata, change_sequence.c.tzdata_pk)
    ).one()
    if row.tzdata == VERSION:
        return row.tzdata_pk is not None
    return row.tzdata is None or row.tzdata < VERSION or downgrade


def refresh(connection: sa.Connection, log: ChangeLog, topics_of: TopicsOf) -> None:
    """Recompute the instants of the next events, a batch at most."""
    row = connection.execute(
        sa.select(change_sequence.c.tzdata, change_sequence.c.tzdata_pk)
    ).one()
    last = row.tzdata_pk or 0 if row.tzdata == VERSION else 0
    following = sa.select(entries.c.pk).where(
        entries.c.kind == "events", entries.c.pk > last
    )
    keys = list(connection.scalars(following.order_by(entries.c.pk).limit(_BATCH)))
    wanted = (entries.c.pk.in_(keys), entries.c.status != "deleted")
    for stored, entry in fetch_entries(connection, *wanted, order=(entries.c.pk,)):
        values = _instants(entry, log)
        if any(values[name] != stored._mapping[name] for name in values):
            _store(connection, log, stored, values, topics_of)
    progress = {
        "tzdata": VERSION,
        "tzdata_pk": keys[-1] if len(keys) == _BATCH else None,
    }
    connection.execute(change_sequence.update().values(progress))


def _instants(entry: Entry, log: ChangeLog) -> dict[str, Any]:
    """Return the columns that depend on the rules of the event's zone."""
    now = log.clock()
    ends = series_end(entry.event) if entry.event else None
    return {
        "starts": next_start(entry, now),
        "ends": ends,
        "next_change_at": visibility(entry, now)[1],
    }


def _store(
    connection: sa.Connection,
    log: ChangeLog,
    stored: sa.Row[Any],
    values: dict[str, Any],
    topics_of: TopicsOf,
) -> None:
    """Store the instants of an event, and record a change where readers see it."""
    if stored.is_visible:
        version = stored.version + 1
        seq = log.record(
            "recompute", stored.kind, stored.id, version, topics_of(stored.pk)
        )
        now = log.next_timestamp()
        values = {
            **values,
            "seq": seq,
            "version": version,
            "updated": now,
            "changed_at": now,
        }
    connection.execute(entries.update().where(entries.c.pk == stored.pk).values(values))
    instants = {name: values[name] for name in ("starts", "ends")}
    placed = entry_categories.update().where(entry_categories.c.entry_pk == stored.pk)
    connection.execute(placed.values(instants))
