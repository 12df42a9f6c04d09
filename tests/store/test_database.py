"""The database: migrations, durability settings, query plans."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from feedsvc.errors import Unavailable
from feedsvc.model import Category, Entry, FeedQuery, utcnow
from feedsvc.store import Store
from feedsvc.store.database import safe_for_wal
from feedsvc.store.tables import REVISION, UTCDateTime, metadata


def test_migrations_make_the_tables_that_the_code_knows(store: Store) -> None:
    with store._database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []
    assert ScriptDirectory("feedsvc/store/migrations").get_current_head() == REVISION


def test_many_who_start_at_once_migrate_once(database_url: str) -> None:
    done: list[bool] = []
    threads = [
        threading.Thread(target=lambda: done.append(Store(database_url, utcnow).upgrade())) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 44, 5), False), ((3, 44, 6), True), ((3, 46, 1), False), ((3, 50, 7), True), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 53, 4), True)],
)  # fmt: skip
def test_wal_only_where_it_loses_nothing(version: tuple[int, ...], safe: bool) -> None:
    assert safe_for_wal(version) is safe


def test_pragmas(store: Store) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "trusted_schema": 0,
    }
    with store._database.read() as connection:
        assert {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted} == wanted


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        UTCDateTime().process_bind_param(datetime(2026, 1, 1), sqlite_dialect())  # noqa: DTZ001


def test_a_reader_does_not_wait_for_a_writer_and_sees_one_moment(store: Store) -> None:
    with store.read() as reader:
        assert reader.categories() == []
        with store.write("test") as writer:
            writer.put(Entry("a", "news", "Một", "vi"))
            with store.read() as other:
                assert other.newest(FeedQuery("news", "rss"), utcnow()) == []
        assert reader.newest(FeedQuery("news", "rss"), utcnow()) == []
    with store.read() as reader:
        assert len(reader.newest(FeedQuery("news", "rss"), utcnow())) == 1


def test_a_locked_database_is_unavailable(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedsvc.store.database.BUSY_SECONDS", 0.1)
    impatient = Store(str(store._database.engine.url), utcnow)
    with store.write("test"), pytest.raises(Unavailable), impatient.write("other"):
        raise AssertionError("two writers at once")
    with impatient.write("other") as writer:
        writer.put_category(Category("a", "A"))


@pytest.mark.parametrize("kind", ["news", "events"])
@pytest.mark.parametrize("slug", [None, "a"])
def test_the_newest_are_read_from_an_index(store: Store, kind: str, slug: str | None) -> None:
    with store.write("test") as writer:
        writer.put_category(Category("a", "A"))
    with store.read() as reader:
        statement = reader.newest_keys(FeedQuery(kind, "rss", slug), datetime(2026, 1, 1, tzinfo=UTC))
    sql = str(statement.compile(store._database.engine, compile_kwargs={"literal_binds": True}))
    with store._database.read() as connection:
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
    table = "placements" if slug else "entries"
    if kind == "news":
        assert len(plan) == 1, "no sort and no scan"
        assert f"ix_{table}_published" in plan[0]
    else:
        # Of events, past ones pile up for ever while those ahead are few: only these are read, then sorted.
        assert f"ix_{table}_ends" in plan[0]
        assert "ends>?" in plan[0]
    assert plan[0].startswith("SEARCH")
