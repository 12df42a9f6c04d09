"""The corpus itself: it is taken as a whole, what must be refused is, and it has what it promises."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from feedsvc.models import SCOPES
from feedsvc.services import get_services
from tests import data
from tests.conftest import ApiClient
from tests.data.fixtures import load, post
from tests.data.refused import refused

COLLECTIONS = {"news": "articles", "events": "events"}


def test_it_is_taken_and_a_second_time_changes_nothing(editor: ApiClient) -> None:
    load(editor)
    first = editor.client.get("/api/v1/changes?after=0&limit=1000").get_json()["next"]
    assert {result["status"] for result in post(editor, data.batch())} == {200}
    assert (
        editor.client.get("/api/v1/changes?after=0&limit=1000").get_json()["next"]
        == first
    )


@pytest.mark.parametrize(
    ("document", "pointer"), refused(), ids=lambda case: str(case)[:40]
)
def test_what_must_be_refused(
    editor: ApiClient, document: dict[str, Any], pointer: str
) -> None:
    (result,) = post(editor, [{"action": "put", **document}])
    assert result["status"] == 422
    assert [error["pointer"] for error in result["errors"]] == [pointer]
    path = f"/{COLLECTIONS[document['kind']]}/{document['id']}"
    assert editor.send("GET", path).status_code == 404


def test_nasty_titles_are_stored_as_they_should_be(seeded_app: Flask) -> None:
    editor = ApiClient(
        seeded_app.test_client(),
        get_services(seeded_app).storage.tokens.create("reader", SCOPES),
    )
    for id, title in data.stored_titles().items():
        assert editor.send("GET", f"/articles/{id}").get_json()["title"] == title


def test_it_is_the_same_at_every_call_and_large_enough() -> None:
    entries = data.entries()
    assert entries == data.entries()
    assert Counter(entry["kind"] for entry in entries) >= Counter(news=250, events=50)
    assert len({entry["id"] for entry in entries}) == len(entries)
    assert len(data.categories()) >= 25
    assert any(
        len(entry.get("content_html", "").encode()) > 200_000 for entry in entries
    )
    assert {len(entry.get("attachments", [])) for entry in entries} >= set(range(4)) | {
        5
    }


def test_its_months_have_gaps() -> None:
    hanoi = ZoneInfo("Asia/Ho_Chi_Minh")
    dates = [
        datetime.fromisoformat(entry["date_published"].upper())
        for entry in data.entries()
        if "date_published" in entry
    ]
    local = [date.astimezone(hanoi) if date.tzinfo else date for date in dates]
    months = {(date.year, date.month) for date in local}
    recent = [divmod(2025 * 12 + month, 12) for month in range(1, 23)]
    seeded_app = [(year, month + 1) in months for year, month in recent]
    assert seeded_app.count(True) >= 14
    assert seeded_app.count(False) >= 3
