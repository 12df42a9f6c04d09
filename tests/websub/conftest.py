"""Fixtures of WebSub: a hub with a delivery worker in a thread or a process."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import Config
from feedsvc.models import utcnow
from feedsvc.services import get_services
from feedsvc.storage import Storage
from feedsvc.storage.deliveries import RunningCalls
from feedsvc.websub import worker as websub_worker
from feedsvc.websub.delivery import WebSubClient
from feedsvc.websub.http_client import SafeHttpClient
from feedsvc.websub.worker import DeliveryWorker
from feedsvc.websub_types import PendingVerification, SubscribedFeed
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.server import ROOT, Service
from tests.waiting import wait_until
from tests.websub.subscriber import Received, Subscriber, run_subscriber

PUBLIC = "https://feeds.example"

SEVERAL_POLLS = 0.3
"""Seconds in which a worker would have made a call that must not happen."""


class RunningClock(Clock):
    """A clock that runs, and can be put forward."""

    def __init__(self) -> None:
        super().__init__()
        self._offset = timedelta()

    def __call__(self) -> datetime:
        return utcnow() + self._offset

    def forward(self, **duration: float) -> None:
        self._offset += timedelta(**duration)


@pytest.fixture
def config(config: Config) -> Config:
    """Allow callbacks on this machine."""
    return replace(config, allow_private_callbacks=True)


@pytest.fixture
def clock() -> Clock:
    return RunningClock()


@pytest.fixture
def editor_template() -> bool:
    """Add the editor by requests: a copied one may be younger than the clock."""
    return False


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with run_subscriber() as running:
        yield running


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers in this process poll often; tests of the intervals set them back."""
    monkeypatch.setattr(websub_worker, "POLL_INTERVAL", 0.02)
    monkeypatch.setattr(websub_worker, "SHUTDOWN_GRACE", 0.2)
    monkeypatch.setattr(websub_worker, "DEBOUNCE", timedelta(seconds=0.1))


@contextmanager
def run_worker(app: Flask, http: SafeHttpClient | None = None) -> Iterator[None]:
    """Run a delivery worker in a thread."""
    stop = threading.Event()
    services = get_services(app)
    services.storage.hubs.configure(services.config.hubs)
    http = http or SafeHttpClient("test", allow_private=True, timeout=2)
    worker = DeliveryWorker(
        services.storage, services.feeds, WebSubClient(http, PUBLIC)
    )
    thread = threading.Thread(target=lambda: asyncio.run(worker.run(stop.is_set)))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def worker(app: Flask) -> Iterator[None]:
    with run_worker(app):
        yield


SendToHub = Callable[..., TestResponse]
"""Send a form to the hub: a topic by its path, and further `hub.` parameters."""


def send_to_hub(client: FlaskClient) -> SendToHub:
    def send(
        topic: str, callback: str, mode: str = "subscribe", **parameters: Any
    ) -> TestResponse:
        form = {"hub.mode": mode, "hub.topic": PUBLIC + topic, "hub.callback": callback}
        form |= {f"hub.{name}": value for name, value in parameters.items()}
        return client.post("/hub", data=form)

    return send


@pytest.fixture
def ask(client: FlaskClient) -> SendToHub:
    return send_to_hub(client)


Subscribe = Callable[..., str]


@pytest.fixture
def subscribe(ask: SendToHub, storage: Storage, subscriber: Subscriber) -> Subscribe:
    """Subscribe a callback to a topic, and wait until it is verified."""

    def run(topic: str, path: str, host: str = "127.0.0.1", **parameters: Any) -> str:
        callback = subscriber.url(path, host)
        response = ask(topic, callback, **parameters)
        assert response.status_code == 202, response.text
        wait_until(
            lambda: callback in [row.callback for row in storage.subscriptions.list()]
        )
        return path

    return run


def store_subscriptions(app: Flask, callbacks: Mapping[str, list[str]]) -> None:
    """Store verified subscriptions: callbacks by feed, each on a host of its own."""
    services = get_services(app)
    subscriptions = services.storage.subscriptions
    idle = RunningCalls({}, 1000)
    for path, urls in callbacks.items():
        _, response = services.feeds.get_topic(path)
        version = response.version
        feed = SubscribedFeed(
            path, response.etag, version.seq, version.feed_keys, response.expires_at
        )
        for start in range(0, len(urls), 100):
            for url in urls[start : start + 100]:
                host = url.split("/")[2].split(":")[0]
                subscriptions.request(
                    PendingVerification(
                        path, path, url, host, host, "subscribe", lease=86400
                    )
                )
            for request in subscriptions.claim_requests(100, idle):
                subscriptions.subscribe(request, feed)


def put(
    editor: ApiClient, title: str = "Một", id: str = "a", category: str = "van-hoa"
) -> None:
    editor.put(f"/articles/{id}", {"title": title, "categories": [category]})


def is_signed(delivery: Received, secret: str) -> bool:
    method, _, signature = delivery.headers["X-Hub-Signature"].partition("=")
    digest = hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()
    return method == "sha256" and signature == digest


@pytest.fixture
def deliver_service(database_url: str) -> Service:
    """Return the settings for `run_deliver` beside the app of this process."""
    return Service(
        database_url,
        FEEDSVC_PUBLIC_URL=PUBLIC,
        FEEDSVC_SITE_URL="https://portal.example",
        FEEDSVC_ALLOW_PRIVATE_CALLBACKS="true",
    )


@contextmanager
def run_deliver(
    service: Service, ending: signal.Signals = signal.SIGTERM
) -> Iterator[int]:
    """Run `deliver` in a process, and yield its id."""
    command = [sys.executable, "-m", "feedsvc", "deliver"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=service.environ, stderr=subprocess.DEVNULL
    )
    try:
        yield process.pid
    finally:
        process.send_signal(ending)
        # By the signal itself where the process has just started.
        assert process.wait(60) in (0, -ending)
