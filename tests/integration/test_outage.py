"""PostgreSQL stops, crashes and comes back: 503 until then, and nothing that was answered 2xx is lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from feedsvc.errors import Unavailable
from feedsvc.models import SCOPES, Entry
from feedsvc.storage import Storage
from tests.conftest import ApiClient, RecordMeasurement
from tests.integration.test_kill import WRITERS, Writer
from tests.postgres import Cluster, throw_away
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.postgresql


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster that no other test works with."""
    with throw_away() as running:
        yield running


def test_stopped_postgresql_is_503_and_needs_no_restart(
    cluster: Cluster, storage: Storage, client: FlaskClient, editor: ApiClient
) -> None:
    def outage() -> None:
        with storage.writer("test") as writer:
            writer.entries.put(Entry("lost", "news", "Mất", "vi"))
            cluster.stop()

    editor.put("/articles/a", {"title": "Một"})
    with pytest.raises(Unavailable):
        outage()
    answers = [
        client.get(path) for path in ("/feeds/news.rss", "/", "/entries/a", "/readyz")
    ]
    answers += [
        editor.send("PUT", "/articles/a", {"title": "Hai"}),
        editor.send("GET", "/articles/a"),
    ]
    for answer in answers:
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/healthz").status_code == 200
    cluster.start()
    assert client.get("/readyz").status_code == 200
    assert client.get("/entries/lost").status_code == 404, (
        "what did not end is not there"
    )
    assert editor.put("/articles/a", {"title": "Hai"}).status_code == 200
    cluster.stop()
    cluster.start()
    assert client.get("/entries/a").status_code == 200, (
        "nobody met an ended connection of the pool"
    )


@pytest.mark.bar
def test_crash_of_postgresql_loses_no_write(
    cluster: Cluster,
    service: Service,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    service.make_token(*SCOPES)
    writers = [Writer(service, f"w{number}") for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(0.7)
    wait_until(lambda: all(writer.acknowledged for writer in writers), 60)
    cluster.stop(signal.SIGQUIT)
    wait_until(lambda: all(writer.failures for writer in writers), 60)
    cluster.start()
    promised, begun = [writer.acknowledged for writer in writers], time.monotonic()
    while not all(
        writer.acknowledged > old for writer, old in zip(writers, promised, strict=True)
    ):
        end = begun + 5 * time_factor
        assert time.monotonic() < end, "writes are not answered again"
        time.sleep(0.02)
    record_measurement(
        "from PostgreSQL's restart to writes",
        f"{time.monotonic() - begun:.2f} s",
        "5 s",
    )
    for writer in writers:
        writer.stopping = True
    for writer in writers:
        writer.join()
        assert set(writer.failures) == {503}
        stored = int(
            service.request("GET", f"/api/v1/articles/{writer.id}").json()["title"]
        )
        assert writer.acknowledged <= stored <= writer.sent
