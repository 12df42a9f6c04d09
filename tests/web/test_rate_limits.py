"""Counters of rates are cheap, and are removed."""

from __future__ import annotations

import threading
import time

import pytest

from feedsvc.http import rate_limits
from tests.waiting import wait_until


def test_counting_starts_no_thread_for_each_action(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def record(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", record)
    limiter = rate_limits.RateLimiter("1000/minute", workers=1)
    for number in range(50):
        limiter.hit(f"key {number}")
        time.sleep(0.001)
    assert len(started) <= 2


def test_expired_counters_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "EXPIRY_INTERVAL", 0.01)
    storage = rate_limits.RateStorage()
    storage.acquire_entry("first", limit=1, expiry=0)

    def is_removed() -> bool:
        storage.acquire_entry("second", limit=1, expiry=0)
        return "first" not in storage.events or not storage.events["first"]

    wait_until(is_removed)
