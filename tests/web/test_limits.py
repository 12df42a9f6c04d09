"""Reads that take long wait for their like alone, also under a server with threads."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from flask import Flask, request
from flask.testing import FlaskClient

from feedsvc import concurrency
from feedsvc.concurrency import (
    CALENDARS,
    EXPORTS,
    READS,
    SEARCHES,
    Work,
    read_work,
)
from feedsvc.services import get_services
from tests.conftest import ApiClient
from tests.waiting import wait_until

CACHED = "/feeds/news.rss?q=san"


class Case(NamedTuple):
    """Reads of a kind: those that run, and those that have no place beside them."""

    work: Work
    running: list[str]
    refused: list[str]


CASES = [
    Case(
        SEARCHES,
        ["/feeds/news.rss?q=mot", "/api/v1/articles?q=hai"],
        ["/feeds/events.ics?q=ba", "/api/v1/events?q=ba", "/feeds/news.html?%71=ba"],
    ),
    Case(
        CALENDARS,
        ["/feeds/events.ics", "/feeds/events.html?period=week"],
        ["/feeds/events/hoi.ics", "/feeds/events.json?period=3"],
    ),
    Case(
        EXPORTS,
        ["/api/v1/changes"],
        ["/api/v1/changes?limit=1", "/api/v1/categories", "/feeds.opml"],
    ),
]


def get(client: FlaskClient, token: str, path: str) -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {token}"})


@contextmanager
def running(app: Flask, token: str, paths: list[str]) -> Iterator[None]:
    """Let reads wait for the database until the block ends; they must succeed."""
    waiting: set[str] = set()
    is_over = threading.Event()

    def wait(*arguments: Any) -> None:
        path = request.full_path.removesuffix("?") if request else ""
        # Authentication comes before.
        is_of_view = "SELECT" in arguments[2] and "FROM tokens" not in arguments[2]
        if path in paths and is_of_view:
            waiting.add(path)
            is_over.wait(timeout=10)

    engine = get_services(app).database.engine
    sa.event.listen(engine, "before_cursor_execute", wait)
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = [pool.submit(get, app.test_client(), token, path) for path in paths]
        wait_until(lambda: waiting == set(paths))
        yield
        is_over.set()
        assert {answer.result().status_code for answer in answers} == {200}
    sa.event.remove(engine, "before_cursor_execute", wait)


@pytest.fixture(autouse=True)
def category(editor: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "THREAD_WAIT_SECONDS", 0.01)
    editor.send("PUT", "/categories/hoi", {"title": "Hội"})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.work.name)
def test_one_more_read_of_a_kind_is_refused(
    app: Flask, editor: ApiClient, case: Case
) -> None:
    with running(app, editor.token, case.running):
        for path in case.refused:
            response = get(editor.client, editor.token, path)
            assert response.status_code == 503, path
            assert response.headers["Cache-Control"] == "no-store"
            message = f"Too many {case.work.name} at the same time. Try again."
            assert response.get_json(force=True)["detail"] == message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.work.name)
def test_retry_after_is_not_stated_to_searches_alone(
    app: Flask, editor: ApiClient, case: Case
) -> None:
    """FreshRSS obeys it for all feeds of the host."""
    with running(app, editor.token, case.running):
        response = get(editor.client, editor.token, case.refused[0])
    assert ("Retry-After" in response.headers) == (case.work is not SEARCHES)


def test_browser_is_refused_with_a_page(app: Flask, editor: ApiClient) -> None:
    browser = {"Accept": "text/html"}
    with running(app, editor.token, CASES[0].running):
        response = editor.client.get("/feeds/news.html?q=ba", headers=browser)
    assert response.status_code == 503
    assert response.mimetype == "text/html"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.work.name)
def test_other_reads_go_on(app: Flask, editor: ApiClient, case: Case) -> None:
    assert editor.client.get(CACHED).status_code == 200
    others = [each.refused[0] for each in CASES if each is not case]
    with running(app, editor.token, case.running):
        for path in ("/feeds/news.rss", "/", "/api/v1/articles", *others, CACHED):
            assert get(editor.client, editor.token, path).status_code == 200, path


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/news.rss?q={}",
        "/feeds/news/nowhere.rss?q={}",
        "/feeds/events.ics?limit={}",
        "/feeds/events/nowhere.ics?limit={}",
        "/api/v1/changes?after=0&limit={}",
        "/api/v1/changes?after=-{}",
    ],
)
def test_reads_give_their_places_back(client: FlaskClient, path: str) -> None:
    for number in range(1, SEARCHES.places + 2):
        assert client.get(path.format(number)).status_code != 503


@pytest.mark.parametrize(
    ("path", "query", "work"),
    [
        ("/feeds/news.rss", "", READS),
        ("/feeds/news.rss", "limit=5", READS),
        ("/feeds/news.rss", "q=", READS),
        ("/feeds/news.rss", "limit=5&q=a", SEARCHES),
        ("/feeds/news.rss", "%71=a", SEARCHES),
        ("/feeds/events.ics", "q=a", SEARCHES),
        ("/api/v1/events", "q=a", SEARCHES),
        ("/feeds/events.ics", "", CALENDARS),
        ("/feeds/events/a,-b.ics", "lang=vi", CALENDARS),
        ("/feeds/events.html", "period=weekend", CALENDARS),
        ("/feeds/events.rss", "from=2026-12-24", CALENDARS),
        ("/feeds/events.json", "to=2026-12-24", CALENDARS),
        ("/feeds/events.html", "when=past", READS),
        ("/entries/a.ics", "", READS),
        ("/entries/a", "period=week", READS),
        ("/feeds.opml", "lang=vi", EXPORTS),
        ("/api/v1/changes", "after=7", EXPORTS),
        ("/api/v1/categories", "", EXPORTS),
        ("/api/v1/categories/a", "", READS),
        ("/", "", READS),
    ],
)
def test_work_of_a_read_follows_from_its_url(path: str, query: str, work: Work) -> None:
    assert read_work(path, query) == work
