"""Large databases for measurements, written row by row, only the last change logged."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice

import sqlalchemy as sa
from flask import Flask

from config import Config
from feedsvc.app import create_app
from feedsvc.feed_query import KINDS
from feedsvc.models import Entry
from feedsvc.services import get_services
from feedsvc.storage.database import Database
from feedsvc.storage.entry_rows import entry_columns
from feedsvc.storage.search import SearchIndex
from feedsvc.storage.tables import (
    categories,
    change_sequence,
    changes,
    entries,
    entry_categories,
    feed_versions,
    languages,
)
from tests.postgres import throw_away

BODY = "<p>" + "Nội dung của bài. " * 80 + "</p>"
START = datetime(2020, 1, 1, tzinfo=UTC)
_BATCH_SIZE = 10_000
_COPIED_COLUMNS = {*entries.columns.keys()} & {*entry_categories.columns.keys()}

CategorizedEntry = tuple[Entry, Sequence[int]]
"""An entry and the numbers of its categories, from 1."""


def article(number: int, published: datetime) -> Entry:
    """Return the article with a number."""
    return Entry(
        f"n{number}",
        "news",
        f"Bài {number}",
        "vi",
        summary=f"Tóm tắt của bài {number}.",
        content_html=BODY,
        published=published,
        updated=published,
        guid=f"urn:uuid:00000000-0000-4000-8000-{number:012}",
        version=1,
    )


def articles(count: int) -> Iterator[CategorizedEntry]:
    """Yield articles a minute apart, spread over all categories."""
    category_count = count_categories(count)
    for number in range(1, count + 1):
        published = START + timedelta(minutes=number)
        yield article(number, published), (1 + number % category_count,)


def count_categories(entry_count: int) -> int:
    """Return the number of categories in a database with so many entries."""
    return max(20, entry_count // 500)


def write_database(
    url: str, slugs: Sequence[str], items: Iterable[CategorizedEntry], now: datetime
) -> None:
    """Write visible entries and their categories into a new database."""
    database = Database(url)
    try:
        with database.write() as connection:
            _write_categories(connection, slugs, now)
        numbered = enumerate(items, start=1)
        while batch := list(islice(numbered, _BATCH_SIZE)):
            last, (entry, _) = batch[-1]
            with database.write() as connection:
                _write_entries(connection, batch, now)
        with database.write() as connection:
            values = {"seq": last, "time": now, "clock": now}
            connection.execute(change_sequence.update().values(values))
            # Without it, the database would seem to be restored from a backup.
            change = {
                "seq": last,
                "time": now,
                "action": "put",
                "kind": entry.kind,
                "id": entry.id,
                "version": entry.version,
                "token": "bench",
            }
            connection.execute(changes.insert(), change)
            if connection.dialect.name == "postgresql":
                _set_next_keys(connection)
    finally:
        database.close()


def _write_categories(
    connection: sa.Connection, slugs: Sequence[str], now: datetime
) -> None:
    rows = [
        {"id": id, "slug": slug, "title": slug, "changed_at": now, "titled_at": now}
        for id, slug in enumerate(slugs, start=1)
    ]
    connection.execute(categories.insert(), rows)
    versions = [
        {"kind": kind, "category_id": row["id"], "seq": 0, "time": now}
        for kind in KINDS
        for row in rows
    ]
    connection.execute(feed_versions.insert(), versions)
    tags = [{"kind": kind, "tag": tag} for kind in KINDS for tag in ("vi", "en-gb")]
    connection.execute(languages.insert(), tags)


def _write_entries(
    connection: sa.Connection,
    batch: Sequence[tuple[int, CategorizedEntry]],
    now: datetime,
) -> None:
    rows = []
    category_rows = []
    for pk, (entry, category_ids) in batch:
        row = entry_columns(entry) | {
            "pk": pk,
            "seq": pk,
            "is_visible": True,
            "was_visible": True,
            "next_change_at": None,
            "changed_at": now,
        }
        rows.append(row)
        copied = {name: row[name] for name in _COPIED_COLUMNS}
        category_rows += [
            {"entry_pk": pk, "category_id": id, "position": position, **copied}
            for position, id in enumerate(category_ids)
        ]
    connection.execute(entries.insert(), rows)
    connection.execute(entry_categories.insert(), category_rows)
    SearchIndex(connection).add({pk: entry for pk, (entry, _) in batch})


def _set_next_keys(connection: sa.Connection) -> None:
    """Let PostgreSQL's sequences continue behind the keys that were given."""
    for column in (entries.c.pk, categories.c.id):
        table = column.table.name
        connection.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column.name}'), "
            f"(SELECT max({column.name}) FROM {table}))"
        )


@contextmanager
def empty_database(kind: str) -> Iterator[tuple[str, int | None]]:
    """Yield the URL of an empty database, and its server's process id, if it has one.

    :param kind: `sqlite` or `postgresql`.
    """
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/bench.db", None
        return
    with throw_away() as cluster, cluster.database() as url:
        assert cluster._process
        yield url, cluster._process.pid


@contextmanager
def open_app(url: str, **settings: str) -> Iterator[Flask]:
    """Open an app on a database, which is made if necessary.

    Its cache does not read the change log for each request: in production a thread
    does that, which is no part of a request.
    """
    app = create_app(Config.from_env({"FEEDSVC_DATABASE_URL": url, **settings}))
    services = get_services(app)
    services.storage.upgrade()
    services.cache.sync_on_read = False
    yield app
    services.storage.close()
