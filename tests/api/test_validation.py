"""Bad input: each case its status and its pointer, and nothing stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from feedsvc.input.schemas import CategorySchema
from feedsvc.storage.database import Database
from feedsvc.storage.tokens import create_token
from tests.conftest import ApiClient
from tests.full_entries import MEMBERS, MINIMAL, TEXT_MEMBERS

GOOD = {"title": "Tiêu đề"}
GOOD_EVENT = {"title": "Hoà nhạc", "start": "2026-12-24T19:00:00"}
FIGURE = {"url": "https://x.example/a.jpg"}
JSON = {"Content-Type": "application/json"}


def pointers(response: Any) -> list[str]:
    assert response.mimetype == "application/problem+json"
    document = response.get_json()
    assert document["status"] == response.status_code
    assert "type" not in document
    assert document["title"]
    assert document["detail"]
    return [error["pointer"] for error in document.get("errors", [])]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"title": ""}, "#/title"),
        ({"content_html": "<br>" * 10_001}, "#/content_html"),
        ({"content_html": "a", "content_text": "b"}, "#/content_text"),
        ({"url": "javascript:alert(1)"}, "#/url"),
        ({"url": "/relative"}, "#/url"),
        ({"url": "https://user:secret@host/"}, "#/url"),
        ({"url": "https://host:70000/"}, "#/url"),
        ({"url": "https://host/\r\nSet-Cookie:x"}, "#/url"),
        ({"url": "https://" + "x" * 2048}, "#/url"),
        ({"url": "https://[::1"}, "#/url"),
        ({"language": "Vietnamese please"}, "#/language"),
        ({"language": "vn"}, "#/language"),
        ({"authors": [{}]}, "#/authors/0/name"),
        (
            {"authors": [{"name": "Lan"}, {"name": "Nam", "email": "nobody"}]},
            "#/authors/1/email",
        ),
        ({"source": {"name": ""}}, "#/source/name"),
        ({"categories": ["Giao Thông"]}, "#/categories/0"),
        ({"image": {"alt": "x"}}, "#/image/url"),
        ({"image": {**FIGURE, "width": -1}}, "#/image/width"),
        ({"image": {**FIGURE, "height": "800"}}, "#/image/height"),
        ({"image": {**FIGURE, "caption": "a\x00"}}, "#/image/caption"),
        ({"attachments": [FIGURE]}, "#/attachments/0/mime_type"),
        (
            {"attachments": [{**FIGURE, "mime_type": "a/b", "size_in_bytes": 1.5}]},
            "#/attachments/0/size_in_bytes",
        ),
        (
            # Beyond 2**53, JavaScript has no exact numbers.
            {
                "attachments": [
                    {**FIGURE, "mime_type": "a/b", "size_in_bytes": 2**53 + 1}
                ]
            },
            "#/attachments/0/size_in_bytes",
        ),
        ({"date_published": "2026-11-31"}, "#/date_published"),
        ({"date_published": "2026-02-30T08:00:00+07:00"}, "#/date_published"),
        ({"id": "khac"}, "#/id"),
        ({"translation_key": "a b"}, "#/translation_key"),
        ({"a/b~c": 1}, "#/a~1b~0c"),
    ],
)
def test_invalid_article_field_is_422_with_pointer(
    shared_editor: ApiClient, fields: dict[str, Any], pointer: str
) -> None:
    response = shared_editor.send("PUT", "/articles/x", {**GOOD, **fields})
    assert response.status_code == 422
    assert pointers(response) == [pointer]
    assert shared_editor.send("GET", "/articles/x").status_code == 404


TEXTS = [
    (collection, name)
    for collection, names in TEXT_MEMBERS.items()
    for name in names
    if MEMBERS[name] == collection
]


@pytest.mark.parametrize(("collection", "name"), TEXTS)
@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\U0001ffff"])
def test_text_with_an_invalid_character_is_422(
    shared_editor: ApiClient, collection: str, name: str, character: str
) -> None:
    document = {**MINIMAL[collection], name: f"a{character}b"}
    response = shared_editor.send("PUT", f"/{collection}/x", document)
    assert pointers(response) == [f"#/{name}"]


@pytest.mark.parametrize(
    ("collection", "name"), [text for text in TEXTS if text[1] != "content_text"]
)
def test_longer_text_than_allowed_is_422(
    shared_editor: ApiClient, collection: str, name: str
) -> None:
    longest = "x" * TEXT_MEMBERS[collection][name]
    document = {**MINIMAL[collection], name: f"{longest}x"}
    response = shared_editor.send("PUT", f"/{collection}/x", document)
    assert pointers(response) == [f"#/{name}"]
    document = {**MINIMAL[collection], name: longest}
    accepted = shared_editor.send("PUT", f"/{collection}/longest", document)
    assert accepted.status_code in (200, 201)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"end": "2026-12-24T18:59:59"}, "#/end"),
        ({"end": "2026-12-25"}, "#/end"),
        ({"start": "2026-12-24", "end": "2026-12-25T10:00:00"}, "#/end"),
        ({"start": "2026-12-24", "end": "2026-12-24"}, "#/end"),
        ({"location": {}}, "#/location/name"),
        (
            {"location": {"name": "x", "latitude": 91, "longitude": 0}},
            "#/location/latitude",
        ),
        (
            {"location": {"name": "x", "latitude": 0, "longitude": 180.1}},
            "#/location/longitude",
        ),
        ({"location": {"name": "x", "latitude": 21}}, "#/location/longitude"),
        ({"location": {"name": "x", "url": "ftp://x"}}, "#/location/url"),
    ],
)
def test_invalid_event_field_is_422_with_pointer(
    shared_editor: ApiClient, fields: dict[str, Any], pointer: str
) -> None:
    response = shared_editor.send("PUT", "/events/x", {**GOOD_EVENT, **fields})
    assert response.status_code == 422
    assert pointers(response) == [pointer]
    assert shared_editor.send("GET", "/events/x").status_code == 404


def test_event_without_title_and_start_is_422(shared_editor: ApiClient) -> None:
    assert pointers(shared_editor.send("PUT", "/events/x", {})) == ["#/title", "#/start"]  # fmt: skip


def test_all_errors_are_reported_at_once(shared_editor: ApiClient) -> None:
    bad = {
        "title": "",
        "url": "javascript:x",
        "categories": ["nix", "Ồ"],
        "status": "?",
        "extra": 1,
    }
    response = shared_editor.send("PUT", "/articles/x", bad)
    assert sorted(pointers(response)) == [
        "#/categories/1",
        "#/extra",
        "#/status",
        "#/title",
        "#/url",
    ]


def test_unknown_categories_are_422_with_pointers(
    shared_editor: ApiClient,
) -> None:
    unknown = {"title": "Một", "categories": ["nix", "van-hoa", "nada"]}
    response = shared_editor.send("PUT", "/articles/x", unknown)
    assert response.status_code == 422
    assert pointers(response) == ["#/categories/0", "#/categories/2"]


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b'{"title": "a", "title": "b"}',
        b'{"title": "a", "authors": [{"name": "x", "name": "y"}]}',
        b'{"title": NaN}',
        b'{"title": -Infinity}',
        b'{"title": 1e999}',
        b'{"title": 9223372036854775808}',
        b'{"title": "\xff"}',
        b'\xef\xbb\xbf{"title": "a"}',
        b"{'title': 'a'}",
        b'{"title": "a",}',
        b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}",
        b"[" * 100_000,
    ],
)
def test_body_that_is_not_strict_json_is_400(
    shared_editor: ApiClient, body: bytes
) -> None:
    response = shared_editor.send("PUT", "/articles/x", data=body, headers=JSON)
    assert response.status_code == 400
    assert pointers(response) == []
    assert shared_editor.send("GET", "/articles/x").status_code == 404


@pytest.mark.parametrize("document", [[], "x", 1, None, True])
def test_document_that_is_not_an_object_is_422(
    shared_editor: ApiClient, document: Any
) -> None:
    body = json.dumps(document)
    response = shared_editor.send("PUT", "/articles/x", data=body, headers=JSON)
    assert response.status_code == 422
    assert pointers(response) == ["#"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"title": "a\ud800"}', "#/title"),
        (rb'{"title": "a", "start": "2026-12-24", "\ud800": 1}', r"#/\ud800"),
        (
            rb'{"title": "a", "start": "2026-12-24", "recurrence": {"rrule": "\ud800"}}',
            "#/recurrence/rrule",
        ),
    ],
)
def test_lone_surrogate_is_422_with_pointer(
    shared_editor: ApiClient, body: bytes, pointer: str
) -> None:
    response = shared_editor.send("PUT", "/events/x", data=body, headers=JSON)
    assert response.status_code == 422
    assert pointer in pointers(response)
    item = b'[{"action": "put", "kind": "events", "id": "x", ' + body[1:] + b"]"
    response = shared_editor.send("POST", "/batch", data=item, headers=JSON)
    assert response.status_code == 207


def test_invalid_category_is_422(shared_editor: ApiClient) -> None:
    for fields, pointer in (
        ({}, "#/title"),
        ({"title": "x", "url": "x"}, "#/url"),
        ({"title": "x", "language": "vn"}, "#/language"),
        ({"title": "x", "x": 1}, "#/x"),
    ):
        assert pointers(shared_editor.send("PUT", "/categories/moi", fields)) == [
            pointer
        ]
    for slug in ("A", "-a", "a_b", "đ", "x" * 65):
        assert pointers(
            shared_editor.send("PUT", f"/categories/{slug}", {"title": "x"})
        ) == ["#/slug"]


def test_body_with_wrong_headers_is_refused(editor: ApiClient, app: Any) -> None:
    put = ("PUT", "/articles/x")
    assert editor.send(*put, headers=JSON).status_code == 411
    gzipped = {**JSON, "Content-Encoding": "gzip"}
    for call, headers in (
        (put, {"Content-Type": "text/plain"}),
        (put, gzipped),
        (("POST", "/batch"), gzipped),
    ):
        assert editor.send(*call, data=b"{}", headers=headers).status_code == 415
    app.config["MAX_CONTENT_LENGTH"] = 1
    assert editor.send(*put, data=b"{}", headers=JSON).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/articles?limit=0",
        "/articles?limit=x",
        "/articles?nix=1",
        "/articles?page=0",
        "/articles?limit=201",
    ],
)
def test_invalid_query_parameter_is_400(shared_editor: ApiClient, path: str) -> None:
    response = shared_editor.send("GET", path)
    assert response.status_code == 400
    assert path.split("?")[1].split("=")[0] in response.get_json()["detail"]


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer fsv_x",
        "Basic YTpi",
        "Bearer fsv_" + "0" * 36,
        "Bearer \u00ff",
    ],
)
def test_missing_or_invalid_token_is_401(
    shared_editor: ApiClient, authorization: str
) -> None:
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    response = shared_editor.client.put(
        "/api/v1/articles/x", data=b"no json", headers=headers
    )
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert pointers(response) == []


def test_403_names_the_missing_scope(client: FlaskClient, database: Database) -> None:
    writer = ApiClient(client, create_token(database, "writer", ["news:write"]))
    refused = writer.send("PUT", "/events/x", GOOD_EVENT)
    assert refused.status_code == 403
    assert "events:write" in refused.get_json()["detail"]


def test_publish_scope_of_1_0_is_ignored(
    client: FlaskClient, database: Database
) -> None:
    publisher = ApiClient(client, create_token(database, "old", ["news:publish"]))
    assert publisher.send("PUT", "/articles/x", GOOD).status_code == 403
    assert publisher.send("GET", "/articles").status_code == 403
    both = ["news:publish", "news:write"]
    editor = ApiClient(client, create_token(database, "editor", both))
    assert editor.send("PUT", "/articles/x", GOOD).status_code == 201


@pytest.mark.parametrize("name", sorted(MEMBERS))
@pytest.mark.parametrize(
    "value", [{"x": []}, [[]], [{}, None], True, 1.5, "\x00"], ids=repr
)
def test_every_entry_field_refuses_other_types(
    shared_editor: ApiClient, name: str, value: Any
) -> None:
    path = f"/{MEMBERS[name]}/x"
    document = {**MINIMAL[MEMBERS[name]], name: value}
    response = shared_editor.send("PUT", path, document)
    assert response.status_code == 422
    refused = pointers(response)
    assert refused
    assert all(
        pointer == f"#/{name}" or pointer.startswith(f"#/{name}/")
        for pointer in refused
    )
    assert shared_editor.send("GET", path).status_code == 404


@pytest.mark.parametrize(
    "name", sorted(CategorySchema._declared_fields.keys() - {"slug"})
)
@pytest.mark.parametrize("value", [{}, [], True, 1, "\x00"], ids=repr)
def test_every_category_field_refuses_other_types(
    shared_editor: ApiClient, name: str, value: Any
) -> None:
    response = shared_editor.send("PUT", "/categories/moi", {"title": "x", name: value})
    assert response.status_code == 422
    assert pointers(response) == [f"#/{name}"]


@pytest.mark.parametrize(
    ("character", "detail"),
    [
        (" ", "Contains a space; write it as %20."),
        (
            "\u00a0",
            "Contains the character U+00A0; write it as %C2%A0.",
        ),
        (
            "%",
            "Contains a % without a percent-encoding such as %20; write it as %25.",
        ),
    ],
)
def test_error_of_a_url_says_how_to_write_it(
    shared_editor: ApiClient, character: str, detail: str
) -> None:
    url = f"https://a.example/anh{character}xanh.jpg"
    answer = shared_editor.send("PUT", "/articles/a", {"title": "x", "url": url})
    assert answer.get_json()["errors"] == [{"pointer": "#/url", "detail": detail}]
    mended = url.replace(character, detail.split()[-1].rstrip("."))
    shared_editor.put("/articles/a", {"title": "x", "url": mended})
