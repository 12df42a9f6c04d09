"""Post every XSS payload as HTML, and some as text and in every other field."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from marshmallow import fields

from feedsvc.input.schemas import CategorySchema, EntrySchema
from feedsvc.models import KINDS
from feedsvc.services import get_services
from tests.conftest import ApiClient
from tests.data.payloads import payloads
from tests.pointers import ABSENT, replace_value

Json = dict[str, Any]

JSON_HEADERS = {"Content-Type": "application/json"}
PAYLOADS = payloads()
EVERYWHERE_STEP = int(os.environ.get("XSS_STEP", "11"))
"""One payload of so many is posted in every field; `make soak` posts all there.

The others are posted as HTML alone: all else is only escaped. An odd number selects
payloads for both kinds.
"""

GROUP_SIZE = 60
"""Entries of a kind that share a category."""

VALID_VALUES = {
    "price": "12.50",
    "currency": "VND",
    "url": "https://x.example/a",
    "mime_type": "text/plain",
    "start": "2026-11-26T19:00:00",
    "rrule": "FREQ=DAILY;COUNT=2",
    "name": "Tên",
    "title": "Tên",
}
"""Values for required fields that refuse a payload; optional fields are left out."""


def groups() -> range:
    """Return the numbers of the categories `g-…`, which have entries of both kinds."""
    return range(len(PAYLOADS) // GROUP_SIZE + 1)


def everywhere() -> range:
    """Return the numbers of the payloads that are posted in every field.

    Each has a category `p-…`.
    """
    return range(0, len(PAYLOADS), EVERYWHERE_STEP)


def post_payloads(editor: ApiClient) -> None:
    """Post everything; payloads that are refused must be reported by their pointers."""
    schemas = get_services(editor.client.application).entry_schemas
    for number in groups():
        editor.put(f"/categories/g-{number}", {"title": f"Nhóm {number}"})
    for number in everywhere():
        fields = fill_fields(CategorySchema(), PAYLOADS[number])
        _put_category(editor, {**fields, "slug": f"p-{number}"})
    remaining = lines(schemas)
    while batch := list(islice(remaining, 10)):
        # An item has ten errors at most, and some fields are checked only after others
        # are valid.
        for _ in range(10):
            results = post_batch(editor, batch)
            batch = [
                without_refused(batch[result["index"]], result)
                for result in results
                if result["status"] != 201
            ]
        assert not batch


def _put_category(editor: ApiClient, document: Json) -> None:
    def put(document: Json) -> Any:
        path = f"/categories/{document['slug']}"
        body = json.dumps(document)
        return editor.send("PUT", path, data=body, headers=JSON_HEADERS)

    response = put(document)
    if response.status_code == 422:
        response = put(without_refused(document, response.get_json()))
    assert response.status_code == 201, (document, response.text)


def post_batch(editor: ApiClient, batch: list[Json]) -> list[Json]:
    """Post a small batch, and return its results."""
    if not batch:
        return []
    begin = time.thread_time()
    body = json.dumps(batch)
    response = editor.send("POST", "/batch", data=body, headers=JSON_HEADERS)
    # No payload may make sanitizing slow.
    assert time.thread_time() - begin < 1, [line["id"] for line in batch]
    assert response.status_code in (200, 207), response.text
    results: list[Json] = response.get_json()["results"]
    return results


def lines(schemas: Mapping[str, EntrySchema]) -> Iterator[Json]:
    """Yield lines of a batch: each payload as HTML.

    The payloads of `everywhere` are in all fields, of both kinds, and as text too.
    """
    for number, payload in enumerate(PAYLOADS):
        is_everywhere = number in everywhere()
        categories = [f"g-{number // GROUP_SIZE}"]
        if is_everywhere:
            categories.append(f"p-{number}")
        html_kind, text_kind = KINDS[number % 2], KINDS[(number + 1) % 2]
        for kind in KINDS if is_everywhere else [html_kind]:
            document = _minimal(kind) | {"content_html": payload}
            if is_everywhere:
                document = fill_fields(schemas[kind], payload)
                del document["content_text"]
                document["guid"] = f"{payload} {kind}-{number}"
            document |= {"id": f"{kind}-{number}", "categories": categories}
            yield {"action": "put", "kind": kind, **document}
        if is_everywhere:
            document = _minimal(text_kind) | {"content_text": payload}
            document |= {"id": f"text-{number}", "categories": categories}
            yield {"action": "put", "kind": text_kind, **document}


def _minimal(kind: str) -> Json:
    """Return a document with the required fields of a kind."""
    names = ("title", "start") if kind == "events" else ("title",)
    return {name: VALID_VALUES[name] for name in names}


def fill_fields(schema: Any, payload: str) -> Json:
    """Return a document with the payload in every text field."""

    def value(field: Any) -> Any:
        if isinstance(field, fields.Nested):
            return fill_fields(field.schema, payload)
        if isinstance(field, fields.List):
            return [value(field.inner)]
        return payload if isinstance(field, fields.String) else None

    values = {
        field.data_key or name: value(field)
        for name, field in schema.load_fields.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def without_refused(document: Json, refusal: Json) -> Json:
    """Return a document without, or with a valid one for, each value that is refused."""
    assert refusal["status"] == 422, refusal
    for error in refusal["errors"]:
        pointer = error["pointer"]
        value = VALID_VALUES.get(pointer.rpartition("/")[2], ABSENT)
        document = replace_value(document, pointer, value)
    return document
