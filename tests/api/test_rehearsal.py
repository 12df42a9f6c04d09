"""A rehearsal stores nothing; conftest.py compares its answers with those of writes."""

from __future__ import annotations

import pytest

from tests.conftest import ApiClient

ARTICLE = {"title": "T", "content_text": "x"}
LIKE_DRY_RUN = (
    "dry-run dryrun dryRun DRY_RUN draft status preview validate test".split()
)


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


@pytest.mark.parametrize(
    "query",
    [
        *(f"{name}=true" for name in LIKE_DRY_RUN),
        *("dry_run", "dry_run=1", "dry_run=false", "dry_run=true&dry_run=true"),
        "dry_run=true&draft=1",
    ],
)
def test_write_that_looks_like_a_rehearsal_is_refused(
    editor: ApiClient, query: str
) -> None:
    path = f"/articles/a?{query}"
    for method in ("PUT", "DELETE"):
        answer = editor.send(method, path, ARTICLE)
        assert answer.status_code == 400
        assert "dry_run=true" in answer.get_json()["detail"]
    assert editor.send("GET", path).status_code == 404
    assert editor.send("PUT", "/articles/a?utm_source=x", ARTICLE).status_code == 201
