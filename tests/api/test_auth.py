"""Limits: how often a token may write, and an address guess; the log of writes."""

import logging

import pytest

from tests.conftest import ApiClient, MakeApp
from tests.data import read_tables
from tests.data.fixtures import make_client


@pytest.mark.unrehearsed
def test_writes_over_token_rate_are_429(make_app: MakeApp) -> None:
    app = make_app(rate_writes="2/minute")
    editor, other = (make_client(app, name=name) for name in ("lan", "nam"))
    for query in ("", "?dry_run=true"):
        editor.put(f"/articles/1{query}", {"title": "x"})
    refused = editor.send("PUT", "/articles/2", {"title": "x"})
    assert refused.status_code == 429
    assert refused.get_json()["title"] == "Too Many Requests"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    # Reading goes on.
    assert editor.send("GET", "/articles/2").status_code == 404
    other.put("/articles/2", {"title": "x"})


@pytest.mark.unrehearsed
def test_writes_without_the_scope_count_towards_the_rate(
    make_app: MakeApp,
) -> None:
    editor = make_client(make_app(rate_writes="2/minute"), ["events:write"])
    statuses = [
        editor.send("PUT", "/articles/a", {"title": "x"}).status_code for _ in range(3)
    ]
    assert statuses == [403, 403, 429]


def test_failed_authentications_over_address_rate_are_429(
    make_app: MakeApp,
) -> None:
    good = make_client(make_app())
    bad = ApiClient(good.client, "fsv_" + "0" * 36)
    statuses = [bad.send("GET", "/articles").status_code for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    # A client without a token does not guess, and nobody else is locked out.
    assert good.client.get("/api/v1/articles").status_code == 401
    good.headers["Authorization"] = f"bearer  {good.token}"
    assert good.send("GET", "/articles").status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    read_tables("api")["proxies"],
)
def test_client_address_comes_from_trusted_proxies(
    make_app: MakeApp, proxies: int, forwarded: str, expected: int
) -> None:
    client = make_app(trusted_proxies=proxies).test_client()
    for number in range(6):
        headers = {
            "Authorization": "Bearer fsv_x",
            "X-Forwarded-For": forwarded.format(number),
        }
        response = client.get("/api/v1/articles", headers=headers)
    assert response.status_code == expected


def test_every_write_is_logged_with_its_token(
    editor: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "feedsvc")
    editor.put("/articles/a", {"title": "x"})
    editor.put("/articles/a", {"title": "x"})
    editor.put("/articles/a", {"title": "y"})
    editor.send("DELETE", "/articles/a")
    assert caplog.messages == [
        "put news/a version 1 by editor",
        "put news/a version 2 by editor",
        "delete news/a version 3 by editor",
    ]
