"""Bad input: each case its status and its pointer, and nothing stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema

from feedsvc.errors import FieldError, ValidationFailed
from feedsvc.input.fields import ShortList, Text
from feedsvc.input.loading import load_validated
from feedsvc.input.schemas import CategorySchema
from tests.api.problems import errors, pointers
from tests.conftest import ApiClient
from tests.data.fixtures import make_client
from tests.full_entries import EVENT, MEMBERS, MINIMAL, TEXT_MEMBERS
from tests.pointers import ABSENT, replace_value

GOOD = {"title": "Tiêu đề"}
GOOD_EVENT = {"title": "Hoà nhạc", "start": "2026-12-24T19:00:00"}
JSON = {"Content-Type": "application/json"}

BAD_URLS = (
    "javascript:alert(1)",
    "ftp://portal.example",
    "/relative",
    "HTTPS:///portal.example/",
    "https://user:secret@host/",
    "https://biên-tập@portal.example/",
    "https://portal.example\\@x.example/",
    "https://portal.example:0/",
    "https://host:70000/",
    "https://[::1",
    "https://" + "x" * 2048,
    "https://host/\r\nSet-Cookie:x",
    *(
        f"https://x.example/{part}.png"
        for part in (
            "%",
            "%zz",
            "\ud800",
            "\uffff",
            "\ufffe",
            "\0",
            "\x85",
            "\u200f",
        )
    ),
)
BAD_VALUES: dict[str, tuple[Any, ...]] = {
    "title": (
        "",
        "क़" * 251,  # 251 characters, 502 in NFC
        "\u202e\u2066 \u2069",  # nothing but controls
        "a" + "\u0316" * 31,
        "a" + "\u0f73" * 31,  # each is two marks in NFD
        "a\x85\ufdd0\U0010ffff",
        *(f"a{character}b" for character in "\x0b\x1f\ufffe\U0001ffff"),
    ),
    "summary": ("क़" * 1001,),
    "content_html": ("<br>" * 10_001, "<blockquote>" * 257, "<p>\udc00</p>"),
    "content_text": ("Only one of both.",),
    **dict.fromkeys(
        "url online_url image/url source/url authors/0/url attachments/0/url "
        "location/url offers/0/url performers/0/url".split(),
        BAD_URLS,
    ),
    "language": ("Vietnamese please", "vn", "vn_VI"),
    "authors": (EVENT["authors"][:1] * 51,),
    "authors/0/name": (ABSENT, "L" * 201),
    "authors/1/email": ("nobody", "lan@x.example\nBcc: y@x.example"),
    "source/name": (ABSENT, ""),
    "categories/0": ("Giao Thông",),
    "image/type": ("ogg",),
    "image/width": (-1, 100_001),
    "image/height": ("800",),
    "image/caption": ("a\x00",),
    "attachments": (EVENT["attachments"][:1] * 51,),
    "attachments/0/url": (*BAD_URLS, ABSENT),
    "attachments/0/mime_type": (
        ABSENT,
        "",
        "ogg",
        "; codecs=opus",
        "audio/ogg codecs",
    ),
    # Beyond 2**53, JavaScript has no exact numbers.
    "attachments/0/size_in_bytes": (1.5, 2**53 + 1),
    "attachments/0/duration_in_seconds": (-0.5,),
    "date_published": (
        "2026-11-31",
        "2026-02-30T08:00:00+07:00",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T06:59:59+07:00",
        "2200-12-31T23:59:59-00:01",
        "2026-06-30T23:59:60Z",
        "2026-06-30T24:00:00",
        "2026-06-30T12:00:00+7",
        "2026-06-30T12:00:00,5Z",
        "２０２６-06-30T12:00:00Z",
    ),
    # The time of its publication, in another zone.
    "expires": ("2026-11-01T08:00:00.000500+07:00",),
    "id": ("khac",),
    "guid": ("x" * 1001, "a\x0b", "\ufffe", "urn:uuid:"),
    "translation_key": ("a b",),
    "a~1b~0c": (1,),
    "start": (
        "1969-12-31",
        "2027-02-29",
        # Beyond the limits in UTC, or in the zone of the event.
        "1970-01-01T00:00:00+14:00",
        "2200-12-31T23:59:59-23:59",
        "1970-01-01T00:00:00",
        "2200-12-31T23:00:00-08:00",
    ),
    "end": ("2026-12-24T18:59:59", "2026-12-25", "2026-12-24T19:00:00+07:30"),
    "timezone": ("asia/ho_chi_minh",),
    "location/name": (ABSENT,),
    "location/latitude": (91,),
    "location/longitude": (180.1, ABSENT),
    "attendance": ("both",),
    "offers": (EVENT["offers"][:1] * 51,),
    "offers/0/price": ("1,5", "-1", "20.000"),
    "offers/0/currency": ("XYZ", ABSENT),
    "offers/0/availability": ("no",),
    "performers/0/email": ("x@x.example",),
}
"""Values by the pointers of the members that must not have them."""


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        (pointer, value)
        for pointer in BAD_VALUES
        for value in BAD_VALUES[pointer]
    ],
)
def test_bad_value_is_422_with_its_pointer(
    shared_editor: ApiClient, pointer: str, value: Any
) -> None:
    body = json.dumps(replace_value(EVENT, f"#/{pointer}", value))
    response = shared_editor.send("PUT", "/events/x", data=body, headers=JSON)
    assert pointers(response) == [f"#/{pointer}"]
    assert shared_editor.send("GET", "/events/x").status_code == 404


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"attendance": "in_person"}, "#/online_url"),
        ({"online_url": None}, "#/online_url"),
        ({"attendance": "online", "online_url": None}, "#/online_url"),
        ({"start": "2026-12-24", "end": "2026-12-24"}, "#/end"),
        ({"start": "2026-12-24"}, "#/end"),
        (
            {
                "start": "2027-11-07T01:30:00-05:00",
                "end": "2027-11-07T01:30:00-04:00",
            },
            "#/end",
        ),
    ],
)
def test_member_that_does_not_fit_another_is_422(
    shared_editor: ApiClient, members: dict[str, Any], pointer: str
) -> None:
    response = shared_editor.send("PUT", "/events/x", {**EVENT, **members})
    assert pointers(response) == [pointer]


@pytest.mark.parametrize(
    ("collection", "name"),
    [
        (collection, name)
        for collection, names in TEXT_MEMBERS.items()
        for name in names
        if MEMBERS[name] == collection and name != "content_text"
    ],
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


def test_empty_text_in_a_list_is_an_error_of_the_item() -> None:
    schema = Schema.from_dict({"words": ShortList(Text(10), 5)})()
    assert load_validated(schema, {"words": ["x"]}) == {"words": ["x"]}
    with pytest.raises(ValidationFailed) as caught:
        load_validated(schema, {"words": ["x", ""]})
    assert caught.value.errors == (
        FieldError("#/words/1", "Must not be empty."),
    )


def test_event_without_title_and_start_is_422(
    shared_editor: ApiClient,
) -> None:
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
        b'[{"a": 1}',
        b"[1,]",
        b"[] x",
    ],
)
def test_body_that_is_not_strict_json_is_400(
    shared_editor: ApiClient, body: bytes
) -> None:
    for call in (("PUT", "/articles/x"), ("POST", "/batch")):
        response = shared_editor.send(*call, data=body, headers=JSON)
        assert response.status_code == 400, call
        assert errors(response) == {}
    assert shared_editor.send("GET", "/articles/x").status_code == 404


@pytest.mark.parametrize("document", [[], "x", 1, None, True])
def test_document_that_is_not_an_object_is_422(
    shared_editor: ApiClient, document: Any
) -> None:
    body = json.dumps(document)
    response = shared_editor.send(
        "PUT", "/articles/x", data=body, headers=JSON
    )
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
    assert pointer in pointers(response)
    item = (
        b'[{"action": "put", "kind": "events", "id": "x", ' + body[1:] + b"]"
    )
    response = shared_editor.send("POST", "/batch", data=item, headers=JSON)
    assert response.status_code == 207


def test_invalid_category_is_422(shared_editor: ApiClient) -> None:
    for fields, pointer in (
        ({}, "#/title"),
        ({"title": "x", "url": "x"}, "#/url"),
        ({"title": "x", "language": "vn"}, "#/language"),
        ({"title": "x", "x": 1}, "#/x"),
    ):
        assert pointers(
            shared_editor.send("PUT", "/categories/moi", fields)
        ) == [pointer]
    for slug in ("A", "-a", "a_b", "đ", "x" * 65):
        assert pointers(
            shared_editor.send("PUT", f"/categories/{slug}", {"title": "x"})
        ) == ["#/slug"]


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
def test_invalid_query_parameter_is_400(
    shared_editor: ApiClient, path: str
) -> None:
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


def test_403_names_the_missing_scope(app: Flask) -> None:
    writer = make_client(app, ["news:write"])
    refused = writer.send("PUT", "/events/x", GOOD_EVENT)
    assert refused.status_code == 403
    assert "events:write" in refused.get_json()["detail"]


def test_publish_scope_of_1_0_is_ignored(app: Flask) -> None:
    publisher = make_client(app, ["news:publish"])
    assert publisher.send("PUT", "/articles/x", GOOD).status_code == 403
    assert publisher.send("GET", "/articles").status_code == 403
    editor = make_client(app, ["news:publish", "news:write"])
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
    if name == "titles" and value == {}:
        return  # the only field that is an object
    response = shared_editor.send(
        "PUT", "/categories/moi", {"title": "x", name: value}
    )
    assert pointers(response) == [f"#/{name}"]


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
