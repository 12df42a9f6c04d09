"""A token appears in no response, command or table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from feedsvc.models import SCOPES, utcnow
from feedsvc.storage.database import Database
from tests.server import Service

ARTICLE = {"title": "Một", "content_text": "Nội dung"}
PATH = "/api/v1/articles/a"


def requests_with(
    token: str,
) -> Iterator[tuple[int, str, str, Any, dict[str, str]]]:
    """Yield requests: expected status, method, target, a document and headers.

    They have the token in the header Authorization, where it is to be. Errors may quote
    other parts of a request to its sender.
    """
    yield 201, "PUT", PATH, ARTICLE, {}
    yield 200, "GET", PATH, None, {}
    item = {"action": "put", "kind": "news", "id": "b", "title": ""}
    yield 207, "POST", "/api/v1/batch", [item], {}
    yield 400, "GET", "/api/v1/articles?x=y", None, {}
    for value in (
        f"Basic {token}",
        f"Bearer {token}x",
        f"Bearer {token[:-1]}_",
    ):
        yield 401, "PUT", PATH, ARTICLE, {"Authorization": value}
    yield 404, "GET", "/api/v1/articles/none", None, {}
    yield 404, "GET", "/entries/none", None, {"Accept": "text/html"}
    yield 405, "POST", PATH, ARTICLE, {}
    yield 412, "PUT", PATH, ARTICLE, {"If-Match": '"0"'}
    yield 415, "PUT", PATH, ARTICLE, {"Content-Type": "text/plain"}
    yield 422, "PUT", PATH, {**ARTICLE, "status": "x"}, {}
    for path in (
        "/feeds/news.rss",
        "/",
        "/entries/a",
        "/api/v1/changes",
        "/readyz",
    ):
        yield 200, "GET", path, None, {}


@pytest.mark.both_databases
def test_token_appears_in_no_output(
    service: Service, database_url: str
) -> None:
    token = service.make_token(*SCOPES)
    texts: dict[str, str] = {}
    for status, method, target, document, headers in requests_with(token):
        response: requests.Response = service.request(
            method, target, document, headers=headers
        )
        assert response.status_code == status, (target, response.text)
        texts[f"{method} {target} {headers}"] = (
            f"{response.headers} {response.text}"
        )
    texts["token list"] = service.command("token", "list")
    database = Database(database_url, utcnow)
    with database.engine.connect() as connection:
        for name in sa.inspect(connection).get_table_names():
            statement = sa.text(f'SELECT * FROM "{name}"')
            texts[f"table {name}"] = str(connection.execute(statement).all())
    database.close()
    assert "test" in texts["token list"]
    assert "test" in texts["table tokens"]
    assert [name for name, text in texts.items() if token[4:] in text] == []
