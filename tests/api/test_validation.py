"""Bad input: each case its status and its pointer, and nothing stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from feedsvc.input.schemas import CategorySchema
from tests.api.problems import errors, pointers
from tests.api.tables import read_table
from tests.conftest import ApiClient
from tests.data.fixtures import make_client
from tests.full_entries import EVENT, MEMBERS, MINIMAL, TEXT_MEMBERS
from tests.pointers import ABSENT, replace_value

GOOD = {"title": "Tiêu đề"}

BAD_VALUES: dict[str, list[Any]] = read_table("bad_values")
MORE_BAD_VALUES: dict[str, tuple[Any, ...]] = {
    "title": (
        "क़" * 251,  # 251 characters, 502 in NFC
        "a" + "\u0316" * 31,
        "a" + "\u0f73" * 31,  # each is two marks in NFD
    ),
    "summary": ("क़" * 1001,),
    "content_html": ("<br>" * 10_001, "<blockquote>" * 257, "<p>\udc00</p>"),
    "url": ("https://x.example/\ud800", "https://" + "x" * 2048),
    "guid": ("x" * 1001,),
    "authors/1/name": ("L" * 201,),
    **{
        name: (EVENT[name][:1] * 51,)
        for name in ("authors", "attachments", "offers")
    },
    **dict.fromkeys(
        "authors/0/name source/name attachments/0/url attachments/0/mime_type "
        "location/name location/longitude offers/0/currency".split(),
        (ABSENT,),
    ),
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        (pointer, value)
        for table in (BAD_VALUES, MORE_BAD_VALUES)
        for pointer, values in table.items()
        for value in values
    ],
)
def test_bad_value_is_422_with_its_pointer(
    shared_editor: ApiClient, pointer: str, value: Any
) -> None:
    body = json.dumps(replace_value(EVENT, f"#/{pointer}", value))
    response = shared_editor.send(
        "PUT", "/events/x", data=body, content_type="application/json"
    )
    assert pointers(response) == [f"#/{pointer}"]
    assert shared_editor.send("GET", "/events/x").status_code == 404


@pytest.mark.parametrize(
    ("name", "collection"),
    [
        (name, collection)
        for name, collection in MEMBERS.items()
        if name in TEXT_MEMBERS[collection] and name != "content_text"
    ],
)
def test_longer_text_than_allowed_is_422(
    shared_editor: ApiClient, name: str, collection: str
) -> None:
    path, document = f"/{collection}/longest", MINIMAL[collection]
    longest = "x" * TEXT_MEMBERS[collection][name]
    shared_editor.put(path, {**document, name: longest})
    longer = {**document, name: f"{longest}x"}
    assert pointers(shared_editor.send("PUT", path, longer)) == [f"#/{name}"]


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
        b'[{"a": 1}',
        b"[1,]",
        b"[] x",
    ],
)
def test_body_that_is_not_strict_json_is_400(
    shared_editor: ApiClient, body: bytes
) -> None:
    for call in (("PUT", "/articles/x"), ("POST", "/batch")):
        response = shared_editor.send(
            *call, data=body, content_type="application/json"
        )
        assert response.status_code == 400, call
        assert errors(response) == {}


@pytest.mark.parametrize("document", [[], "x", 1, None, True])
def test_document_that_is_not_an_object_is_422(
    shared_editor: ApiClient, document: Any
) -> None:
    body = json.dumps(document)
    response = shared_editor.send(
        "PUT", "/articles/x", data=body, content_type="application/json"
    )
    assert pointers(response) == ["#"]


@pytest.mark.parametrize(
    ("member", "pointer"),
    [
        (rb'"title": "a\ud800"', "#/title"),
        (rb'"title": "a", "\ud800": 1', r"#/\ud800"),
        (
            rb'"title": "a", "recurrence": {"rrule": "\ud800"}',
            "#/recurrence/rrule",
        ),
    ],
)
def test_lone_surrogate_is_422_with_pointer(
    shared_editor: ApiClient, member: bytes, pointer: str
) -> None:
    document = b'{"start": "2026-12-24", %s}' % member
    response = shared_editor.send(
        "PUT", "/events/x", data=document, content_type="application/json"
    )
    assert pointers(response) == [pointer]
    item = b'[{"action": "put", "kind": "events", "id": "x", %s}]' % member
    response = shared_editor.send(
        "POST", "/batch", data=item, content_type="application/json"
    )
    assert response.status_code == 207


@pytest.mark.parametrize(
    ("slug", "members", "name"),
    [
        ("moi", {"title": None}, "title"),
        ("moi", {"url": "x"}, "url"),
        ("moi", {"language": "vn"}, "language"),
        ("moi", {"x": 1}, "x"),
        ("moi", {"titles": {"xx": "A"}}, "titles/xx"),
        ("moi", {"titles": {"en": "A" * 201}}, "titles/en"),
        *((slug, {}, "slug") for slug in ("A", "-a", "a_b", "đ", "x" * 65)),
    ],
)
def test_invalid_category_is_422(
    shared_editor: ApiClient, slug: str, members: dict[str, Any], name: str
) -> None:
    category = {"title": "x", **members}
    response = shared_editor.send("PUT", f"/categories/{slug}", category)
    assert pointers(response) == [f"#/{name}"]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/articles", "limit=0 limit=x limit=201 nix=1 page=0"),
        ("/changes", "after=-1 after=x kind=nix limit=0 limit=1001 nix=1"),
    ],
)
def test_invalid_query_parameter_is_400(
    shared_editor: ApiClient, path: str, parameters: str
) -> None:
    for parameter in parameters.split():
        response = shared_editor.send("GET", f"{path}?{parameter}")
        assert response.status_code == 400, parameter
        assert parameter.split("=")[0] in response.get_json()["detail"]


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
    headers = {
        "Authorization": authorization,
        "Content-Type": "application/json",
    }
    response = shared_editor.client.put(
        "/api/v1/articles/x", data=b"no json", headers=headers
    )
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert errors(response) == {}


def test_other_scopes_are_403(app: Flask) -> None:
    # Tokens of 1.0 may have this one.
    publisher = make_client(app, ["news:publish"])
    assert publisher.send("GET", "/articles").status_code == 403
    editor = make_client(app, ["news:publish", "news:write"])
    assert editor.send("PUT", "/articles/x", GOOD).status_code == 201
    refused = editor.send("PUT", "/events/x", GOOD)
    assert refused.status_code == 403
    assert "events:write" in refused.get_json()["detail"]


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
    refused = pointers(response)
    assert refused
    assert all(
        pointer == f"#/{name}" or pointer.startswith(f"#/{name}/")
        for pointer in refused
    )
    assert shared_editor.send("GET", path).status_code == 404


@pytest.mark.parametrize("value", [{}, [], True, 1, "\x00"], ids=repr)
def test_every_category_field_refuses_other_types(
    shared_editor: ApiClient, value: Any
) -> None:
    names = CategorySchema._declared_fields.keys() - {"slug"}
    if value == {}:
        names -= {"titles"}  # the only field that is an object
    document = {"title": "x", **dict.fromkeys(names, value)}
    response = shared_editor.send("PUT", "/categories/moi", document)
    assert set(pointers(response)) == {f"#/{name}" for name in names}


def test_category_has_titles_in_30_languages_at_most(
    shared_editor: ApiClient,
) -> None:
    titles = {f"en-x-{number}": "T" for number in range(31)}
    document = {"title": "x", "titles": titles}
    response = shared_editor.send("PUT", "/categories/moi", document)
    assert pointers(response) == ["#/titles"]
    last = dict([titles.popitem()])
    shared_editor.put("/categories/moi", document)
    response = shared_editor.send("PATCH", "/categories/moi", {"titles": last})
    assert pointers(response) == ["#/titles"]
