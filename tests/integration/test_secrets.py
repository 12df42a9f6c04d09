"""A token appears in no response, command or table."""

from itertools import product

import pytest
import sqlalchemy as sa
from flask import Flask

from feedsvc.storage.database import Database
from tests.commands import run
from tests.conftest import ApiClient

TARGETS = """
/api/v1/articles/a /api/v1/articles?x=y /api/v1/articles/none /api/v1/batch /api/v1/changes
/entries/a /entries/none /feeds/news.rss / /readyz
""".split()


@pytest.mark.both_databases
def test_token_appears_in_no_output(
    app: Flask, editor: ApiClient, database: Database
) -> None:
    """Errors may quote other parts of a request than Authorization to its sender."""
    token = editor.token
    sent = f"Bearer {token}"
    document = {"title": "Một", "content_text": "Nội dung"}
    editor.put("/articles/a", document)
    texts: dict[str, str] = {}
    statuses = set()
    for method, target, headers, body in product(
        ("GET", "PUT", "PATCH", "POST"),
        TARGETS,
        (
            {},
            {"Authorization": f"Basic {token}"},
            {"Authorization": f"{sent}x"},
            {"Authorization": f"{sent[:-1]}_"},
            {"If-Match": '"0"'},
            {"Content-Type": "text/plain"},
        ),
        (document, [{"action": "put", "id": "b", "kind": "news"}]),
    ):
        response = editor.client.open(
            target,
            method=method,
            json=body,
            headers={"Authorization": sent, **headers},
        )
        text = f"{response.headers} {response.text}"
        texts[f"{method} {target} {headers} {body}"] = text
        statuses.add(response.status_code)
    assert statuses >= {200, 207, 400, 401, 404, 405, 412, 415, 422}
    texts["token list"] = run(app, "token", "list")
    with database.engine.connect() as connection:
        for name in sa.inspect(connection).get_table_names():
            rows = connection.execute(sa.text(f'SELECT * FROM "{name}"'))
            texts[f"table {name}"] = str(rows.all())
    assert "editor" in texts["token list"]
    assert "editor" in texts["table tokens"]
    assert [name for name, text in texts.items() if token[4:] in text] == []
