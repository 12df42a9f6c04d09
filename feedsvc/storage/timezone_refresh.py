"""Compute the instants of events anew after an update of the time zone database.

Documents have the local times of events. The columns `starts`, `ends`, `series_start`
and `next_change_at` are instants, which depend on the rules of zones. The table
`change_sequence` has the release of tzdata by which they were computed, and the last
event that has been computed anew.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from feedsvc.models import Entry
from feedsvc.storage.categories import feeds_with_entry
from feedsvc.storage.change_log import ChangeLog
from feedsvc.storage.entry_rows import entry_columns, load_entries
from feedsvc.storage.scheduler import next_start, visibility
from feedsvc.storage.tables import change_sequence, entries, entry_categories
from feedsvc.timezones import VERSION

# Writers wait for a batch, so not all events in one transaction.
_BATCH_SIZE = 500

_PROGRESS = sa.select(change_sequence.c.tzdata, change_sequence.c.tzdata_pk)
_NEXT_EVENTS = (
    sa.select(entries.c.pk)
    .where(entries.c.kind == "events", entries.c.pk > sa.bindparam("last"))
    .order_by(entries.c.pk)
    .limit(sa.bindparam("limit"))
)


def is_refresh_due(connection: sa.Connection, *, downgrade: bool) -> bool:
    """Return whether instants must be computed anew, by this process's tzdata.

    :param downgrade: also if they were computed with a newer release. Workers beside
        those of a newer version leave them.
    """
    row = connection.execute(_PROGRESS).one()
    if row.tzdata == VERSION:
        return row.tzdata_pk is not None
    return row.tzdata is None or row.tzdata < VERSION or downgrade


def refresh(connection: sa.Connection, change_log: ChangeLog) -> None:
    """Compute the instants of the next events anew, a batch at most."""
    row = connection.execute(_PROGRESS).one()
    # Progress by the rules of another release does not count.
    last = row.tzdata_pk or 0 if row.tzdata == VERSION else 0
    keys = list(connection.scalars(_NEXT_EVENTS, {"last": last, "limit": _BATCH_SIZE}))
    for stored, entry in load_entries(connection, keys, bodies=False).values():
        # Its document still has a start, but its columns are empty.
        if entry.status == "deleted":
            continue
        instants = _instants(entry, change_log)
        if any(instants[name] != stored._mapping[name] for name in instants):
            _store(connection, change_log, stored, entry, instants)
    progress = {
        "tzdata": VERSION,
        "tzdata_pk": keys[-1] if len(keys) == _BATCH_SIZE else None,
    }
    connection.execute(change_sequence.update().values(progress))


def _instants(entry: Entry, change_log: ChangeLog) -> dict[str, Any]:
    """Return the columns that depend on the rules of the event's zone."""
    now = change_log.clock()
    columns = entry_columns(entry)
    return {
        "starts": next_start(entry, now),
        "ends": columns["ends"],
        "series_start": columns["series_start"],
        "next_change_at": visibility(entry, now)[1],
    }


def _store(
    connection: sa.Connection,
    change_log: ChangeLog,
    stored: sa.Row[Any],
    entry: Entry,
    instants: dict[str, Any],
) -> None:
    """Store the instants of an event, and record a change if readers see it."""
    columns = instants
    # Followers of the changes need no record of an event that they do not have.
    if stored.is_visible:
        version = entry.version + 1
        affected = feeds_with_entry(connection, stored.pk)
        seq = change_log.record("recompute", entry.kind, entry.id, version, affected)
        now = change_log.next_timestamp()
        columns = {
            **instants,
            "seq": seq,
            "version": version,
            "updated": now,
            "changed_at": now,
        }
    connection.execute(
        entries.update().where(entries.c.pk == stored.pk).values(columns)
    )
    connection.execute(
        entry_categories.update()
        .where(entry_categories.c.entry_pk == stored.pk)
        .values(starts=instants["starts"], ends=instants["ends"])
    )
