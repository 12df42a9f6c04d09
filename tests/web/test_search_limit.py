"""Two searches run at the same time; others wait a second, then they are 503."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from feedsvc import concurrency
from feedsvc.services import get_services
from tests.conftest import ApiClient
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases

CACHED = "/feeds/news.rss?q=san"


@pytest.fixture
def searching_threads(
    app: Flask, editor: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[set[int]]:
    """Let a feed and a list of the API search, until the test ends."""
    monkeypatch.setattr(concurrency, "SEARCH_WAIT_SECONDS", 0.01)
    assert editor.client.get(CACHED).status_code == 200
    threads: set[int] = set()
    is_over = threading.Event()

    def wait_in_search(*arguments: Any) -> None:
        statement = arguments[2]
        if "entry_words" in statement:
            threads.add(threading.get_ident())
            is_over.wait(timeout=10)

    engine = get_services(app).database.engine
    sa.event.listen(engine, "before_cursor_execute", wait_in_search)
    other = ApiClient(app.test_client(), editor.token)
    with ThreadPoolExecutor(2) as pool:
        feed = pool.submit(app.test_client().get, "/feeds/news.rss?q=mot")
        items = pool.submit(other.send, "GET", "/articles?q=hai")
        wait_until(lambda: len(threads) == 2)
        yield threads
        is_over.set()
        assert (feed.result().status_code, items.result().status_code) == (
            200,
            200,
        )


def test_third_search_is_refused_without_retry_after(
    searching_threads: set[int], editor: ApiClient
) -> None:
    for response in (
        editor.client.get("/feeds/events.ics?q=ba"),
        editor.send("GET", "/events?q=ba"),
    ):
        assert response.status_code == 503
        assert "Retry-After" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"
        assert response.get_json(force=True)["detail"].startswith("Too many")
    assert len(searching_threads) == 2


def test_other_reads_go_on_beside_searches(
    searching_threads: set[int], editor: ApiClient
) -> None:
    for path in ("/feeds/news.rss", CACHED, "/"):
        assert editor.client.get(path).status_code == 200
    assert editor.send("GET", "/articles").status_code == 200


def test_searches_make_room_for_others(client: FlaskClient) -> None:
    for number in range(concurrency.MAX_SEARCHES + 1):
        response = client.get(f"/feeds/news.rss?q={number}")
        assert response.status_code == 200
        response = client.get(f"/feeds/news/nowhere.rss?q={number}")
        assert response.status_code == 404
