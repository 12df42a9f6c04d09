"""The sample data is accepted as a whole, and is as varied as other tests need it."""

from __future__ import annotations

from flask import Flask

from tests import data
from tests.conftest import ApiClient
from tests.data.fixtures import load, make_client, post


def latest_sequence(editor: ApiClient) -> int:
    after, is_last = 0, False
    # A page ends early if it takes long.
    while not is_last:
        path = f"/api/v1/changes?after={after}&limit=1000"
        page = editor.client.get(path).get_json()
        after, is_last = page["next"], not page["changes"]
    return after


def test_sample_data_is_accepted_and_repetition_changes_nothing(
    editor: ApiClient,
) -> None:
    load(editor)
    before = latest_sequence(editor)
    assert {result["status"] for result in post(editor, data.batch())} == {200}
    assert latest_sequence(editor) == before


def test_difficult_titles_are_stored_normalized(seeded_app: Flask) -> None:
    client = make_client(seeded_app)
    for id, title in data.stored_titles().items():
        assert (
            client.send("GET", f"/articles/{id}").get_json()["title"] == title
        )
