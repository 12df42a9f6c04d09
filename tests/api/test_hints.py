"""Errors say what was probably meant, and where the list is."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from feedsvc.storage.database import Database
from feedsvc.storage.tokens import revoke_token
from tests.api.problems import errors
from tests.conftest import ApiClient, MakeApp
from tests.data.fixtures import make_client

JSON = {"Content-Type": "application/json"}


NO_CATEGORY = (
    "There is no category “giao-thog”. GET /api/v1/categories lists all."
)
EXAMPLES = "a time such as 2026-12-24T19:00:00+07:00."


@pytest.mark.parametrize(
    ("members", "pointer", "detail"),
    [
        ({"categories": ["giao-thog"]}, "categories/0", NO_CATEGORY),
        ({"categories": ["Đời sống"]}, "categories/0", "Did you mean “doi-song”?"),
        ({"categories": ["文化"]}, "categories/0", "at most 64."),
        ({"authors": [{"name": "x", "mail": "y"}]}, "authors/0/mail", "Unknown field. Did you mean “email”?"),
        ({"timezone": "Europe/Paris"}, "timezone", "Unknown field. Only events have it."),
        ({"slug": "cau-moi"}, "slug", "Unknown field."),
        ({"status": "cancelled"}, "status", "Must be one of: draft, published, withdrawn."),
        ({"start": "2026-12-24", "status": "cancelled"}, "status", "To cancel an event, set event_status."),
        ({"start": "24/12/2026"}, "start", EXAMPLES),
        ({"start": "2026-02-30"}, "start", EXAMPLES),
        ({"start": 1_700_000_000}, "start", EXAMPLES),
        ({"start": "2026-12-24", "location": 5}, "location", 'Must be a name, or an object such as {"name": "Lan"}.'),
        ({"start": "2026-12-24", "recurrence": "FREQ=WEEKLY"}, "recurrence", 'Must be an object such as {"rrule": "FREQ=WEEKLY;BYDAY=SA"}.'),
        ({"image": 1}, "image", "Must be a URL or an object."),
        ({"start": "2026-12-24", "offers": [{"price": 12.5, "currency": "EUR"}]}, "offers/0/price", 'Must be a decimal string such as "12.50".'),
        ({"url": "https://a.example/a b"}, "url", "Contains a space; write it as %20."),
        ({"url": "https://a.example/a\xa0b"}, "url", "Contains the character U+00A0; write it as %C2%A0."),
        ({"url": "https://a.example/a%b"}, "url", "Contains a % without a percent-encoding such as %20; write it as %25."),
        *(
            ({"start": "2026-12-05", "recurrence": {"rrule": rule}}, "recurrence/rrule", f" Not supported: “{part}”.")
            for rule, part in (
                ("FREQ=WEEKLY;BYDAY=SA;BYHOUR=3", "BYHOUR=3"),
                ("every Saturday", "every Saturday"),
                ("FREQ=DAILY;", ";"),
            )
        ),
        *(
            ({name: value}, name, f"Unknown field. Did you mean “{meant}”?")
            for name, value, meant in (
                ("tittle", "x", "title"),
                ("content", "<p>Nội dung</p>", "content_html"),
                ("content", "Nội dung, 1 < 2", "content_text"),
                ("content", None, "content_text"),
                ("html", "<p>Nội dung</p>", "content_html"),
                ("text", "Nội dung", "content_text"),
                ("lead", "Nội dung", "summary"),
                ("description", "Nội dung", "summary"),
                ("link", "https://portal.example/", "url"),
                ("pubDate", "Thu, 26 Nov 2026 08:00:00 +0700", "date_published"),
                ("tags", ["van-hoa"], "categories"),
            )
        ),
    ],
)  # fmt: skip
def test_detail_says_what_was_meant(
    shared_editor: ApiClient,
    members: dict[str, Any],
    pointer: str,
    detail: str,
) -> None:
    path, required = "/articles/a", {"title": "x"}
    if "start" in members:
        path, required = "/events/e", {"title": "x", "start": "2026-12-24"}
    shared_editor.put(path, required)
    for method in ("PUT", "PATCH"):
        answer = shared_editor.send(method, path, {**required, **members})
        ((refused, reason),) = errors(answer).items()
        assert refused == f"#/{pointer}"
        assert reason.endswith(detail)


def test_unknown_category_is_named(editor: ApiClient) -> None:
    answer = editor.send(
        "PUT", "/categories/b", {"title": "x", "parent": "giao-thog"}
    )
    assert errors(answer) == {"#/parent": NO_CATEGORY}
    answer = editor.send("GET", "/articles?category=giao-thog")
    assert answer.get_json()["detail"] == NO_CATEGORY
    answer = editor.client.get("/feeds/news/giao-thog+van-hoa.html")
    assert answer.get_json()["detail"] == NO_CATEGORY


def test_patch_of_the_other_content_suggests_null(editor: ApiClient) -> None:
    editor.put("/articles/a", {"title": "x", "content_text": "Chữ."})
    patch: dict[str, str | None] = {"content_html": "<p>Chữ.</p>"}
    (detail,) = errors(editor.send("PATCH", "/articles/a", patch)).values()
    assert detail.endswith("In a PATCH, send null for the other.")
    patch["content_text"] = None
    assert editor.send("PATCH", "/articles/a", patch).status_code == 200


def test_usual_name_among_many_unknown_members_suggests_ours(
    editor: ApiClient,
) -> None:
    document = {"title": "x", **dict.fromkeys("abcdefgh", "x"), "pubDate": "x"}
    answer = editor.send("PUT", "/articles/a", document)
    assert "Did you mean “date_published”?" in errors(answer)["#/pubDate"]


def test_wrong_id_names_the_allowed_letters(editor: ApiClient) -> None:
    answer = editor.send("PUT", "/articles/bài-1", {"title": "x"})
    assert errors(answer)["#/id"].startswith(
        "Must be 1 to 128 of A–Z, a–z, 0–9"
    )


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
    answer = editor.send("POST", "/batch", data=body, headers=JSON)
    assert answer.status_code == 400
    assert position in answer.get_json()["detail"]


def test_413_names_the_limit(make_app: MakeApp) -> None:
    editor = make_client(make_app(max_body=1000))
    shortest = b'{"title": "x"}'.ljust(1001)
    answer = editor.send("PUT", "/articles/a", data=shortest, headers=JSON)
    assert answer.status_code == 413
    assert answer.get_json()["detail"] == "The body has more than 1,000 bytes."


def test_unknown_call_is_a_problem_document(client: FlaskClient) -> None:
    answer = client.get("/api/v1/article", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (
        404,
        "application/problem+json",
    )


@pytest.mark.parametrize("field", ["content_text", "content_html"])
def test_content_is_limited_in_bytes(editor: ApiClient, field: str) -> None:
    longest = "ệ" * 87_381  # three bytes each
    for content in (longest + "ab", "a" * 262_145):
        answer = editor.send(
            "PUT", "/articles/a", {"title": "x", field: content}
        )
        (detail,) = errors(answer).values()
        assert detail.startswith("Longer than ")
    assert editor.put("/articles/a", {"title": "x", field: longest + "a"})
    document = editor.client.get("/api/openapi.json").get_json()
    member = document["components"]["schemas"]["Article"]["properties"][field]
    assert "262,144 bytes" in member["description"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_id_of_the_other_kind_is_404_that_names_the_kind(
    editor: ApiClient, method: str
) -> None:
    editor.put("/events/e", {"title": "x", "start": "2026-12-24"})
    document = {"title": "y"} if method == "PATCH" else None
    for path, expected in (
        (
            "/articles/e",
            "“e” is the id of an entry of the other kind, events.",
        ),
        ("/articles/none", "There is no entry “none”."),
    ):
        answer = editor.send(method, path, document)
        assert answer.status_code == 404
        assert answer.get_json()["detail"] == expected


def test_revoked_token_is_told_so(
    editor: ApiClient, database: Database
) -> None:
    revoke_token(database, "editor")
    answer = editor.send("GET", "/articles")
    assert answer.status_code == 401
    assert "revoked" in answer.get_json()["detail"]
