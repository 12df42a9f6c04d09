"""The directory counts as far as it says."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from feedsvc.storage import Storage
from tests.conftest import Editor
from tests.fake_clock import Clock


def test_directory_counts_to_a_limit(
    editor: Editor, client: FlaskClient, store: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedsvc.storage.statistics.MAX_COUNTED", 3)
    for number in range(6):
        clock.forward(seconds=1)
        slugs = ["van-hoa"] if number < 2 else ["giao-thong"]
        editor.put(f"/articles/{number}", {"title": "x", "categories": slugs})
    with store.reader() as reader:
        held = reader.feed_summaries(clock.now)
    assert held["news", None].count == 4
    assert held["news", "giao-thong"].count == 4
    assert held["news", "van-hoa"].count == 2
    assert held["events", None].count == 0
    newest = held["news", None].latest
    assert newest
    assert newest.id == "5"
    assert client.get("/").status_code == 200
