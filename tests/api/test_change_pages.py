"""Pages of `/api/v1/changes` are bounded in bytes, and polls that find nothing load nothing."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.api import changes
from feedsvc.api.changes import PAGE_BYTES, SHORT_PAGE_BYTES
from feedsvc.storage import Storage
from tests.conftest import ApiClient

pytestmark = pytest.mark.both_databases

PATH = "/api/v1/changes?limit=1000"
LARGE = "chữ " * 150_000
"""900 kB of plain text: sanitizing as much HTML would take most of the time."""


def fill(editor: ApiClient, count: int, content: str = LARGE) -> None:
    for number in range(count):
        editor.put(
            f"/articles/n{number}", {"title": f"Bài {number}", "content_text": content}
        )


def follow(client: FlaskClient) -> tuple[list[str], list[int]]:
    """Read page after page; return the ids and the length of each page."""
    ids: list[str] = []
    lengths: list[int] = []
    after = 0
    while True:
        response = client.get(f"{PATH}&after={after}")
        page = response.get_json()
        if not page["changes"]:
            return ids, lengths
        ids += [change["id"] for change in page["changes"] if change["kind"] == "news"]
        lengths.append(len(response.data))
        after = page["next"]


@contextmanager
def statements(storage: Storage) -> Iterator[list[str]]:
    """List the SQL statements that are executed meanwhile."""
    executed: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        executed.append(statement)

    engine = storage.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield executed
    sa.event.remove(engine, "before_cursor_execute", note)


def test_page_has_at_most_4_mib_and_next_continues_after_it(
    editor: ApiClient, client: FlaskClient
) -> None:
    fill(editor, 6)
    ids, lengths = follow(client)
    assert ids == [f"n{number}" for number in range(6)]
    assert len(lengths) > 1
    assert max(lengths) <= PAGE_BYTES


def test_page_has_at_least_one_entry(
    editor: ApiClient, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "PAGE_BYTES", 100)
    fill(editor, 3, "Thân")
    ids, lengths = follow(client)
    assert ids == ["n0", "n1", "n2"]
    assert len(lengths) == 3


def test_entries_beyond_the_page_are_not_loaded(
    editor: ApiClient, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_bytes = 1024 * 1024
    monkeypatch.setattr(changes, "PAGE_BYTES", page_bytes)
    fill(editor, 24, "chữ " * 50_000)
    client.get("/api/v1/changes?limit=1")
    tracemalloc.start()
    response = client.get(PATH)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(response.data) > page_bytes / 2
    assert peak < 5 * page_bytes


def test_unchanged_page_is_304_without_loading(
    editor: ApiClient, client: FlaskClient, storage: Storage
) -> None:
    fill(editor, 2, "Thân")
    first = client.get(PATH)
    assert first.headers["Cache-Control"] == "no-cache"
    with statements(storage) as executed:
        again = client.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.headers["ETag"] == first.headers["ETag"]
    assert not [statement for statement in executed if "FROM entries" in statement]


@pytest.mark.parametrize(
    "other", ["limit=999", "limit=1000&kind=news", "limit=1000&after=1"]
)
def test_validators_of_different_pages_differ(
    editor: ApiClient, client: FlaskClient, other: str
) -> None:
    fill(editor, 1, "Thân")
    tag = client.get(PATH).headers["ETag"]
    assert client.get(f"/api/v1/changes?{other}").headers["ETag"] != tag


def test_write_changes_the_validator(editor: ApiClient, client: FlaskClient) -> None:
    fill(editor, 1, "Thân")
    tag = client.get(PATH).headers["ETag"]
    assert editor.send("DELETE", "/articles/n0").status_code == 204
    assert client.get(PATH, headers={"If-None-Match": tag}).status_code == 200


def test_poll_that_finds_nothing_loads_no_entry(
    editor: ApiClient, client: FlaskClient, storage: Storage
) -> None:
    fill(editor, 2, "Thân")
    last = client.get(PATH).get_json()["next"]
    with statements(storage) as executed:
        assert client.get(f"/api/v1/changes?after={last}").get_json() == {
            "changes": [],
            "next": last,
        }
    assert not [statement for statement in executed if "content_html" in statement]


def test_unread_responses_hold_little_memory(
    editor: ApiClient, client: FlaskClient
) -> None:
    fill(editor, 16, "chữ " * 60_000)
    unread = [client.get(PATH, buffered=False) for _ in range(6)]
    sizes = sorted(int(response.headers["Content-Length"]) for response in unread)
    assert sizes[-2:] == [sizes[-1]] * 2
    assert sizes[-1] > PAGE_BYTES / 2
    assert max(sizes[:-2]) <= SHORT_PAGE_BYTES + 400_000
    ids, _ = follow(client)
    assert ids == [f"n{number}" for number in range(16)], "short pages lead on"
    short = min(unread, key=lambda response: int(response.headers["Content-Length"]))
    assert (
        client.get(PATH, headers={"If-None-Match": short.headers["ETag"]}).status_code
        == 304
    )
    for response in unread:
        response.close()
    assert len(client.get(PATH).data) == sizes[-1]
