"""Puts every payload into every text field of articles, events and categories."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from marshmallow import fields

from feedsvc.api.schemas import CategorySchema, EntrySchema
from feedsvc.query import KINDS
from tests.conftest import ApiClient
from tests.data.payloads import payloads

Json = dict[str, Any]

JSON = {"Content-Type": "application/json"}
PAYLOADS = payloads()
GROUP = 90
"""Entries that are filed under one category."""

SOUND = {
    "url": "https://x.example/a",
    "mime_type": "text/plain",
    "start": "2026-11-26T19:00:00",
    "rrule": "FREQ=DAILY;COUNT=2",
    "name": "Tên",
    "title": "Tên",
}
"""What stands where a payload is refused and something must stand; other members are left out then."""


def groups() -> range:
    """The numbers of the categories `g-…`, each of which has entries of both kinds."""
    return range(len(PAYLOADS) // GROUP + 1)


def attack(editor: ApiClient, schemas: Mapping[str, EntrySchema]) -> None:
    """Put all of it: what is refused must be told by its pointer, and the rest is taken."""
    for number in groups():
        editor.put(f"/categories/g-{number}", {"title": f"Nhóm {number}"})
    for number, payload in enumerate(PAYLOADS):
        category = {**filled_in(CategorySchema(), payload), "slug": f"p-{number}"}
        path = f"/categories/p-{number}"
        answer = editor.send("PUT", path, data=json.dumps(category), headers=JSON)
        if answer.status_code == 422:
            category = mended(category, answer.get_json())
            answer = editor.send("PUT", path, data=json.dumps(category), headers=JSON)
        assert answer.status_code == 201, (payload, answer.text)
    waiting = lines(schemas)
    while some := list(islice(waiting, 20)):
        for _ in range(3):  # some checks are made when others are passed
            refused = [
                result for result in put(editor, some) if result["status"] != 201
            ]
            some = [mended(some[result["index"]], result) for result in refused]
        assert not some


def put(editor: ApiClient, some: list[Json]) -> list[Json]:
    """The results of a batch, which must not take long."""
    begun = time.thread_time()
    answer = editor.send("POST", "/batch", data=json.dumps(some), headers=JSON)
    assert time.thread_time() - begun < 1, [line["id"] for line in some]
    assert answer.status_code in (200, 207), answer.text
    found: list[Json] = answer.get_json()["results"]
    return found


def lines(schemas: Mapping[str, EntrySchema]) -> Iterator[Json]:
    """An article and an event with each payload, which is HTML in them, and one more with it as text."""
    for number, payload in enumerate(PAYLOADS):
        categories = [f"g-{number // GROUP}", f"p-{number}"]
        for kind in KINDS:
            whole = filled_in(schemas[kind], payload)
            del whole["content_text"]
            yield {
                "action": "put",
                "kind": kind,
                **whole,
                "id": f"{kind}-{number}",
                "categories": categories,
            }
        kind = KINDS[number % 2]
        some = {
            "title": "Tên",
            "content_text": payload,
            **({"start": SOUND["start"]} if number % 2 else {}),
        }
        yield {
            "action": "put",
            "kind": kind,
            **some,
            "id": f"text-{number}",
            "categories": categories,
        }


def filled_in(schema: Any, payload: str) -> Json:
    """A document with the payload as every text in it."""

    def value(field: Any) -> Any:
        if isinstance(field, fields.Nested):
            return filled_in(field.schema, payload)
        if isinstance(field, fields.List):
            return [value(field.inner)]
        return payload if isinstance(field, fields.String) else None

    found = {
        field.data_key or name: value(field)
        for name, field in schema.load_fields.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def mended(document: Json, refused: Json) -> Json:
    """The same with something sound, or nothing, where the pointers of what was refused point to."""
    assert refused["status"] == 422, refused
    for error in refused["errors"]:
        place: Any = document
        *steps, last = (
            int(step) if step.isdigit() else step
            for step in error["pointer"].split("/")[1:]
        )
        for step in steps:
            place = place[step]
        if last in SOUND:
            place[last] = SOUND[str(last)]
        else:
            del place[last]
    return document
