"""The rows of `entry_categories`: copies of what feeds are sorted and filtered by."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from feedsvc.storage import Storage
from feedsvc.storage.tables import categories, entries, entry_categories
from tests.conftest import ApiClient

pytestmark = pytest.mark.both_databases

EVENT = {
    "title": "Hội sách",
    "start": "2030-12-24T19:00:00+07:00",
    "end": "2030-12-24T21:00:00+07:00",
    "date_published": "2026-11-20T08:00:00+07:00",
    "categories": ["van-hoa", "giao-thong"],
}
COPIED = [
    column.name for column in entry_categories.columns if column.name in entries.columns
]


@pytest.mark.parametrize(
    "edit",
    [
        {"title": "Hội sách Hà Nội"},
        {"date_published": "2026-11-21T08:00:00+07:00"},
        {"language": "en"},
        {"start": "2030-12-24T18:00:00+07:00"},
        {"end": "2030-12-24T22:00:00+07:00"},
        {"status": "draft"},
        {"categories": ["giao-thong", "van-hoa"]},
        {"categories": ["van-hoa"]},
        {"categories": []},
    ],
)
def test_rows_follow_an_edit(
    editor: ApiClient, storage: Storage, edit: dict[str, Any]
) -> None:
    editor.put("/events/hoi-sach", EVENT)
    edited = EVENT | edit
    editor.put("/events/hoi-sach", edited)
    of_entry = sa.select(*(entries.c[name] for name in COPIED))
    of_categories = (
        sa.select(categories.c.slug, *(entry_categories.c[name] for name in COPIED))
        .join_from(entry_categories, categories)
        .order_by(entry_categories.c.position)
    )
    with storage.database.read() as connection:
        copied = connection.execute(of_entry).one()
        rows = connection.execute(of_categories).all()
    assert [tuple(row) for row in rows] == [
        (slug, *copied) for slug in edited["categories"]
    ]
