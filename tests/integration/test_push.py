"""`make run`: who subscribes is told by the one `deliver` beside the server, which ends with it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from flask import Flask
from flask_websub import subscriber as websub
from flask_websub.subscriber import (
    SQLite3SubscriberStorage,
    SQLite3TempSubscriberStorage,
)
from werkzeug.serving import make_server

from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.server import Service
from tests.waiting import wait_until
from tests.websub.subscriber import Subscriber, run_subscriber

ALLOWED = {
    "FEEDSVC_ALLOW_PRIVATE_CALLBACKS": "true",
    "FEEDSVC_RATE_HUB": "100000/minute",
}


@pytest.fixture
def running(database_url: str) -> Iterator[Service]:
    service = Service(database_url, **ALLOWED)
    service.is_forked = False
    service.start(settings="server.dev_conf")
    service.make_token(*SCOPES)
    yield service
    if service.process and service.process.poll() is None:
        service.stop()


def delivery_workers(service: Service) -> list[int]:
    """Return the processes that deliver for a service, whoever their parent is."""
    setting = f"PORT={service.port}".encode()
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            arguments = (path / "cmdline").read_bytes().split(b"\0")
            environ = (path / "environ").read_bytes().split(b"\0")
            if b"deliver" in arguments and setting in environ:
                pids.append(int(path.name))
    return pids


def subscribe(service: Service, callback: str) -> None:
    form = {
        "hub.mode": "subscribe",
        "hub.topic": f"{service.url}/feeds/news.rss",
        "hub.callback": callback,
    }
    assert requests.post(f"{service.url}/hub", data=form, timeout=5).status_code == 202


@pytest.mark.bar
def test_make_run_delivers_within_a_second_and_stops_both(
    running: Service, record_measurement: RecordMeasurement, time_factor: int
) -> None:
    with run_subscriber() as subscriber:
        subscribe(running, subscriber.url("/a"))
        subscriber.got("/a", "GET", within=10)
        time.sleep(0.3)
        late = [delay_of_delivery(running, subscriber, number) for number in range(5)]
    record_measurement(
        "from a write to the subscriber, of `make run`", f"{max(late):.2f} s", "1 s"
    )
    assert max(late) <= time_factor, late
    assert len(delivery_workers(running)) == 1
    running.stop()
    assert delivery_workers(running) == []


def delay_of_delivery(service: Service, subscriber: Subscriber, number: int) -> float:
    """Return the seconds from the answer to a write to its arrival at the subscriber."""
    time.sleep(0.9)
    title = f"Tin số {number}"
    assert service.request("PUT", "/api/v1/articles/a", {"title": title}).ok
    answered = time.monotonic()
    sent = subscriber.got("/a", count=number + 1)[number]
    assert title in sent.body.decode()
    return sent.at - answered


def test_deliver_ends_when_the_server_is_killed(running: Service) -> None:
    assert running.process
    wait_until(lambda: len(delivery_workers(running)) == 1)
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    wait_until(lambda: delivery_workers(running) == [])


def test_make_serve_starts_no_deliver(service: Service) -> None:
    assert delivery_workers(service) == []


def test_subscriber_of_another_library_gets_changes(
    running: Service, tmp_path: Path
) -> None:
    """Flask-WebSub finds the hub by itself, subscribes, is told, renews and unsubscribes."""
    app, told, done = Flask(__name__), [], []
    storages = (
        SQLite3SubscriberStorage(str(tmp_path / "a")),
        SQLite3TempSubscriberStorage(str(tmp_path / "b")),
    )
    theirs = websub.Subscriber(*storages, REQUEST_TIMEOUT=1)
    app.register_blueprint(theirs.build_blueprint(url_prefix="/callbacks"))
    theirs.add_listener(lambda topic, callback, body: told.append((topic, body)))
    theirs.add_success_handler(lambda topic, callback, mode: done.append(mode))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    app.config["SERVER_NAME"] = f"127.0.0.1:{server.port}"
    threading.Thread(target=server.serve_forever).start()
    try:
        found = websub.discover(f"{running.url}/feeds/news.rss?utm_source=x")
        assert found == {
            "hub_url": f"{running.url}/hub",
            "topic_url": f"{running.url}/feeds/news.rss",
        }
        with app.app_context():
            callback = theirs.subscribe(**found)
            wait_until(lambda: done == ["subscribe"])
            theirs.renew(callback)
            wait_until(lambda: done == ["subscribe"] * 2)
            time.sleep(0.3)
            running.request("PUT", "/api/v1/articles/a", {"title": "Một"})
            wait_until(lambda: told)
            time.sleep(1)  # until when the other worker knows as well
            assert told == [
                (found["topic_url"], running.request("GET", "/feeds/news.rss").content)
            ]
            theirs.unsubscribe(callback)
            wait_until(lambda: done[-1] == "unsubscribe")
    finally:
        server.shutdown()
        server.server_close()
