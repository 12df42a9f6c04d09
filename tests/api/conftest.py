"""Each write of these tests is rehearsed before: it answers alike, and stores nothing."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from werkzeug.test import TestResponse

from feedsvc.services import get_services
from feedsvc.storage.tables import Base
from tests.conftest import ApiClient

OF_A_WRITE = ("put ", "delete ", "rename ")
"""The beginnings of log lines."""

send = ApiClient.send


@pytest.fixture(autouse=True)
def rehearse_writes(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Let clients of the API rehearse each write, unless a test counts requests."""
    if request.node.get_closest_marker("unrehearsed"):
        return

    def rehearse(
        editor: ApiClient,
        method: str,
        path: str,
        document: Any = None,
        **kwargs: Any,
    ) -> TestResponse:
        is_main = threading.current_thread() is threading.main_thread()
        if method == "GET" or "?" in path or not is_main:
            return send(editor, method, path, document, **kwargs)
        before = stored(editor)
        first_line = len(caplog.messages)
        query = f"{path}?dry_run=true"
        rehearsal = send(editor, method, query, document, **kwargs)
        assert stored(editor) == before
        lines = caplog.messages[first_line:]
        assert not [line for line in lines if line.startswith(OF_A_WRITE)]
        del caplog.records[first_line:]
        assert not {"ETag", "Location"} & {*rehearsal.headers.keys()}
        assert "preview_url" not in rehearsal.text
        answer = send(editor, method, path, document, **kwargs)
        assert rehearsal.status_code == answer.status_code
        assert comparable(rehearsal) == comparable(answer)
        return answer

    monkeypatch.setattr(ApiClient, "send", rehearse)


def stored(editor: ApiClient) -> dict[str, Any]:
    """Return all rows but for contents and words, which change with the entries."""
    with get_services(editor.client.application).database.read() as session:
        connection = session.connection()
        return {
            name: connection.execute(table.select()).all()
            for name, table in Base.metadata.tables.items()
            if name not in ("entry_contents", "entry_words")
        }


def comparable(answer: TestResponse) -> Any:
    """Return the body of a response without what the service makes anew each time."""
    document = answer.get_json() if answer.data else None
    if not isinstance(document, dict):
        return document
    is_new = answer.status_code == 201
    made = {"id", "guid", "url"} if is_new else set()
    names = document.keys() - made - {"preview_url"}
    return {name: document[name] for name in names}
