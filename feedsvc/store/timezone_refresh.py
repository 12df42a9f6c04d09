"""Recompute the instants of events after an update of the tzdata package, through the change log.

Events are stored as wall time in a zone. The columns `starts`, `ends` and `due` are instants, which zones'
rules decide. The ledger says with which release of tzdata they were computed, and how far a recomputation is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from feedsvc.model import Entry
from feedsvc.occurrences import over
from feedsvc.stamps import Topic
from feedsvc.store.ledger import Ledger
from feedsvc.store.moments import standing, starts
from feedsvc.store.rows import load
from feedsvc.store.tables import entries, ledger, placements
from feedsvc.timezones import VERSION

_BATCH = 500

TopicsOf = Callable[[int], set[Topic]]
"""Returns the topics whose feeds show the entry with a key."""


def is_refresh_due(connection: sa.Connection, *, downgrade: bool) -> bool:
    """Return whether instants have to be recomputed with this process's tzdata.

    :param downgrade: whether also where they were computed with a newer release. Workers that run beside
        those of a newer version leave them as they are.
    """
    row = connection.execute(sa.select(ledger.c.tzdata, ledger.c.tzdata_pk)).one()
    if row.tzdata == VERSION:
        return row.tzdata_pk is not None
    return row.tzdata is None or row.tzdata < VERSION or downgrade


def refresh(connection: sa.Connection, log: Ledger, topics_of: TopicsOf) -> None:
    """Recompute the instants of the next events, a batch at most."""
    row = connection.execute(sa.select(ledger.c.tzdata, ledger.c.tzdata_pk)).one()
    last = row.tzdata_pk or 0 if row.tzdata == VERSION else 0
    following = sa.select(entries.c.pk).where(entries.c.kind == "events", entries.c.pk > last)
    keys = list(connection.scalars(following.order_by(entries.c.pk).limit(_BATCH)))
    wanted = (entries.c.pk.in_(keys), entries.c.status != "deleted")
    for stored, entry in load(connection, *wanted, order=(entries.c.pk,)):
        values = _instants(entry, log)
        if any(values[name] != stored._mapping[name] for name in values):
            _store(connection, log, stored, values, topics_of)
    progress = {"tzdata": VERSION, "tzdata_pk": keys[-1] if len(keys) == _BATCH else None}
    connection.execute(ledger.update().values(progress))


def _instants(entry: Entry, log: Ledger) -> dict[str, Any]:
    """Return the columns that depend on the rules of the event's zone."""
    now = log.clock()
    ends = over(entry.event) if entry.event else None
    return {"starts": starts(entry, now), "ends": ends, "due": standing(entry, now)[1]}


def _store(
    connection: sa.Connection, log: Ledger, stored: sa.Row[Any], values: dict[str, Any], topics_of: TopicsOf
) -> None:
    """Store the instants of an event, and record a change where readers see it."""
    if stored.shown:
        version = stored.version + 1
        seq = log.record("recompute", stored.kind, stored.id, version, topics_of(stored.pk))
        now = log.tick()
        values = {**values, "seq": seq, "version": version, "updated": now, "changed_at": now}
    connection.execute(entries.update().where(entries.c.pk == stored.pk).values(values))
    instants = {name: values[name] for name in ("starts", "ends")}
    placed = placements.update().where(placements.c.entry_pk == stored.pk)
    connection.execute(placed.values(instants))
