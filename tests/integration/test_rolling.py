"""A rolling restart under load: this version beside one with a newer schema, on one database."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from feedsvc.models import SCOPES
from feedsvc.storage.database import Database
from feedsvc.storage.tables import REVISION
from tests.conftest import RecordMeasurement
from tests.integration.test_instances import responses
from tests.integration.worker_process import connect_workers
from tests.next_version import NEXT_REVISION, make_next_version
from tests.server import Service
from tests.storage.test_migrations import emptied, schema_revision
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def next_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code with one more migration."""
    return make_next_version(tmp_path_factory.mktemp("next") / "version")


class Balancer:
    """Gives each request to the next instance, never a second time, and lets one go when it is done there."""

    def __init__(self, *instances: Service) -> None:
        self._instances, self._busy = list(instances), dict.fromkeys(instances, 0)
        self._changed = threading.Condition()

    @contextmanager
    def next(self) -> Iterator[Service]:
        """The instance whose turn it is."""
        with self._changed:
            found = self._instances.pop(0)
            self._instances.append(found)
            self._busy[found] += 1
        try:
            yield found
        finally:
            with self._changed:
                self._busy[found] -= 1
                self._changed.notify_all()

    def replace(self, old: Service, new: Service) -> None:
        """Take one in, and the other out; it has answered all that it was asked."""
        with self._changed:
            self._busy[new] = 0
            self._instances.append(new)
            self._instances.remove(old)
            assert self._changed.wait_for(lambda: not self._busy[old], 10)


class Client(threading.Thread):
    """Writes its own entry, or reads, again and again, and notes whatever is no success."""

    def __init__(self, balancer: Balancer, number: int) -> None:
        super().__init__()
        self.balancer, self.path, self.writes = (
            balancer,
            f"/api/v1/articles/w{number}",
            number % 2 == 0,
        )
        self.done, self.failures, self.stopping = 0, list[str](), False

    def run(self) -> None:
        while not self.stopping:
            with self.balancer.next() as service:
                try:
                    if self.writes:
                        answer = service.request(
                            "PUT", self.path, {"title": str(self.done + 1)}
                        )
                    else:
                        path = ("/feeds/news.rss", "/feeds/events.ics")[self.done % 2]
                        answer = service.request("GET", path)
                    self.done += answer.ok
                    self.failures += (
                        [] if answer.ok else [f"{answer.status_code} {answer.text}"]
                    )
                except requests.RequestException as error:
                    self.failures.append(repr(error))
            # The service that starts beside it needs the processor too.
            time.sleep(0.15)


@contextmanager
def load(balancer: Balancer) -> Iterator[tuple[Balancer, list[Client]]]:
    """Clients at work."""
    clients = [Client(balancer, number) for number in range(4)]
    for client in clients:
        client.start()
    try:
        yield balancer, clients
    finally:
        for client in clients:
            client.stopping = True
        for client in clients:
            client.join()


def write_across(writer: Service, reader: Service, seconds: int) -> None:
    """A new entry of one instance is in the other's feed within some seconds."""
    id = f"{writer.port}-{reader.port}"
    for kind in ("articles", "events"):
        document = {"title": f"Tin {id}", "categories": ["giao-thong"]}
        document |= {"start": "2100-01-01T19:00:00"} if kind == "events" else {}
        assert (
            writer.request("PUT", f"/api/v1/{kind}/{kind}-{id}", document).status_code
            == 201
        )
    end = time.monotonic() + seconds
    while any(
        id not in reader.request("GET", f"/feeds/{kind}.rss").text
        for kind in ("news", "events")
    ):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert reader.request("DELETE", f"/api/v1/events/events-{id}").status_code == 204


@pytest.fixture
def versions(
    database_url: str, next_version: Path
) -> Iterator[tuple[list[Service], list[Service]]]:
    """Two instances of this version, and two of the next one; none is started."""
    with emptied(database_url):
        pass
    made = [
        Service(
            database_url,
            FEEDSVC_PUBLIC_URL="https://feeds.example",
            WEB_CONCURRENCY="1",
        )
        for _ in range(4)
    ]
    for service in made[2:]:
        service.root = next_version
    token = made[0].make_token(*SCOPES)
    for service in made:
        service.token = token
    yield made[:2], made[2:]
    for service in made:
        service.stop()


@pytest.mark.bar
@pytest.mark.both_databases
def test_rolling_upgrade_fails_no_request(
    database_url: str,
    versions: tuple[list[Service], list[Service]],
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    old, new = versions
    for service in old:
        service.start()
    assert schema_revision(database_url) == REVISION
    assert (
        old[0]
        .request("PUT", "/api/v1/categories/giao-thong", {"title": "Giao thông"})
        .ok
    )
    write_across(old[0], old[1], time_factor)
    with load(Balancer(*old)) as (balancer, clients):
        wait_until(lambda: min(client.done for client in clients) > 2, 60)
        for before, after in zip(old, new, strict=True):
            after.start()  # the first one migrates
            assert schema_revision(database_url) == NEXT_REVISION
            write_across(before, after, time_factor)
            write_across(after, before, time_factor)
            balancer.replace(before, after)
            before.stop()
        done = [client.done for client in clients]
        wait_until(
            lambda: all(
                client.done > before
                for client, before in zip(clients, done, strict=True)
            ),
            60,
        )
    assert [failure for client in clients for failure in client.failures] == []
    record_measurement(
        "failed requests while versions change",
        f"0 of {sum(one.done for one in clients)}",
        "0",
    )
    time.sleep(1)
    assert responses(new[0]) == responses(new[1])
    for client in clients[::2]:
        assert new[0].request("GET", client.path).json()["title"] == str(client.done), (
            "a write is lost"
        )


def test_instance_continues_on_a_newer_schema(
    service: Service, database_url: str
) -> None:
    """Its workers are replaced as ever, and it is ready, while it waits for its turn."""
    service.make_token(*SCOPES)
    with connect_workers(service) as workers:
        for worker in workers:  # a first worker would refuse to start
            assert worker.request("GET", "/readyz").status == 200
    database = Database(database_url)
    with database.write() as connection:
        for statement in (
            "UPDATE alembic_version SET version_num = '9999'",
            "ALTER TABLE entries ADD COLUMN later VARCHAR",
            "CREATE TABLE laters (id INTEGER PRIMARY KEY)",
        ):
            connection.exec_driver_sql(statement)
    database.close()
    first = service.workers()
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(service.workers()) - set(first)) == 2, 60)
    assert (
        service.request("PUT", "/api/v1/articles/a", {"title": "Một"}).status_code
        == 201
    )
    assert "Một" in service.request("GET", "/feeds/news.rss").text
    assert service.request("GET", "/readyz").ok
