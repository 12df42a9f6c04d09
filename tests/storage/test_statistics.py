"""The counts of the directory: read from the first rows of indexes, however large the table is."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import lxml.html
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.models import Category, Entry, Event, FeedSummary
from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.fake_clock import HANOI, Clock

pytestmark = pytest.mark.both_databases

CATEGORY = Category("giao-thong", "")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedsvc.storage.statistics.MAX_COUNT", 5, raising=False)
    monkeypatch.setattr("feedsvc.storage.statistics.MAX_CATEGORIES", 3, raising=False)


def fill(storage: Storage, clock: Clock, numbers: range) -> None:
    """Write an article, an event that is over and one that is not for each number."""
    with storage.writer("test") as writer:
        for number in numbers:
            published = clock.now - timedelta(days=1, minutes=number)
            entry = Entry(
                f"n{number}",
                "news",
                "x",
                "vi",
                categories=(CATEGORY,),
                published=published,
            )
            writer.entries.put(entry)
            for id, days in ((f"past{number}", -2), (f"ahead{number}", 2)):
                start = (clock.now + timedelta(days=days, minutes=number)).astimezone(
                    HANOI
                )
                event = Event(start, None, HANOI)
                writer.entries.put(
                    Entry(
                        id,
                        "events",
                        "x",
                        "vi",
                        categories=(CATEGORY,),
                        published=published,
                        event=event,
                    )
                )
    clock.forward(minutes=1)


def summaries(
    storage: Storage, clock: Clock
) -> dict[tuple[str, str | None], FeedSummary]:
    with storage.reader() as reader:
        return reader.feed_summaries(clock.now)


def rows_read(storage: Storage, clock: Clock) -> int:
    """Return the work of reading the summaries: steps of SQLite's virtual machine, or rows that are scanned."""
    statements: list[tuple[str, Any]] = []
    engine = storage.database.engine

    def note(
        connection: Any, cursor: Any, statement: str, parameters: Any, *given: Any
    ) -> None:
        if statement.startswith("SELECT") and "count" in statement:
            statements.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    summaries(storage, clock)
    sa.event.remove(engine, "before_cursor_execute", note)
    assert statements
    with storage.database.read() as connection:
        count = _steps if engine.dialect.name == "sqlite" else _scanned
        return sum(count(connection, *statement) for statement in statements)


def _steps(connection: sa.Connection, statement: str, parameters: Any) -> int:
    raw = connection.connection.driver_connection
    assert raw is not None
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    raw.set_progress_handler(step, 1)
    raw.execute(statement, parameters).fetchall()
    raw.set_progress_handler(None, 1)
    return steps


def _scanned(connection: sa.Connection, statement: str, parameters: Any) -> int:
    # A small table would be searched whole, or sorted; a large one is read as without these.
    for setting in ("seqscan", "bitmapscan", "sort"):
        connection.exec_driver_sql(f"SET LOCAL enable_{setting} = off")
    plan = connection.exec_driver_sql(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters
    ).scalar_one()
    return _plan_rows((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])


def _plan_rows(node: dict[str, Any]) -> int:
    own = (
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        if "Scan" in node["Node Type"]
        else 0
    )
    return int(own * node["Actual Loops"]) + sum(map(_plan_rows, node.get("Plans", [])))


def test_counting_reads_no_more_rows_of_a_larger_table(
    editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    fill(storage, clock, range(20))
    before = rows_read(storage, clock)
    fill(storage, clock, range(20, 120))
    assert rows_read(storage, clock) <= before


@pytest.mark.parametrize(
    ("number", "count", "has_more"),
    [(4, 4, False), (5, 5, False), (6, 5, True), (20, 5, True)],
)
def test_count_ends_at_the_maximum(
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
    number: int,
    count: int,
    has_more: bool,
) -> None:
    fill(storage, clock, range(number))
    found = summaries(storage, clock)
    for slug in (None, CATEGORY.slug):
        for kind, newest in (("news", "n0"), ("events", "ahead0")):
            summary = found[kind, slug]
            assert (summary.count, summary.has_more) == (count, has_more)
            assert summary.shown is not None
            assert summary.shown.id == newest
    assert found["news", "van-hoa"] == FeedSummary()


def test_next_event_is_the_first_to_start_that_is_not_cancelled(
    editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    cancelled = {"event_status": "cancelled"}
    for id, day, extra in (
        ("announced-last", 9, {}),
        ("next", 3, {}),
        ("cancelled", 2, cancelled),
        ("over", -3, {}),
    ):
        clock.forward(seconds=-60)
        start = f"{clock.now + timedelta(days=day):%Y-%m-%dT19:00:00}"
        event = {"title": "x", "start": start, "categories": [CATEGORY.slug], **extra}
        editor.put(f"/events/{id}", event)
    for slug in (None, CATEGORY.slug):
        shown = summaries(storage, clock)["events", slug].shown
        assert shown is not None
        assert shown.id == "next"


def test_many_categories_are_not_counted(
    editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    fill(storage, clock, range(2))
    editor.put("/categories/a", {"title": "A"})
    assert ("news", CATEGORY.slug) in summaries(storage, clock)
    editor.put("/categories/b", {"title": "B"})
    assert set(summaries(storage, clock)) == {("news", None), ("events", None)}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ["1.000+ bài", "1.000+ sự kiện sắp tới"]),
        ("/?ui=en", ["1,000+ articles", "1,000+ upcoming events"]),
    ],
)
def test_directory_shows_the_maximum_with_a_plus(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str, expected: list[str]
) -> None:
    many = {(kind, None): FeedSummary(1000, None, True) for kind in ("news", "events")}
    monkeypatch.setattr(
        "feedsvc.storage.transactions.feed_summaries", lambda *given: many
    )
    page = lxml.html.fromstring(client.get(path).text)
    assert page.xpath("//*[@class='count']/text()") == expected
