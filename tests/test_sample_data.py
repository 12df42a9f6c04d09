"""The sample data is accepted as a whole, and is as varied as other tests need it."""

from flask import Flask

from feedsvc.services import get_services
from feedsvc.storage.database import revision_row
from tests import data
from tests.data.fixtures import make_client, post


def test_sample_data_sent_again_changes_nothing(seeded_app: Flask) -> None:
    client = make_client(seeded_app)
    with get_services(seeded_app).database.read() as session:
        before = revision_row(session).last
    assert {result["status"] for result in post(client, data.batch())} == {200}
    with get_services(seeded_app).database.read() as session:
        assert revision_row(session).last == before
    # Difficult titles are normalized.
    for id, title in data.stored_titles().items():
        entry = client.send("GET", f"/articles/{id}").get_json()
        assert entry["title"] == title
