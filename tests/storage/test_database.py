"""The database: migrations, durability settings, query plans."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask.testing import FlaskClient
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from config import DEFAULT_CONNECTIONS
from feedsvc.errors import Unavailable
from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.models import SCOPES, Category, Entry, utcnow
from feedsvc.storage import Reader, Storage
from feedsvc.storage.database import safe_for_wal
from feedsvc.storage.tables import REVISION, UTCDateTime, entries, metadata
from tests.conftest import ApiClient
from tests.fake_clock import HANOI
from tests.storage.query_plans import entry_ids_sql, sqlite_plan

pytestmark = pytest.mark.both_databases


@contextmanager
def opened(url: str) -> Iterator[Storage]:
    """A store as another process has it."""
    storage = Storage(url, utcnow, HANOI)
    yield storage
    storage.close()


UNUSED_TABLES = {
    "idempotency_keys",
    "websub_feeds",
    "websub_feed_keys",
    "subscriptions",
    "subscription_requests",
}
"""Tables that only version 1.0 uses."""


def test_migrations_create_the_tables_of_the_code(storage: Storage) -> None:
    def is_common(_: object, name: str | None, *others: object) -> bool:
        if name in UNUSED_TABLES:
            return False
        # The index of words is a virtual table with tables of its own in SQLite, and
        # indexes in PostgreSQL, which Alembic would miss in SQLite.
        names = ("entry_search_fts", "ix_entry_search_")
        return is_postgresql or not (name or "").startswith(names)

    with storage.database.read() as connection:
        is_postgresql = connection.dialect.name == "postgresql"
        context = MigrationContext.configure(
            connection, opts={"include_object": is_common}
        )
        differences = compare_metadata(context, metadata)
    assert differences == []
    assert ScriptDirectory("feedsvc/storage/migrations").get_current_head() == REVISION


def test_simultaneous_starts_migrate_once(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).unlink()
    else:
        with (
            opened(database_url) as storage,
            storage.database.write() as connection,
        ):
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    done: list[bool] = []

    def start() -> None:
        with opened(database_url) as storage:
            done.append(storage.upgrade())

    threads = [threading.Thread(target=start) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, False, False, False, True]


@pytest.mark.sqlite
def test_start_waits_for_another_that_changes_the_journal_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with closing(sqlite.connect(file, check_same_thread=False)) as other:
        other.execute("CREATE TABLE other (id INTEGER)")
        # The lock that a change of the journal mode takes.
        other.execute("BEGIN IMMEDIATE")
        end_of_change = threading.Timer(0.3, other.rollback)
        end_of_change.start()
        with opened(f"sqlite:///{file}") as storage:
            assert storage.upgrade()
        end_of_change.join()


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 44, 5), False), ((3, 44, 6), True), ((3, 46, 1), False), ((3, 50, 7), True), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 53, 4), True)],
)  # fmt: skip
def test_wal_is_used_only_in_safe_versions(
    version: tuple[int, ...], safe: bool
) -> None:
    assert safe_for_wal(version) is safe


@pytest.mark.sqlite
def test_unsafe_version_warns_and_uses_no_wal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("feedsvc.storage.database.safe_for_wal", lambda: False)
    with opened(f"sqlite:///{tmp_path}/a.db") as storage:
        storage.upgrade()
        with storage.database.read() as connection:
            journal_mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    assert journal_mode == "delete"
    assert "WAL" in caplog.text


@pytest.mark.sqlite
def test_sqlite_pragmas(storage: Storage) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "trusted_schema": 0,
        "secure_delete": 1,
        "journal_size_limit": 64 * 1024 * 1024,
    }
    with storage.database.read() as connection:
        assert {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in wanted
        } == wanted


@pytest.mark.postgresql
def test_postgresql_session_options(storage: Storage, database_url: str) -> None:
    def shown(name: str) -> object:
        return connection.exec_driver_sql(f"SHOW {name}").scalar()

    with storage.database.read() as connection:
        assert shown("statement_timeout") == "5s"
        assert shown("idle_in_transaction_session_timeout") == "10s"
        assert shown("transaction_read_only") == "on"
        assert shown("transaction_isolation") == "repeatable read"
    with storage.database.write() as connection:
        assert shown("transaction_read_only") == "off"
        assert shown("transaction_isolation") == "read committed"
    own = f"{database_url}?options=-c statement_timeout%3D7s&connect_timeout=1"
    with opened(own) as other, other.database.read() as connection:
        assert shown("statement_timeout") == "7s", "the URL has the last word"
        assert shown("idle_in_transaction_session_timeout") == "10s"


@pytest.mark.postgresql
def test_writers_do_not_fail_to_serialize(database_url: str) -> None:
    with opened(database_url) as storage, storage.database.write() as connection:
        connection.exec_driver_sql(
            "ALTER ROLE CURRENT_USER IN DATABASE "
            + str(connection.engine.url.database)
            + " SET default_transaction_isolation = serializable"
        )

    def put(number: int) -> int:
        with opened(database_url) as storage, storage.writer("test") as writer:
            return writer.entries.put(Entry("a", "news", str(number), "vi"))[0].version

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(put, range(40))) == list(range(1, 41))


@pytest.mark.postgresql
def test_connection_that_the_server_ends_is_unavailable_once(
    storage: Storage,
) -> None:
    def cut() -> None:
        with storage.writer("test") as writer, storage.database.read() as other:
            pid = writer._connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 1000)")
            writer.categories.put(Category("a", "A"))

    with pytest.raises(Unavailable):
        cut()
    with storage.writer("test") as writer:
        assert writer.categories.put(Category("a", "A"))


def test_exhausted_connection_pool_returns_503(
    editor: ApiClient, client: FlaskClient, storage: Storage
) -> None:
    storage.database.engine.pool._timeout = 0.2  # type: ignore[attr-defined] # instead of five seconds
    with ExitStack() as stack:
        for _ in range(
            40 if storage.database.engine.name == "sqlite" else DEFAULT_CONNECTIONS
        ):
            stack.enter_context(storage.reader())
        for answer in (
            editor.send("PUT", "/articles/a", {"title": "A"}),
            client.get("/feeds/news.rss"),
        ):
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/healthz").status_code == 200
    editor.put("/articles/a", {"title": "A"})
    assert client.get("/feeds/news.rss").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/entries/a%00",
        "/feeds/news/a%00.rss",
        "/api/v1/articles/a%00",
        "/api/v1/articles?category=a%00",
    ],
)
def test_url_with_nul_matches_nothing(editor: ApiClient, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        status = editor.client.open(
            path, method=method, headers=editor.headers, json={"title": "A"}
        ).status_code
        assert 400 <= status < 500, method


def test_category_with_nul_is_invalid(editor: ApiClient) -> None:
    answer = editor.send("PUT", "/articles/a", {"title": "A", "categories": ["a\0"]})
    assert answer.status_code == 422


def test_keys_are_sorted_by_code_point(storage: Storage) -> None:
    ids = [
        "Zoe",
        "anh",
        "Anh",
        "Ánh",
        "ánh",
        "đào",
        "Đào",
        "a-b",
        "ab",
        "a_c",
        "_",
        "ﬁ",
        "𝔄",
        "a",
        "z",
    ]
    with storage.writer("test") as writer:
        for id in ids:
            writer.entries.put(Entry(id, "news", id, "vi"))
    for name in ids:
        storage.tokens.create(name, SCOPES)
    with storage.database.read() as connection:
        assert list(
            connection.scalars(sa.select(entries.c.id).order_by(entries.c.id))
        ) == sorted(ids)
        guids = connection.scalars(
            sa.select(entries.c.guid).order_by(entries.c.guid)
        ).all()
    assert [token.name for token in storage.tokens.list()] == sorted(ids)
    assert guids == sorted(guids)


def test_naive_datetime_is_rejected() -> None:
    with pytest.raises(ValueError, match="naive"):
        UTCDateTime().process_bind_param(datetime(2026, 1, 1), sqlite_dialect())  # noqa: DTZ001


def entry_ids(reader: Reader) -> list[str]:
    selection = reader.select_feed(FeedQuery("news", "rss"), utcnow())
    return [entry.id for entry in selection.entries().entries]


def test_reader_does_not_wait_and_sees_one_snapshot(
    storage: Storage,
) -> None:
    with storage.reader() as reader:
        assert reader.categories.all() == []
        with storage.writer("test") as writer:
            writer.entries.put(Entry("a", "news", "Một", "vi"))
            with storage.reader() as other:
                assert entry_ids(other) == []
        assert entry_ids(reader) == []
    with storage.reader() as reader:
        assert entry_ids(reader) == ["a"]


def test_locked_database_is_unavailable(
    storage: Storage, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedsvc.storage.database.BUSY_SECONDS", 1.5)
    with opened(database_url) as impatient:

        def wait(_: int) -> float:
            begun = time.monotonic()
            with pytest.raises(Unavailable), impatient.writer("other"):
                raise AssertionError("two writers at once")
            return time.monotonic() - begun

        with storage.writer("test"), ThreadPoolExecutor(4) as pool:
            assert max(pool.map(wait, range(4))) < 2.9, (
                "nobody waits twice, in the process and outside"
            )
        with impatient.writer("other") as writer:
            writer.categories.put(Category("a", "A"))


def test_reads_do_not_wait_for_queued_writers(
    storage: Storage, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With four connections, of which writers take two; the others wait for a place, and no longer in all."""
    monkeypatch.setattr("feedsvc.storage.database.BUSY_SECONDS", 2)
    small = Storage(database_url, utcnow, HANOI, connections=4)
    waiting = threading.Barrier(9)

    def wait(_: int) -> float:
        waiting.wait()
        started = time.monotonic()
        with pytest.raises(Unavailable), small.writer("other"):
            raise AssertionError("two writers at once")
        return time.monotonic() - started

    with storage.writer("test"), ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(wait, number) for number in range(8)]
        waiting.wait()
        reads = 0
        while not any(writer.done() for writer in writers):
            started = time.monotonic()
            with small.reader() as reader:
                assert reader.categories.all() == []
            assert time.monotonic() - started < 1.5
            reads += 1
            time.sleep(0.05)
        assert max(writer.result() for writer in writers) < 3.9
    assert reads > 0
    small.close()


