"""Deleted text is erased from SQLite's files."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import ApiClient
from tests.server import Service

SECRETS = ("geheimtitel", "geheimtext", "geheimautor", "geheimort")
EVENT = {
    "title": SECRETS[0],
    # Longer than a page, so that it is in pages of its own.
    "content_text": f"{SECRETS[1]} " * 1000,
    "authors": [{"name": SECRETS[2]}],
    "location": {"name": SECRETS[3]},
    "start": "2032-01-01",
}


def stored_secrets(folder: Path) -> set[str]:
    """Return the secrets that the files of the database have, with its log."""
    content = b"".join(path.read_bytes() for path in folder.glob("feedsvc.db*"))
    return {secret for secret in SECRETS if secret.encode() in content}


def test_deleted_text_is_in_no_file(editor: ApiClient, tmp_path: Path) -> None:
    editor.put("/events/e", EVENT)
    editor.put("/events/e", {**EVENT, "start": "2032-01-02"})
    assert stored_secrets(tmp_path) == set(SECRETS)
    assert editor.send("DELETE", "/events/e").status_code == 204
    assert stored_secrets(tmp_path) == set()


def test_text_deleted_by_a_batch_is_in_no_file(
    editor: ApiClient, tmp_path: Path
) -> None:
    editor.put("/events/e", EVENT)
    item = {"action": "delete", "kind": "events", "id": "e"}
    assert editor.send("POST", "/batch", [item]).status_code == 200
    assert stored_secrets(tmp_path) == set()


def test_deleted_text_is_in_no_file_of_a_running_service(
    service: Service, tmp_path: Path
) -> None:
    service.make_token("events:write")
    assert service.request("PUT", "/api/v1/events/e", EVENT).ok
    assert stored_secrets(tmp_path) == set(SECRETS)
    assert service.request("DELETE", "/api/v1/events/e").ok
    assert stored_secrets(tmp_path) == set()
