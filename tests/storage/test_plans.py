"""Reads of few entries cost the same, however many others there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from feedsvc.feeds.cache import ResponseCache
from feedsvc.services import get_services
from feedsvc.storage.database import Database
from feedsvc.storage.tables import Base
from tests.conftest import ApiClient

pytestmark = pytest.mark.both_databases

FEW = 20
SMALL_COUNT, LARGE_COUNT = 1_500, 6_000
"""Articles, and as many events, in the category `large` and in Vietnamese."""

WEEK = "from=2026-12-01&to=2026-12-07"
# The category `parent` has no entries but those of `small`.
PATHS = f"""
/feeds/news.json /feeds/news.json?lang=en /feeds/news.json?lang=vi /feeds/news.json?lang=ja
/feeds/news/large.json /feeds/news/small.json /feeds/news/parent.json
/feeds/news/other,small.json /feeds/news/large,small.json /feeds/news/large+small.json
/feeds/news/large+parent.json /feeds/news/large.json?lang=en /feeds/news/small.json?lang=vi
/feeds/events.json?when=past&lang=ja /feeds/events/small.json?{WEEK}
/feeds/events/parent.json?{WEEK}&order=start /feeds/events/small.ics?{WEEK}
/api/v1/articles /api/v1/articles?status=draft
/api/v1/articles?category=small /api/v1/articles?category=small&status=draft
/api/v1/articles?category=large /api/v1/articles?category=large&status=draft
""".split()


@contextmanager
def sqlite_steps(database: Database) -> Iterator[list[int]]:
    """Count the instructions of SQLite in the block, by tens."""
    steps: list[int] = []

    def count(connection: Any, *arguments: object) -> None:
        connection.set_progress_handler(lambda: steps.append(1), 10)

    sa.event.listen(database.engine, "checkout", count)
    yield steps
    sa.event.remove(database.engine, "checkout", count)


@contextmanager
def postgresql_rows(database: Database) -> Iterator[list[int]]:
    """Count the rows that PostgreSQL reads for the statements of the block."""
    statements: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2:4])

    sa.event.listen(database.engine, "before_cursor_execute", note)
    rows: list[int] = []
    yield rows
    sa.event.remove(database.engine, "before_cursor_execute", note)
    with database.engine.connect() as connection:
        for statement, parameters in statements:
            if statement.startswith("SELECT"):
                explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
                (document,) = connection.exec_driver_sql(
                    explain, parameters
                ).scalar_one()
                rows += _rows_of(document["Plan"])


def _rows_of(node: dict[str, Any]) -> Iterator[int]:
    """Yield the rows that the nodes of a plan read, and throw away."""
    removed = [count for name, count in node.items() if name.startswith("Rows Removed")]
    yield int((node["Actual Rows"] + sum(removed)) * node["Actual Loops"])
    for child in node.get("Plans", ()):
        yield from _rows_of(child)


def store_few(editor: ApiClient) -> None:
    """Store a few entries of each sort, and an article and an event to be copied."""
    for slug, parent in (
        ("large", None),
        ("parent", None),
        ("small", "parent"),
        ("other", None),
    ):
        editor.put(f"/categories/{slug}", {"title": slug, "parent": parent})
    series = {
        "start": "2026-11-20T19:00:00",
        "recurrence": {"rrule": "FREQ=WEEKLY"},
    }
    for number in range(FEW):
        article = {"title": "x", "categories": ["small"], "language": "vi"}
        editor.put(f"/articles/small-{number}", article)
        editor.put(f"/events/small-event-{number}", {**article, **series})
        article["categories"] = ["large"]
        editor.put(f"/articles/en-{number}", {**article, "language": "en-GB"})
        editor.put(f"/articles/draft-{number}", {**article, "status": "draft"})
    editor.put("/articles/article", article)
    editor.put("/events/event", {**article, **series})


def copy_entries(database: Database, first: int, last: int) -> None:
    """Store copies of an article and an event, each a minute older than the one before."""
    changes = {
        "pk": "pk * 100000 + number",
        "entry_pk": "entry_pk * 100000 + number",
        "id": "id || '-' || number",
        "guid": "guid || '-' || number",
        "published_at": "published_at - 60000000 * CAST(number AS BIGINT)",
        "changed_at": "changed_at - number",
    }
    pks = "(SELECT pk FROM entries WHERE id IN ('article', 'event'))"
    keys = {
        "entries": "pk",
        "entry_contents": "entry_pk",
        "entry_categories": "entry_pk",
    }
    with database.write() as transaction:
        for table, key in keys.items():
            names = Base.metadata.tables[table].columns.keys()
            values = ", ".join(changes.get(name, name) for name in names)
            transaction.session.execute(
                sa.text(
                    f"WITH RECURSIVE numbers (number) AS (SELECT {first} UNION ALL "
                    f"SELECT number + 1 FROM numbers WHERE number < {last}) "
                    f"INSERT INTO {table} ({', '.join(names)}) "
                    f"SELECT {values} FROM {table}, numbers WHERE {key} IN {pks}"
                )
            )


def count_work(database: Database, editor: ApiClient) -> dict[str, int]:
    """Return the work of the database for each path."""
    if not database.is_sqlite:
        # As autovacuum does in time; it needs to be outside of a transaction.
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM ANALYZE")
    count = sqlite_steps if database.is_sqlite else postgresql_rows
    work = {}
    for path in PATHS:
        with count(database) as steps:
            response = editor.client.get(path, headers=editor.headers)
        assert response.status_code == 200, response.text
        work[path] = sum(steps)
    return work


def test_cost_of_a_few_entries_does_not_grow_with_others(
    app: Flask, database: Database, editor: ApiClient
) -> None:
    get_services(app).cache = ResponseCache(database, max_bytes=0)
    store_few(editor)
    copy_entries(database, 1, SMALL_COUNT)
    few = count_work(database, editor)
    copy_entries(database, SMALL_COUNT + 1, LARGE_COUNT)
    many = count_work(database, editor)
    assert not {
        path: (few[path], many[path]) for path in PATHS if many[path] > 1.5 * few[path]
    }
