"""A rehearsal stores nothing; conftest.py compares its answers with those of writes."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from feedsvc.api.routes import ROUTES, Route, is_write
from tests.api.conftest import stored
from tests.conftest import ApiClient

ARTICLE = {"title": "T", "content_text": "x"}
NAMES = (
    "check draft dry dryrun noop preview simulate status test validate validateonly "
    "dryRun DRY_RUN DRY-RUN dry-run dry.run dry_run[] dry_run[0] dry_run%5B%5D dry_run+ "
    "%20dry_run dry%E2%80%91run validate_only validateOnly no-op no_op noOp TEST "
).split()

LIKE_DRY_RUN = [
    *(f"?{name}=true" for name in NAMES),
    *("?dry", "?test=", "?check=false", "?x=1&simulate=1", "?dry_run=true&draft=1"),
    *("?dry_run", "?dry_run=1", "?dry_run=false", "?dry_run=True", "?dry_run="),
    *("?dry_run=true&dry_run=true", "?dry_run=true;dry_run=true", "?;dry_run=true"),
    *("?x=1;dry_run=true", "?x;dry_run=true", "?x=1;validate=1", "?x=1;y=2;test"),
]

WRITES = [route for route in ROUTES if is_write(route)]


def send_write(editor: ApiClient, route: Route, suffix: str) -> TestResponse:
    """Send a write that would change something, but for a suffix of its URL."""
    method, path = route.call.split()
    names = {"<id>": route.kind, "<slug>": "van-hoa"}
    for variable, value in names.items():
        path = path.replace(variable, value)
    document: Any = {"title": "New", "content_text": "x"}
    if route.kind == "events":
        document = {"title": "New", "start": "2032-01-01"}
    if "<slug>" in route.call:
        document = {"title": "New"}
    if path == "/batch":
        document = [{"action": "put", "kind": "news", "id": "b", **ARTICLE}]
    body = None if method == "DELETE" else document
    return editor.send(method, path + suffix, body)


@pytest.fixture
def filled(editor: ApiClient) -> ApiClient:
    """Return a client after an article `news` and an event `events` were stored."""
    editor.put("/articles/news", ARTICLE)
    editor.put("/events/events", {"title": "T", "start": "2032-01-01"})
    return editor


def test_item_sees_those_before_it_in_its_hundred(editor: ApiClient) -> None:
    puts = [
        {"action": "put", "kind": "news", "id": f"{number}", **ARTICLE}
        for number in range(101)
    ]
    first = {"action": "delete", "kind": "news", "id": "0"}
    items = [puts[0], first, *puts[1:], first]
    answer = editor.send("POST", "/batch?dry_run=true", items)
    statuses = [result["status"] for result in answer.get_json()["results"]]
    assert statuses == [201, 204, *[201] * 100, 404]
    assert editor.send("GET", "/articles").get_json()["items"] == []


@pytest.mark.parametrize("route", WRITES, ids=lambda route: route.name)
def test_writes_that_look_like_rehearsals_store_nothing(
    filled: ApiClient, route: Route
) -> None:
    before = stored(filled)
    for suffix in LIKE_DRY_RUN:
        answer = send_write(filled, route, suffix)
        assert answer.status_code == 400, suffix
        assert "dry_run=true" in answer.get_json()["detail"]
        assert stored(filled) == before
    assert send_write(filled, route, "?utm_source=x").status_code < 300
    assert stored(filled) != before


@pytest.mark.parametrize("route", WRITES, ids=lambda route: route.name)
@pytest.mark.parametrize("suffix", [";dry_run=true", "&dry_run=true", "/dry_run"])
def test_dry_run_in_the_path_stores_nothing(
    filled: ApiClient, route: Route, suffix: str
) -> None:
    before = stored(filled)
    assert send_write(filled, route, suffix).status_code in (404, 405, 422)
    assert stored(filled) == before


@pytest.mark.parametrize(
    "query",
    [
        "utm_source=x",
        "dryrunner=1",
        "checked=1",
        "latest=1",
        "pretest=1",
        "x=test",
        "x=%3Bdry_run%3Dtrue",
        "x=a;b=c",
        "\N{FULLWIDTH LATIN SMALL LETTER D}ry=1",
        "%FF=1",
        "",
    ],
)
def test_other_parameters_of_writes_are_ignored(editor: ApiClient, query: str) -> None:
    assert editor.send("PUT", f"/articles/a?{query}", ARTICLE).status_code == 201


def test_refusal_names_the_parameters(editor: ApiClient) -> None:
    answer = editor.send("PUT", "/articles/a?dry_run=true&Validate-Only=1", ARTICLE)
    assert answer.get_json()["detail"].startswith("dry_run, Validate-Only: To check ")
