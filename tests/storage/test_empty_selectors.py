"""Selectors that exclude what they include: empty feeds for which no entry is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

FORMATS = {"news": ("json", "atom", "html"), "events": ("json", "ics")}


@pytest.fixture
def seeded_editor(editor: ApiClient, clock: Clock) -> ApiClient:
    """An article and an event in each of three nested categories and in one beside them."""
    editor.put("/categories/xe-buyt", {"title": "Xe buýt", "parent": "giao-thong"})
    editor.put("/categories/tuyen-1", {"title": "Tuyến 1", "parent": "xe-buyt"})
    for slug in ("giao-thong", "xe-buyt", "tuyen-1", "van-hoa"):
        clock.forward(seconds=1)
        editor.put(f"/articles/{slug}", {"title": slug, "categories": [slug]})
        event = {"title": slug, "categories": [slug], "start": "2027-01-01"}
        editor.put(f"/events/e-{slug}", event)
    return editor


@contextmanager
def statements(storage: Storage) -> Iterator[list[str]]:
    """Collect the SQL statements that read entries."""
    executed: list[str] = []

    def note(*given: object) -> None:
        statement = str(given[2])
        if any(
            f"FROM {table}" in statement
            for table in ("entries", "entry_categories", "tombstones")
        ):
            executed.append(statement)

    engine = storage.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_filter_that_excludes_what_it_includes_reads_no_entry(
    seeded_editor: ApiClient,
    client: FlaskClient,
    storage: Storage,
    subtests: pytest.Subtests,
) -> None:
    selectors = (
        "van-hoa,-van-hoa",
        "giao-thong,van-hoa,-giao-thong,-van-hoa",
        "tuyen-1,-giao-thong",
        "tuyen-1,xe-buyt,-giao-thong,-van-hoa",
        "giao-thong+van-hoa+-van-hoa",
        "tuyen-1+van-hoa+-giao-thong",
    )
    for selector, (kind, formats) in product(selectors, FORMATS.items()):
        for format in formats:
            path = f"/feeds/{kind}/{selector}.{format}"
            with subtests.test(path), statements(storage) as executed:
                response = client.get(path)
                assert response.status_code == 200, response.location
                assert executed == []
                if format == "json":
                    assert response.get_json(force=True)["items"] == []


def test_filter_keeps_what_it_does_not_exclude(
    seeded_editor: ApiClient, client: FlaskClient, subtests: pytest.Subtests
) -> None:
    for selector, expected in (
        ("tuyen-1,van-hoa,-giao-thong", ["van-hoa"]),
        ("giao-thong,-tuyen-1", ["xe-buyt", "giao-thong"]),
        ("giao-thong,tuyen-1,-tuyen-1", ["xe-buyt", "giao-thong"]),
        ("giao-thong+xe-buyt+-tuyen-1", ["xe-buyt"]),
    ):
        with subtests.test(selector):
            response = client.get(f"/feeds/news/{selector}.json")
            items = response.get_json(force=True)["items"]
            assert [item["_entry"]["id"] for item in items] == expected


def test_category_that_leaves_an_excluded_one_is_shown_again(
    seeded_editor: ApiClient, client: FlaskClient
) -> None:
    path = "/feeds/news/tuyen-1,-giao-thong.json"
    assert client.get(path).get_json(force=True)["items"] == []
    seeded_editor.put("/categories/xe-buyt", {"title": "Xe buýt"})
    items = client.get(path).get_json(force=True)["items"]
    assert [item["_entry"]["id"] for item in items] == ["tuyen-1"]
