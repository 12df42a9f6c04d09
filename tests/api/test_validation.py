"""Bad input: each case its status, its pointer and a hint, and nothing stored."""

import json
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.input.schemas import CategorySchema
from feedsvc.storage.database import Database
from feedsvc.storage.tokens import revoke_token
from tests.api.problems import errors, pointers
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.data.fixtures import make_client
from tests.full_entries import EVENT, MEMBERS, MINIMAL, TEXT_MEMBERS
from tests.pointers import ABSENT, replace_value

BAD_VALUES: dict[str, list[Any]] = read_tables("bad_values")
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
    **{name: (EVENT[name][:1] * 51,) for name in ("authors", "attachments", "offers")},
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
        response = shared_editor.send(*call, data=body, content_type="application/json")
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
        *read_tables("api")["bad_categories"],
        ("moi", {"title": None}, "title"),
        ("moi", {"titles": {"en": "A" * 201}}, "titles/en"),
        ("x" * 65, {}, "slug"),
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


def test_scope_of_version_1_permits_nothing(app: Flask) -> None:
    publisher = make_client(app, ["news:publish"])
    assert publisher.send("GET", "/articles").status_code == 403
    refused = publisher.send("PUT", "/events/x", {"title": "x"})
    assert refused.status_code == 403
    assert "events:write" in refused.get_json()["detail"]


@pytest.mark.parametrize("name", sorted(MEMBERS))
@pytest.mark.parametrize(
    "value", [{"x": []}, [[]], [{}, None], True, 1.5, "\x00"], ids=repr
)
def test_every_entry_field_refuses_other_types(
    shared_editor: ApiClient, name: str, value: Any
) -> None:
    path = f"/{MEMBERS[name]}/{uuid4()}"
    document = {**MINIMAL[MEMBERS[name]], name: value}
    response = shared_editor.send("PUT", path, document)
    if value is True and name == "is_accessible_for_free":
        assert response.status_code == 201
        return
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


REFUSALS = read_tables("refusals")["refusals"]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: str(each["members"]))
def test_details_say_what_was_meant(
    shared_editor: ApiClient, refusal: dict[str, Any]
) -> None:
    members, details = refusal["members"], refusal["errors"]
    collection = "events" if "start" in members else "articles"
    path = f"/{collection}/of-{collection}"
    shared_editor.put(path, MINIMAL[collection])
    document = {**MINIMAL[collection], **members}
    for method in ("PUT", "PATCH"):
        refused = errors(shared_editor.send(method, path, document))
        assert refused.keys() == details.keys()
        for pointer, detail in details.items():
            assert refused[pointer].endswith(detail)


def test_unknown_category_is_named(editor: ApiClient) -> None:
    detail = (
        "There is no category “giao-thog”. Did you mean “giao-thong”? "
        "GET /api/v1/categories lists all."
    )
    category = {"title": "x", "parent": "giao-thog"}
    answer = editor.send("PUT", "/categories/b", category)
    assert errors(answer) == {"#/parent": detail}
    for path in (
        "/api/v1/articles?category=giao-thog",
        "/feeds/news/giao-thog+van-hoa.html",
    ):
        answer = editor.client.get(path, headers=editor.headers)
        assert answer.status_code == 404
        assert answer.get_json()["detail"] == detail


def test_patch_of_the_other_content_suggests_null(editor: ApiClient) -> None:
    editor.put("/articles/a", {"title": "x", "content_text": "Chữ."})
    patch = {"content_html": "<p>Chữ.</p>"}
    refused = errors(editor.send("PATCH", "/articles/a", patch))
    detail = refused["#/content_text"]
    assert detail.endswith("In a PATCH, send null for the other.")
    patched = editor.send("PATCH", "/articles/a", {**patch, "content_text": None})
    assert patched.status_code == 200


def test_wrong_id_names_the_allowed_letters(editor: ApiClient) -> None:
    answer = editor.send("PUT", "/articles/bài-1", {"title": "x"})
    assert errors(answer)["#/id"].startswith("Must be 1 to 128 of A–Z, a–z, 0–9")


def test_several_wrong_parameters_are_separate_sentences(
    editor: ApiClient,
) -> None:
    answer = editor.send("GET", "/articles?status=x&categories=a")
    assert answer.get_json()["detail"] == (
        "status: Must be one of: draft, published, withdrawn. "
        "categories: Unknown field. Did you mean “category”?"
    )


@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b'[{"action": "put"},\n {"action" "put"}]', "line 2, column 12"),
        (b'[{"action": "put"},\n {"title": "\xff"}]', "at line 2"),
        (b'{"action": "put"}\n{"action": "put"}', "line 2, column 1"),
        (b'[{"id": "a"},\n  {"id": NaN}]', "NaN is no number"),
    ],
)
def test_array_that_is_no_json_names_the_position(
    editor: ApiClient, body: bytes, position: str
) -> None:
    answer = editor.send("POST", "/batch", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert position in answer.get_json()["detail"]


def test_unknown_call_is_a_problem_document(client: FlaskClient) -> None:
    answer = client.get("/api/v1/article", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert errors(answer) == {}


@pytest.mark.parametrize("field", ["content_text", "content_html"])
def test_content_is_limited_in_bytes(editor: ApiClient, field: str) -> None:
    longest = "ệ" * 87_381 + "a"  # three bytes each, and one
    for content in (f"{longest}b", "a" * 262_145):
        article = {"title": "x", field: content}
        (detail,) = errors(editor.send("PUT", "/articles/a", article)).values()
        assert detail.startswith("Longer than ")
    editor.put("/articles/a", {"title": "x", field: longest})
    document = editor.client.get("/api/openapi.json").get_json()
    member = document["components"]["schemas"]["Article"]["properties"][field]
    assert "262,144 bytes" in member["description"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_id_of_the_other_kind_is_404_that_names_the_kind(
    editor: ApiClient, method: str
) -> None:
    editor.put("/events/e", MINIMAL["events"])
    document = {"title": "y"} if method == "PATCH" else None
    for id, detail in (
        ("e", "“e” is the id of an entry of the other kind, events."),
        ("none", "There is no entry “none”."),
    ):
        answer = editor.send(method, f"/articles/{id}", document)
        assert answer.status_code == 404
        assert answer.get_json()["detail"] == detail


def test_revoked_token_is_told_so(editor: ApiClient, database: Database) -> None:
    revoke_token(database, "editor")
    answer = editor.send("GET", "/articles")
    assert answer.status_code == 401
    assert "revoked" in answer.get_json()["detail"]
