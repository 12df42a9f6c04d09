"""Fixtures of WebSub: a hub, and pings of hubs in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from flask import Flask

from feedsvc.models import utcnow
from feedsvc.services import get_services
from feedsvc.websub import pings
from tests.fake_clock import Clock
from tests.websub.fake_hub import FakeHub, run_hub

PUBLIC = "https://feeds.example"


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
def clock() -> Clock:
    return RunningClock()


@pytest.fixture
def editor_template() -> bool:
    """Add the editor by requests: a copied one may be younger than the clock."""
    return False


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with run_hub() as running:
        yield running


@contextmanager
def run_pings(app: Flask) -> Iterator[None]:
    """Ping the hubs of an application's settings."""
    stop = threading.Event()
    services = get_services(app)
    hubs = services.storage.hubs
    hubs.configure(services.config.hubs)
    work = pings.ping_hubs(hubs, PUBLIC, stop.is_set)
    thread = threading.Thread(target=asyncio.run, args=(work,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