@pytest.mark.postgresql
def test_connections_of_a_process_are_limited(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Storage(database_url, utcnow, HANOI, connections=3)
    small.database.engine.pool._timeout = 0.2  # type: ignore[attr-defined] # instead of five seconds
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(small.reader())
        with pytest.raises(Unavailable), small.reader():
            raise AssertionError("a fourth")
    small.close()


def test_database_without_tables_is_unavailable(storage: Storage) -> None:
    with storage.database.write() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE feed_versions RENAME TO feed_versions_away"
        )
    with pytest.raises(Unavailable), storage.reader() as reader:
        reader.select_feed(FeedQuery("news", "rss"), utcnow()).version()


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", ["news", "events"])
@pytest.mark.parametrize("slug", [None, "a"])
def test_newest_entries_are_read_from_an_index(
    storage: Storage, kind: str, slug: str | None
) -> None:
    with storage.writer("test") as writer:
        writer.categories.put(Category("a", "A"))
    query = FeedQuery(kind, "rss", CategoryFilter.create([slug] if slug else []))
    plan = sqlite_plan(storage, query, datetime(2026, 1, 1, tzinfo=UTC))
    table = "entry_categories" if slug else "entries"
    if kind == "news":
        assert len(plan) == 1, "no sort and no scan"
        assert f"ix_{table}_published" in plan[0]
    else:
        # Of events, past ones pile up for ever while those ahead are few: only these are read, then sorted.
        assert f"ix_{table}_ends" in plan[0]
        assert "ends>?" in plan[0]
    assert plan[0].startswith("SEARCH")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "query", [FeedQuery("news", "rss"), FeedQuery("news", "rss", archive="2026-11")]
)
@pytest.mark.parametrize("slug", [None, "a"])
def test_scheduled_changes_are_read_in_their_order(
    storage: Storage, query: FeedQuery, slug: str | None
) -> None:
    asked: list[tuple[str, Any]] = []
    with storage.writer("test") as writer:
        writer.categories.put(Category("a", "A"))
    listen = sa.event.listens_for(storage.database.engine, "before_cursor_execute")
    listen(lambda *given: asked.append((given[2], given[3])))
    with storage.reader() as reader:
        chosen = reader.select_feed(
            replace(
                query, category_filter=CategoryFilter.create([slug] if slug else [])
            ),
            utcnow(),
        )
        assert chosen.version()[1] is None
    (due,) = [each for each in asked if "entries.next_change_at IS NOT NULL" in each[0]]
    with storage.database.read() as connection:
        plan = [
            row.detail
            for row in connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {due[0]}", due[1]
            )
        ]
    assert plan[0].startswith("SEARCH entries USING INDEX ix_entries_next_change_at"), (
        "few have one"
    )
    assert not any("SCAN" in line or "TEMP" in line for line in plan)


@pytest.mark.postgresql
@pytest.mark.parametrize("slug", [None, "a"])
def test_postgresql_reads_newest_entries_in_index_order(
    storage: Storage, slug: str | None
) -> None:
    with storage.writer("test") as writer:
        writer.categories.put(Category("a", "A"))
    query = FeedQuery("news", "rss", CategoryFilter.create([slug] if slug else []))
    sql = entry_ids_sql(storage, query, datetime(2026, 1, 1, tzinfo=UTC))
    with storage.database.read() as connection:
        for way in (
            "seqscan",
            "bitmapscan",
            "sort",
        ):  # on an empty table all else is cheaper
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {sql}").scalars())
    assert f"ix_{'entry_categories' if slug else 'entries'}_published" in plan
    assert "Sort" not in plan
