"""Deleted text is erased from SQLite's files."""

from pathlib import Path

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


def test_deleted_text_is_in_no_file(service: Service, tmp_path: Path) -> None:
    item = {"action": "delete", "kind": "events", "id": "e"}
    for method, path, body in (
        ("DELETE", "/api/v1/events/e", None),
        ("POST", "/api/v1/batch", [item]),
    ):
        service.put("/events/e", EVENT)
        changed = {**EVENT, "start": "2032-01-02"}
        service.put("/events/e", changed)
        assert stored_secrets(tmp_path) == set(SECRETS)
        assert service.request(method, path, body).ok
        assert stored_secrets(tmp_path) == set()
