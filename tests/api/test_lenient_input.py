"""Documents as content management systems send them: null, names for objects, days."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from feedsvc.services import get_services
from tests.api.problems import pointers
from tests.conftest import ApiClient

EVENT = {"title": "T", "start": "2030-12-24T19:00:00"}
ARTICLE = {"title": "T"}
DOCUMENTS = {"/articles": ARTICLE, "/events": EVENT}
GIVEN_BY_STORAGE = {
    "id",
    "guid",
    "date_published",
    "date_modified",
    "url",
    "version",
}


def content(document: dict[str, Any]) -> dict[str, Any]:
    """Return the members of an entry but for those that differ between two entries."""
    return {
        name: value
        for name, value in document.items()
        if name not in GIVEN_BY_STORAGE
    }


@pytest.mark.parametrize("collection", DOCUMENTS)
@pytest.mark.parametrize("empty", [None, ""])
def test_every_member_without_a_value_counts_as_absent(
    app: Flask, editor: ApiClient, collection: str, empty: str | None
) -> None:
    document = DOCUMENTS[collection]
    kind = "news" if collection == "/articles" else "events"
    names = get_services(app).entry_schemas[kind].member_names()
    sent = dict.fromkeys(names, empty) | document
    expected = content(editor.put(f"{collection}/plain", document).get_json())
    put = editor.put(f"{collection}/put", sent)
    posted = editor.send("POST", collection, sent)
    assert posted.status_code == 201, posted.text
    item = {**sent, "action": "put", "kind": kind, "id": "batch"}
    assert editor.send("POST", "/batch", [item]).status_code == 200
    batch = editor.send("GET", f"{collection}/batch")
    for response in (put, posted, batch):
        assert content(response.get_json()) == expected


def test_nested_member_without_a_value_counts_as_absent(
    editor: ApiClient,
) -> None:
    expected = {
        "image": {"url": "https://a.example/x.jpg"},
        "authors": [{"name": "Lan"}],
        "location": {"name": "Nhà hát"},
        "offers": [{"price": "5", "currency": "VND"}],
    }
    document = {
        "image": {
            "url": "https://a.example/x.jpg",
            "alt": None,
            "width": None,
        },
        "authors": [{"name": "Lan", "email": "", "url": None}],
        "location": {"name": "Nhà hát", "address": "", "latitude": None},
        "offers": [{"price": "5", "currency": "VND", "url": ""}],
    }
    stored = editor.put("/events/a", EVENT | document).get_json()
    assert {name: stored[name] for name in expected} == expected


def test_category_member_without_a_value_counts_as_absent(
    editor: ApiClient,
) -> None:
    document = {"slug": None, "title": "A", "url": "", "parent": None}
    assert editor.put("/categories/a", document).get_json() == {
        "slug": "a",
        "title": "A",
    }


@pytest.mark.parametrize("empty", [None, ""])
def test_required_and_unknown_members_without_a_value_are_errors(
    editor: ApiClient, empty: str | None
) -> None:
    document = {
        "title": empty,
        "tittle": empty,
        "image": {"url": empty, "alt": "x"},
    }
    response = editor.send("PUT", "/articles/a", document)
    assert sorted(pointers(response)) == ["#/image/url", "#/title", "#/tittle"]


def test_empty_text_of_a_patch_removes(editor: ApiClient) -> None:
    editor.put("/articles/a", {"title": "T", "summary": "S", "rights": "R"})
    patched = editor.send(
        "PATCH", "/articles/a", {"summary": "", "rights": None}
    )
    assert "rights" not in patched.get_json()
    assert patched.get_json()["summary"] == ""


def test_string_stands_for_an_object_with_this_name(editor: ApiClient) -> None:
    document = {
        **EVENT,
        "authors": ["Lan", {"name": "Minh"}],
        "source": "Báo",
        "location": "Nhà hát Lớn",
        "organizer": "Sở Văn hoá",
        "performers": ["Dàn nhạc"],
    }
    stored = editor.put("/events/a", document).get_json()
    assert stored["authors"] == [{"name": "Lan"}, {"name": "Minh"}]
    assert stored["performers"] == [{"name": "Dàn nhạc"}]
    for name in ("source", "location", "organizer"):
        assert stored[name] == {"name": document[name]}
    response = editor.send(
        "PUT", "/events/a", {**EVENT, "location": "x" * 501}
    )
    assert pointers(response) == ["#/location/name"]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"language": "vi_VN"}, {"language": "vi-VN"}),
        ({"categories": "van-hoa"}, {"categories": ["van-hoa"]}),
        ({"authors": "Lan"}, {"authors": [{"name": "Lan"}]}),
        ({"performers": "Lan"}, {"performers": [{"name": "Lan"}]}),
        ({"status": "publish"}, {"status": "published"}),
        ({"event_status": "canceled"}, {"event_status": "cancelled"}),
        ({"start": "2030-12-24T21:30:00+0900"}, {"start": "2030-12-24T19:30:00+07:00"}),
        ({"start": "2030-12-24 12:30:00+00"}, {"start": "2030-12-24T19:30:00+07:00"}),
        ({"expires": "2040-01-01T07:00:00+0700"}, {"expires": "2040-01-01T00:00:00Z"}),
        ({"recurrence": {"rrule": "RRULE:FREQ=DAILY", "exdates": "2030-12-25T19:00:00"}},
         {"recurrence": {"rrule": "FREQ=DAILY", "exdates": ["2030-12-25T19:00:00"]}}),
        ({"content_text": "Chữ.", "content_html": "<!-- Nháp --> "}, {"content_text": "Chữ."}),
        ({"content_text": " ", "content_html": "<p>Chữ.</p>"}, {"content_html": "<p>Chữ.</p>"}),
    ],
)  # fmt: skip
def test_other_spelling_of_one_meaning_is_taken(
    shared_editor: ApiClient, sent: dict[str, Any], stored: dict[str, Any]
) -> None:
    usual = shared_editor.put("/events/usual", EVENT | stored).get_json()
    put = shared_editor.put("/events/put", EVENT | sent)
    posted = shared_editor.send("POST", "/events", EVENT | sent)
    item = {"action": "put", "kind": "events", "id": "batch", **EVENT, **sent}
    shared_editor.send("POST", "/batch", [item])
    batch = shared_editor.send("GET", "/events/batch")
    shared_editor.put("/events/patched", EVENT)
    patched = shared_editor.send("PATCH", "/events/patched", sent)
    for response in (put, posted, batch, patched):
        assert content(response.get_json()) == content(usual)


def test_day_is_the_midnight_that_begins_it_in_the_zone_of_the_site(
    editor: ApiClient,
) -> None:
    document = {
        "title": "T",
        "date_published": "2026-11-20",
        "expires": "2030-01-01",
    }
    stored = editor.put("/articles/a", document).get_json()
    assert stored["date_published"] == "2026-11-19T17:00:00Z"
    assert stored["expires"] == "2029-12-31T17:00:00Z"


def test_whole_number_is_an_id(editor: ApiClient) -> None:
    assert (
        editor.put("/articles/17", {"id": 17, "title": "T"}).status_code == 201
    )
    posted = editor.send("POST", "/articles", {"id": 18, "title": "T"})
    assert posted.get_json()["id"] == "18"
    item = {"action": "put", "kind": "news", "id": 19, "title": "T"}
    response = editor.send("POST", "/batch", [item, {**item, "id": 1.5}])
    assert [result["status"] for result in response.get_json()["results"]] == [
        201,
        422,
    ]
    for wrong in (0, False):
        response = editor.send(
            "PUT", "/articles/17", {"id": wrong, "title": "T"}
        )
        assert pointers(response) == ["#/id"]
    for id in (True, -1, 1.5):
        response = editor.send("POST", "/articles", {"id": id, "title": "T"})
        assert pointers(response) == ["#/id"]


@pytest.mark.both_databases
def test_category_counts_once_under_all_its_slugs(editor: ApiClient) -> None:
    editor.send("PATCH", "/categories/giao-thong", {"slug": "duong-sa"})
    slugs = ["van-hoa", "giao-thong", "duong-sa", "van-hoa"]
    document = {"title": "T", "categories": slugs}
    stored = editor.put("/articles/a", document).get_json()
    assert stored["categories"] == ["van-hoa", "duong-sa"]
    again = editor.put("/articles/a", document)
    assert again.get_json()["version"] == stored["version"]
    child = editor.put(
        "/categories/cau", {"title": "Cầu", "parent": "giao-thong"}
    )
    assert child.get_json()["parent"] == "duong-sa"


def test_openapi_shows_what_is_taken(editor: ApiClient) -> None:
    document = editor.client.get("/api/openapi.json").get_json()
    properties = document["components"]["schemas"]["Event"]["properties"]
    for name in ("location", "organizer", "source", "image"):
        assert {"type": "string"} in properties[name]["anyOf"]
    for name in ("authors", "performers"):
        assert {"type": "string"} in properties[name]["items"]["anyOf"]
    assert properties["id"]["type"] == ["string", "integer"]
