"""A hub with a courier beside it, or a `deliver` of its own, and a subscriber."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from feedsvc.models import utcnow
from feedsvc.services import get_services
from feedsvc.storage import Storage
from feedsvc.websub.delivery import WebSubClient
from feedsvc.websub.http_client import SafeHttpClient
from feedsvc.websub.metrics import DeliveryMetrics
from feedsvc.websub.worker import DeliveryWorker
from tests.fake_clock import Clock
from tests.server import ROOT, Service, free_port
from tests.websub.subscriber import Subscriber, subscribing

PUBLIC = "https://feeds.example"


class Ticking(Clock):
    """Goes on by itself, and can be put forward."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return utcnow() + self._ahead

    def forward(self, **duration: float) -> None:
        self._ahead += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    return Ticking()


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with subscribing() as found:
        yield found


@contextmanager
def delivering(
    app: Flask,
    http: SafeHttpClient | None = None,
    metrics: DeliveryMetrics | None = None,
) -> Iterator[None]:
    """A courier at work, in a thread."""
    stop, services = threading.Event(), get_services(app)
    storage = services.storage
    client = WebSubClient(
        http or SafeHttpClient("test", allow_private=True, timeout=2), PUBLIC
    )
    storage.hubs.configure(services.config.hubs)
    worker = DeliveryWorker(storage, services.feeds, client, metrics)
    thread = threading.Thread(target=lambda: asyncio.run(worker.run(stop.is_set)))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def courier(app: Flask) -> Iterator[None]:
    with delivering(app):
        yield


Ask = Callable[..., TestResponse]
"""Sends a form to the hub: names with `_` for the `.` after `hub`; a topic by its path."""


def asking(client: FlaskClient) -> Ask:
    def ask(
        topic: str, callback: str, mode: str = "subscribe", **more: Any
    ) -> TestResponse:
        form = {"hub.mode": mode, "hub.topic": PUBLIC + topic, "hub.callback": callback}
        return client.post(
            "/hub", data=form | {f"hub.{name}": value for name, value in more.items()}
        )

    return ask


@pytest.fixture
def ask(client: FlaskClient) -> Ask:
    return asking(client)


@pytest.fixture
def subscribe(ask: Ask, storage: Storage, subscriber: Subscriber) -> Callable[..., str]:
    """Subscribe a callback to a topic, and wait until that is so; returns the callback's path."""

    def run(topic: str, path: str, host: str = "127.0.0.1", **more: Any) -> str:
        answer = ask(topic, subscriber.url(path, host), **more)
        assert answer.status_code == 202, answer.text
        until(
            lambda: any(
                one.callback == subscriber.url(path, host)
                for one in storage.subscriptions.list()
            )
        )
        return path

    return run


def until(true: Callable[[], object], within: float = 5) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


@contextmanager
def deliver(
    service: Service, ending: signal.Signals = signal.SIGTERM
) -> Iterator[tuple[int, str]]:
    """A `deliver` of its own, at work, ended by a signal; its process id, and the URL of its metrics."""
    metrics = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "feedsvc", "deliver", "--metrics", metrics]
    process = subprocess.Popen(
        command, cwd=ROOT, env=service.environ, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: told(f"http://{metrics}/metrics"), 20)
        yield process.pid, f"http://{metrics}/metrics"
    finally:
        process.send_signal(ending)
        assert process.wait(10) == (0 if ending == signal.SIGTERM else -ending)


def told(metrics: str) -> dict[str, float]:
    """Prometheus's samples, each under its name with its labels; none where nobody answers yet."""
    try:
        lines = requests.get(metrics, timeout=5).text.splitlines()
    except requests.ConnectionError:
        return {}
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if line[0] != "#"
    }
