"""A token is nowhere but where it was sent from: no answer, log, command, export or table has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from feedsvc.models import SCOPES
from feedsvc.storage.database import Database
from tests.server import Service

COMMANDS = (
    "token list",
    "token list --json",
    "export -",
)
ARTICLE = {"title": "Một", "content_text": "Nội dung"}
BREAKS = "from wsgi import app\n@app.get('/broken')\ndef broken():\n    from flask import request\n    raise RuntimeError(request.headers['Authorization'])\n"
"""An app that puts it into a traceback."""


def answers(service: Service, token: str) -> Iterator[tuple[int, requests.Response]]:
    """With the status expected: what is answered to whom sends the token where it belongs, and elsewhere too."""
    path, plain = "/api/v1/articles/a", {"Content-Type": "application/json"}

    def ask(
        method: str, path: str, document: Any = None, **given: Any
    ) -> requests.Response:
        return service.request(method, path, document, **given)

    def forged(authorization: str) -> requests.Response:
        return ask("PUT", path, ARTICLE, headers={"Authorization": authorization})

    yield 201, ask("PUT", path, ARTICLE)
    yield 201, ask("POST", "/api/v1/articles", {"title": "Hai"})
    yield 200, ask("GET", path)
    yield (
        207,
        ask(
            "POST",
            "/api/v1/batch",
            [{"action": "put", "kind": "news", "id": "b", "title": ""}],
        ),
    )
    yield 400, ask("PUT", path, data=b"{", headers=plain)
    yield 400, ask("GET", f"/api/v1/articles?{token}={token}")
    yield 401, forged(f"Basic {token}")
    yield 401, forged(f"Bearer {token}x")
    yield 401, forged(f"Bearer {token[:-1]}_")
    yield 404, ask("GET", f"/api/v1/articles/{token}")
    yield (
        404,
        ask(
            "GET",
            f"/entries/{token}",
            headers={"Accept": "text/html", "Referer": token},
        ),
    )
    yield 404, ask("GET", f"/feeds/{token}.rss", headers={"User-Agent": token})
    yield 405, ask("POST", path, ARTICLE)
    yield 412, ask("PUT", path, ARTICLE, headers={"If-Match": f'"{token}"'})
    yield 413, ask("PUT", path, data=b" " * (9 << 20), headers=plain)
    yield 415, ask("PUT", path, data=b"a=b", headers={"Content-Type": token})
    yield 422, ask("PUT", path, {**ARTICLE, "status": token})
    yield 422, ask("PUT", path, {**ARTICLE, token: token})
    yield 500, ask("GET", "/broken", headers={"Accept": "text/html"})
    yield 500, ask("GET", "/broken")
    for feed in ("news.rss", "news.atom", "news.json", "news.html"):
        yield 200, ask("GET", f"/feeds/{feed}")
    for public in (
        "/",
        "/entries/a",
        "/api/v1/changes",
        "/api/openapi.json",
        "/api/docs",
        "/readyz",
    ):
        yield 200, ask("GET", public)


def test_token_appears_in_no_output(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "breaks.py").write_text(BREAKS)
    service = Service(database_url, PYTHONPATH=str(tmp_path))
    token = service.make_token(*SCOPES)
    told: dict[str, str] = {}
    service.start(tmp_path / "log", "breaks:app")
    try:
        for number, (status, answer) in enumerate(answers(service, token)):
            assert answer.status_code == status, (answer.url, answer.text)
            told[f"{number}: {status}"] = f"{answer.headers} {answer.text}"
    finally:
        service.stop()
    del service.environ["PYTHONPATH"]
    told["the log"] = (tmp_path / "log").read_text()
    for words in COMMANDS:
        told[words] = service.command(*words.split())
    database = Database(database_url)
    with database.read() as connection:
        for name in sa.inspect(connection).get_table_names():
            told[f"table {name}"] = str(
                connection.execute(sa.text(f'SELECT * FROM "{name}"')).all()
            )
    database.close()
    assert "fsv_…" in told["the log"]
    assert "RuntimeError" in told["the log"]
    assert "test" in told["token list"]
    assert "test" in told["table tokens"]
    assert [
        what for what, text in told.items() if token in text or token[4:] in text
    ] == []
