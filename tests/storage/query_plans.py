"""The plans by which a database reads the entries of a feed."""

from __future__ import annotations

from datetime import datetime

from feedsvc.feed_query import FeedQuery
from feedsvc.storage import Storage
from feedsvc.storage.feed_entries import entry_ids_select
from feedsvc.storage.feed_lookup import resolve_filter
from tests.fake_clock import HANOI


def entry_ids_sql(storage: Storage, query: FeedQuery, now: datetime) -> str:
    """Return the SQL for the keys of a feed's entries."""
    with storage.database.read() as connection:
        feed_filter = resolve_filter(connection, HANOI, query, now)
    statement = entry_ids_select(feed_filter.shape).params(feed_filter.parameters)
    return str(
        statement.compile(
            storage.database.engine, compile_kwargs={"literal_binds": True}
        )
    )


def sqlite_plan(storage: Storage, query: FeedQuery, now: datetime) -> list[str]:
    """Return the steps by which SQLite reads the keys of a feed's entries."""
    sql = entry_ids_sql(storage, query, now)
    with storage.database.read() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
    return [row.detail for row in rows]
