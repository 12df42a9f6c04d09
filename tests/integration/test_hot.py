"""Two workers that keep answers: a write is seen at once by the one that took it, within a second by the other."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.models import SCOPES
from feedsvc.storage import Storage
from tests.conftest import ApiClient, RecordMeasurement
from tests.integration.worker_process import Line, lines
from tests.postgres import Cluster, throw_away
from tests.server import Service

pytestmark = pytest.mark.both_databases

FEED = "/feeds/news.json"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster that no other test works with."""
    with throw_away() as running:
        yield running


@pytest.fixture
def seeded_service(service: Service) -> Service:
    service.make_token(*SCOPES)
    for slug in ("a", "b"):
        assert service.request("PUT", f"/api/v1/categories/{slug}", {"title": slug}).ok
    assert service.request(
        "PUT", "/api/v1/articles/one", {"title": "Một", "categories": ["a"]}
    ).ok
    return service


@pytest.fixture
def workers(seeded_service: Service) -> Iterator[list[Line]]:
    with lines(seeded_service) as made:
        yield made


def test_a_write_is_seen_at_once_here_and_within_a_second_there(
    workers: list[Line],
) -> None:
    here, there = workers
    for turn in range(8):
        for line in (here, there):
            assert line.ask("GET", FEED).status == 200
        title = f"Lần {turn}"
        written = time.monotonic()
        assert (
            here.ask(
                "PUT", "/api/v1/articles/one", {"title": title, "categories": ["a"]}
            ).status
            == 200
        )
        stored = time.monotonic()
        for path in (FEED, "/feeds/news/a.json", "/entries/one"):
            assert title in here.ask("GET", path).body.decode(), path
        while title not in there.ask("GET", FEED).body.decode():
            assert time.monotonic() < stored + 1
        assert time.monotonic() - written < 6
        for path in (FEED, "/feeds/news/a.json", "/entries/one"):
            assert title in there.ask("GET", path).body.decode(), (
                "a look is of all topics"
            )
        here, there = there, here


@pytest.mark.sqlite
def test_hot_and_cold_answers_differ_in_nothing(workers: list[Line]) -> None:
    """HEAD and every validator and coding are answered by the hot way as they are by Flask."""
    time.sleep(2.2)  # Last-Modified has settled
    line = workers[0]
    for path in (
        "/feeds/news.rss",
        "/feeds/news/a,b.atom?limit=5",
        "/entries/one",
        "/",
        "/feeds.opml",
    ):
        for coding in ("identity", "gzip", "br", "zstd"):
            for method in ("HEAD", "GET"):
                asked = {"Accept_Encoding": coding, "X_Request_ID": "same"}
                cold = line.ask(
                    method,
                    f"{path}{'&' if '?' in path else '?'}x={coding}{method}",
                    **asked,
                )
                hot = line.ask(method, path, **asked)
                assert (cold.status, cold.body) == (hot.status, hot.body)
                assert {**cold.headers, "date": ""} == {**hot.headers, "date": ""}
                assert hot.status == 200
                assert method == "GET" or not hot.body
                known = line.ask(
                    method, path, **asked, If_None_Match=hot.headers["etag"]
                )
                assert (known.status, known.body) == (304, b"")


@pytest.mark.sqlite
def test_a_database_that_is_taken_away(workers: list[Line], tmp_path: Path) -> None:
    before = [line.ask("GET", FEED).body for line in workers]
    (tmp_path / "feedsvc.db").rename(tmp_path / "away.db")
    for line, body in zip(workers, before, strict=True):
        assert line.ask("GET", "/readyz").status == 503
        assert line.ask("GET", FEED).body == body


@pytest.mark.postgresql
def test_hot_answers_need_no_database(cluster: Cluster, workers: list[Line]) -> None:
    known = [line.ask("GET", FEED) for line in workers]
    cluster.stop()
    time.sleep(1.2)  # looks fail meanwhile
    for line, first in zip(workers, known, strict=True):
        begun = time.monotonic()
        assert line.ask("GET", FEED).body == first.body
        assert line.ask("GET", FEED, If_None_Match=first.headers["etag"]).status == 304
        assert time.monotonic() - begun < 0.5
        assert line.ask("GET", "/readyz").status == 503
        assert line.ask("GET", "/feeds/news/b.json").status == 503, (
            "what is cold cannot be made"
        )
    cluster.start()
    assert workers[0].ask("PUT", "/api/v1/articles/two", {"title": "Hai"}).status == 201
    assert "Hai" in workers[0].ask("GET", FEED).body.decode()
    time.sleep(1)
    assert "Hai" in workers[1].ask("GET", FEED).body.decode()
    assert workers[1].ask("GET", "/readyz").status == 200


@pytest.mark.sqlite
@pytest.mark.parametrize("count", [1000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_random_query_strings_are_one_render(
    client: FlaskClient,
    editor: ApiClient,
    storage: Storage,
    count: int,
    record_measurement: RecordMeasurement,
) -> None:
    editor.put("/articles/a", {"title": "Một"})
    statements: list[str] = []
    sa.event.listen(
        storage._database.engine,
        "before_cursor_execute",
        lambda *given: statements.append(given[2]),
    )
    chance = random.Random(1)
    for number in range(count):
        name = "".join(chance.choices("abxyz=&%1;+", k=12))
        assert client.get(f"/feeds/news.rss?{name}").status_code == 200
        if number % 20:
            continue
        assert client.get(
            f"/feeds/news/{name[:5].replace('%', '')}x.rss"
        ).status_code in (301, 400, 404)
    rendered = [
        statement for statement in statements if "entries.content_html" in statement
    ]
    record_measurement(
        f"renders of one feed for {count:,} random query strings",
        f"{len(rendered)}",
        "1",
    )
    assert len(rendered) == 1
