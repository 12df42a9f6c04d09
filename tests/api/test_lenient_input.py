"""Documents as content management systems send them: null, names for objects, days."""

from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from feedsvc.models import KINDS
from feedsvc.services import get_services
from tests.api.problems import pointers
from tests.conftest import ApiClient
from tests.data import read, read_tables

EVENT = {"title": "T", "start": "2030-12-24T19:00:00"}
GIVEN_BY_STORAGE = set("id guid date_published date_modified url version".split())


def content(response: TestResponse) -> dict[str, Any]:
    """Return the members of an entry but for those that differ between two entries."""
    assert response.status_code in (200, 201), response.text
    return {
        name: value
        for name, value in response.get_json().items()
        if name not in GIVEN_BY_STORAGE
    }


def check_same(
    editor: ApiClient, kind: str, usual: dict[str, Any], sent: dict[str, Any]
) -> None:
    """Check that a document is stored as another one, however it is sent."""
    path = "/events" if kind == "events" else "/articles"
    expected = content(editor.put(f"{path}/usual", usual))
    item = {**sent, "action": "put", "kind": kind, "id": "batch"}
    editor.send("POST", "/batch", [item])
    for response in (
        editor.put(f"{path}/put", sent),
        editor.send("POST", path, sent),
        editor.send("GET", f"{path}/batch"),
    ):
        assert content(response) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("empty", [None, ""])
def test_every_member_without_a_value_counts_as_absent(
    app: Flask, editor: ApiClient, kind: str, empty: str | None
) -> None:
    schema = get_services(app).entry_schemas[kind]
    document = EVENT if kind == "events" else {"title": "T"}
    sent = dict.fromkeys(schema.member_names(), empty) | document
    check_same(editor, kind, document, sent)


def test_nested_member_without_a_value_counts_as_absent(
    editor: ApiClient,
) -> None:
    usual, sent = read("empty_members")
    check_same(editor, "events", EVENT | usual, EVENT | sent)
    category = {"slug": None, "title": "A", "url": "", "parent": None}
    stored = editor.put("/categories/a", category).get_json()
    assert stored == {"slug": "a", "title": "A"}


@pytest.mark.parametrize("empty", [None, ""])
def test_required_and_unknown_members_without_a_value_are_errors(
    editor: ApiClient, empty: str | None
) -> None:
    document = {"title": empty, "tittle": empty, "image": {"url": empty}}
    response = editor.send("PUT", "/articles/a", document)
    assert set(pointers(response)) == {"#/image/url", "#/title", "#/tittle"}


def test_empty_text_of_a_patch_removes(editor: ApiClient) -> None:
    editor.put("/articles/a", {"title": "T", "summary": "S", "rights": "R"})
    patch = {"summary": "", "rights": None}
    patched = editor.send("PATCH", "/articles/a", patch).get_json()
    assert "rights" not in patched
    assert patched["summary"] == ""


def test_error_of_a_string_names_the_member_that_it_is(
    editor: ApiClient,
) -> None:
    long = {**EVENT, "location": "x" * 501}
    response = editor.send("PUT", "/events/a", long)
    assert pointers(response) == ["#/location/name"]


OTHER_SPELLINGS = read_tables("spellings")["spellings"]


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS, ids=str)
def test_other_spelling_of_one_meaning_is_taken(
    shared_editor: ApiClient, spelling: dict[str, Any]
) -> None:
    usual, sent = EVENT | spelling["stored"], EVENT | spelling["sent"]
    check_same(shared_editor, "events", usual, sent)
    stored = shared_editor.send("GET", "/events/usual")
    shared_editor.put("/events/patched", EVENT)
    patched = shared_editor.send("PATCH", "/events/patched", spelling["sent"])
    assert content(patched) == content(stored)
    for name, value in spelling["stored"].items():
        assert name == "recurrence" or stored.get_json()[name] == value


def test_whole_number_is_an_id(editor: ApiClient) -> None:
    article = {"title": "T"}
    editor.put("/articles/17", {**article, "id": 17})
    posted = editor.send("POST", "/articles", {**article, "id": 18})
    assert posted.get_json()["id"] == "18"
    item = {**article, "action": "put", "kind": "news", "id": 19}
    answer = editor.send("POST", "/batch", [item]).get_json()
    assert answer["results"][0]["status"] == 201
    for call, ids in (
        (("PUT", "/articles/17"), (0, False)),
        (("POST", "/articles"), (True, -1, 1.5)),
    ):
        for id in ids:
            response = editor.send(*call, {**article, "id": id})
            assert pointers(response) == ["#/id"]


def test_category_counts_once_under_all_its_slugs(editor: ApiClient) -> None:
    editor.send("PATCH", "/categories/giao-thong", {"slug": "duong-sa"})
    slugs = ["van-hoa", "giao-thong", "duong-sa", "van-hoa"]
    document = {"title": "T", "categories": slugs}
    for _ in range(2):
        stored = editor.put("/articles/a", document).get_json()
        assert stored["categories"] == ["van-hoa", "duong-sa"]
        assert stored["version"] == 1


TAKEN: list[dict[str, Any]] = [
    {"source": "Sở Y tế", "authors": "Lan", "location": {"name": "Nhà hát"}},
    {"source": {"name": "Sở Y tế"}, "authors": ["Lan"], "location": "Nhà hát"},
    {"id": 7, "categories": "van-hoa", "summary": None, "notice": ""},
    {
        "image": "https://a.example/x.jpg",
        "authors": [{"name": "L", "url": ""}],
    },
    {"image": None, "offers": "", "performers": "Lan", "organizer": "Lan"},
    {"recurrence": {"rrule": "FREQ=DAILY;COUNT=3", "exdates": "2030-12-25"}},
]
REFUSED: list[dict[str, Any]] = [
    {"title": ""},
    {"title": None},
    {"source": {"name": ""}},
    {"authors": [""]},
    {"id": -7},
    {"id": True},
    {"categories": ["Văn hóa"]},
    {"image": {"url": ""}},
    {"recurrence": {"rrule": ""}},
    {"offers": [{"price": "5", "currency": ""}]},
]


@pytest.mark.parametrize("members", TAKEN + REFUSED)
def test_openapi_shows_what_is_taken(
    editor: ApiClient, members: dict[str, Any]
) -> None:
    editor.put("/categories/van-hoa", {"title": "Văn hóa"})
    event = {**EVENT, "start": "2030-12-24", **members}
    is_taken = members in TAKEN
    answer = editor.send("POST", "/events", event)
    assert (answer.status_code == 201) == is_taken, answer.text
    document = editor.client.get("/api/openapi.json").get_json()
    schema = {
        "$ref": "#/components/schemas/EventInput",
        "components": document["components"],
    }
    assert Draft202012Validator(schema).is_valid(event) == is_taken
