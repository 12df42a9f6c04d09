"""A guid is given when an id is first used, and never changes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.api.problems import pointers
from tests.conftest import ApiClient
from tests.full_entries import MINIMAL
from tests.web.feeds import items

pytestmark = pytest.mark.both_databases

GUID = "https://blog.example/?p=12&a=“b”"
ARTICLE, EVENT = MINIMAL.values()


def test_given_guid_is_kept_as_it_is(
    editor: ApiClient, client: FlaskClient
) -> None:
    long = "x" * 1000
    put = editor.put("/articles/a", {**ARTICLE, "guid": GUID})
    assert put.get_json()["guid"] == GUID
    posted = editor.send("POST", "/events", {**EVENT, "guid": "e\u0301 1"})
    assert posted.get_json()["guid"] == "e\u0301 1"
    item = {"action": "put", "kind": "news", "id": "b", "guid": long}
    editor.send("POST", "/batch", [{**ARTICLE, **item}])
    shown = [each["id"] for each in items(client, "/feeds/news.json")]
    assert shown == [long, GUID]


def test_guid_of_another_entry_is_409(editor: ApiClient) -> None:
    uuid = "6d4f2d2e-6e0f-4f7c-9b63-6f0e7c9b0a11"
    editor.put("/events/draft", {**EVENT, "guid": uuid, "status": "draft"})
    editor.put("/articles/deleted", {**ARTICLE, "guid": GUID})
    editor.send("DELETE", "/articles/deleted")
    for guid in (uuid, f"urn:uuid:{uuid}", f"URN:UUID:{uuid}", GUID):
        response = editor.send("PUT", "/articles/a", {**ARTICLE, "guid": guid})
        assert response.status_code == 409
        assert guid in response.get_json()["detail"]
    minted = editor.put("/articles/b", ARTICLE).get_json()["guid"]
    bare = minted.removeprefix("urn:uuid:")
    response = editor.send("POST", "/articles", {**ARTICLE, "guid": bare})
    assert response.status_code == 409


def test_another_guid_for_a_used_id_is_422(editor: ApiClient) -> None:
    stored = editor.put("/articles/a", {**ARTICLE, "guid": GUID}).get_json()
    assert editor.put("/articles/a", stored).get_json()["version"] == 1
    other = {**ARTICLE, "guid": "other"}
    for method in ("PUT", "PATCH", "DELETE", "PUT"):
        refused = editor.send(method, "/articles/a", other)
        assert method == "DELETE" or pointers(refused) == ["#/guid"]
    assert editor.put("/articles/a", ARTICLE).get_json()["guid"] == GUID
