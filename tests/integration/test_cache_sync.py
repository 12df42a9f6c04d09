"""The response caches of two workers: when a write is seen, and what needs no database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.integration.worker_process import WorkerConnection, connect_workers
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
def workers(seeded_service: Service) -> Iterator[list[WorkerConnection]]:
    with connect_workers(seeded_service) as made:
        yield made


@pytest.mark.bar
def test_write_is_seen_at_once_by_its_worker_and_within_a_second_by_the_other(
    workers: list[WorkerConnection],
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    here, there = workers
    delays = []
    for turn in range(3):
        for line in (here, there):
            assert line.request("GET", FEED).status == 200
        title = f"Lần {turn}"
        assert (
            here.request(
                "PUT", "/api/v1/articles/one", {"title": title, "categories": ["a"]}
            ).status
            == 200
        )
        stored = time.monotonic()
        for path in (FEED, "/feeds/news/a.json", "/entries/one"):
            assert title in here.request("GET", path).body.decode(), path
        while title not in there.request("GET", FEED).body.decode():
            assert time.monotonic() < stored + time_factor
        delays.append(time.monotonic() - stored)
        for path in (FEED, "/feeds/news/a.json", "/entries/one"):
            assert title in there.request("GET", path).body.decode(), (
                "a check is of all feeds"
            )
        here, there = there, here
    record_measurement(
        "from a write to the other worker's feed", f"{max(delays):.2f} s", "1 s"
    )


@pytest.mark.sqlite
def test_cached_feed_is_answered_when_the_database_file_is_gone(
    workers: list[WorkerConnection], tmp_path: Path
) -> None:
    before = [line.request("GET", FEED).body for line in workers]
    (tmp_path / "feedsvc.db").rename(tmp_path / "away.db")
    for line, body in zip(workers, before, strict=True):
        assert line.request("GET", "/readyz").status == 503
        assert line.request("GET", FEED).body == body


@pytest.mark.bar
@pytest.mark.postgresql
def test_cached_feeds_need_no_database(
    cluster: Cluster,
    workers: list[WorkerConnection],
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    known = [line.request("GET", FEED) for line in workers]
    cluster.stop()
    time.sleep(1)  # at least two checks of the change log fail meanwhile
    for line, first in zip(workers, known, strict=True):
        begun = time.monotonic()
        assert line.request("GET", FEED).body == first.body
        assert (
            line.request("GET", FEED, If_None_Match=first.headers["etag"]).status == 304
        )
        assert time.monotonic() - begun < 2, "a connection would be tried for 3 s"
        assert line.request("GET", "/readyz").status == 503
        assert line.request("GET", "/feeds/news/b.json").status == 503, (
            "what is not cached cannot be rendered"
        )
    cluster.start()
    assert (
        workers[0].request("PUT", "/api/v1/articles/two", {"title": "Hai"}).status
        == 201
    )
    assert "Hai" in workers[0].request("GET", FEED).body.decode()
    written = time.monotonic()
    while "Hai" not in workers[1].request("GET", FEED).body.decode():
        assert time.monotonic() < written + time_factor
    record_measurement(
        "from a write after an outage to the other worker's feed",
        f"{time.monotonic() - written:.2f} s",
        "1 s",
    )
    assert workers[1].request("GET", "/readyz").status == 200
