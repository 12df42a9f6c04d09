"""Slow and hanging callbacks, redirected resolver and slow feeds delay no other delivery."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from flask import Flask

from feedsvc.services import get_services
from feedsvc.storage import Storage, subscription_limits
from feedsvc.storage.deliveries import RunningCalls
from feedsvc.websub.http_client import SafeHttpClient
from feedsvc.websub.worker import DEBOUNCE, MAX_PER_HOST
from feedsvc.websub_types import DeliveryResult, SubscribedFeed
from tests.conftest import ApiClient, MakeApp, RecordMeasurement
from tests.fake_clock import Clock
from tests.server import Service
from tests.waiting import wait_until
from tests.websub.conftest import (
    SEVERAL_POLLS,
    run_deliver,
    run_worker,
    send_to_hub,
    store_subscriptions,
)
from tests.websub.slow_server import SlowServer, run_slow_server
from tests.websub.subscriber import Subscriber

NEWS = "/feeds/news.rss"
COUNT = pytest.mark.parametrize("hosts", [5, pytest.param(25, marks=pytest.mark.soak)])
"""Hosts of slow callbacks, with twenty each."""


@pytest.fixture
def slow_server() -> Iterator[SlowServer]:
    with run_slow_server() as running:
        yield running


@COUNT
def test_slow_callbacks_delay_no_other_delivery(
    app: Flask,
    editor: ApiClient,
    slow_server: SlowServer,
    subscriber: Subscriber,
    deliver_service: Service,
    hosts: int,
    record_measurement: RecordMeasurement,
) -> None:
    urls = slow_server.urls("slow", hosts)
    store_subscriptions(app, {NEWS: [*urls, subscriber.url("/a")]})
    late = []
    # Killed, since otherwise it waits for the slow callbacks.
    with run_deliver(deliver_service, signal.SIGKILL):
        for number in range(1, 4):
            editor.put("/articles/a", {"title": f"Tin {number}"})
            since = time.monotonic()
            delivery = subscriber.got("/a", count=number, within=9)[number - 1]
            late.append(delivery.at - since)
            time.sleep(DEBOUNCE.total_seconds())
            assert slow_server.responses == 0
    assert max(slow_server.max_active.values()) <= MAX_PER_HOST
    record_measurement(
        f"a write until the ordinary one has it beside {len(urls)} slow callbacks",
        f"{max(late):.2f} s",
        "1 s",
    )
    if hosts > 5:
        assert max(late) <= 1


@COUNT
def test_many_hanging_callbacks_delay_no_other_verification(
    make_app: MakeApp,
    slow_server: SlowServer,
    subscriber: Subscriber,
    deliver_service: Service,
    hosts: int,
    record_measurement: RecordMeasurement,
) -> None:
    ask = send_to_hub(make_app(rate_hub="1000000/minute").test_client())
    urls = slow_server.urls("hang", hosts)
    with run_deliver(deliver_service, signal.SIGKILL):
        for url in urls:
            assert ask(NEWS, url).status_code == 202
        ask(NEWS, subscriber.url("/a"))
        since = time.monotonic()
        late = subscriber.got("/a", "GET", within=9)[0].at - since
    record_measurement(
        f"a request until the ordinary one is asked beside {len(urls)} that hang",
        f"{late:.2f} s",
        "1 s",
    )
    assert max(slow_server.max_active.values()) <= MAX_PER_HOST
    if hosts > 5:
        assert late <= 1


def test_limit_per_host_counts_fast_and_slow_callbacks_together(
    app: Flask, editor: ApiClient, storage: Storage, slow_server: SlowServer
) -> None:
    host = "127.0.0.2"
    urls = [f"http://{host}:{slow_server.port}/hang/{number}" for number in range(30)]
    store_subscriptions(app, {NEWS: urls})
    feed = SubscribedFeed(NEWS, "older", 10, frozenset(), None)
    storage.deliveries.update_feed(feed)
    deliveries = storage.deliveries.claim_deliveries(30, RunningCalls({}, 30))
    storage.deliveries.record_results(
        [
            DeliveryResult(delivery, "older", address=host, seconds=number % 2 * 5)
            for number, delivery in enumerate(deliveries)
        ]
    )
    assert len(deliveries) == 30
    with run_worker(app):
        for number in range(10):
            editor.put(f"/articles/{number}", {"title": "Tin"})
        wait_until(lambda: slow_server.max_active[host] >= MAX_PER_HOST)
        time.sleep(SEVERAL_POLLS)
        assert slow_server.max_active[host] == MAX_PER_HOST


class FakeResolver(AbstractResolver):
    """Resolve each host to an address of its own, or all to one."""

    def __init__(self) -> None:
        self.common_address: str | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        own = f"127.0.1.{int(host.split('.')[0][1:]) + 1}"
        return [
            ResolveResult(
                hostname=host,
                host=self.common_address or own,
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        pass


def test_address_limit_holds_after_names_are_redirected(
    make_app: MakeApp,
    editor: ApiClient,
    subscriber: Subscriber,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    monkeypatch.setattr(subscription_limits, "MAX_PER_ADDRESS", 3)
    app, resolver = make_app(rate_hub="1000/minute"), FakeResolver()
    ask = send_to_hub(app.test_client())
    paths = [f"/{number}" for number in range(10)]
    with run_worker(
        app, SafeHttpClient("test", allow_private=True, resolver=resolver, timeout=2)
    ):
        for number, path in enumerate(paths):
            ask(NEWS, subscriber.url(path, f"a{number}.site{number}.example"))
        wait_until(lambda: storage.subscriptions.stats()["subscriptions"] == 10)
        editor.put("/articles/a", {"title": "Một"})
        for path in paths:
            subscriber.got(path)
        resolver.common_address = "127.0.2.1"
        editor.put("/articles/a", {"title": "Hai"})
        wait_until(lambda: storage.subscriptions.stats()["failing"] == 7)
        # Or the claims of the others would run out when the clock is put forward.
        wait_until(lambda: storage.subscriptions.stats()["pending"] == 7)
        assert sum(subscriber.count(path) for path in paths) == 13
        resolver.common_address = None
        clock.forward(seconds=15)
        wait_until(lambda: sum(subscriber.count(path) for path in paths) == 20)
        wait_until(lambda: storage.subscriptions.stats()["failing"] == 0)


def test_slow_feed_delays_no_other_feed(
    make_app: MakeApp,
    editor: ApiClient,
    subscriber: Subscriber,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, slow = make_app(), "/feeds/news/giao-thong,van-hoa.rss"
    feeds, free = get_services(app).feeds, threading.Event()
    render, work = feeds.get_topic, [lambda: time.sleep(0.6)]

    def get_topic(path: str) -> tuple[str, object]:
        if path == slow:
            work[0]()
        return render(path)

    monkeypatch.setattr(feeds, "get_topic", get_topic)
    ask = send_to_hub(app.test_client())
    with run_worker(app):
        ask(NEWS, subscriber.url("/a"))
        ask(slow, subscriber.url("/slow"))
        wait_until(lambda: storage.subscriptions.stats()["subscriptions"] == 2)
        assert storage.deliveries.render_seconds(slow) >= 0.5, (
            "known from the first time on"
        )
        work[0] = lambda: free.wait(30)  # type: ignore[assignment]
        for number in range(1, 4):
            editor.put(
                "/articles/a", {"title": f"Tin {number}", "categories": ["van-hoa"]}
            )
            subscriber.wait_for("/a", f"Tin {number}")
        assert subscriber.count("/slow") == 0
        free.set()
        subscriber.wait_for("/slow", "Tin 3")


def test_delivery_works_without_cache(
    make_app: MakeApp, editor: ApiClient, subscriber: Subscriber, storage: Storage
) -> None:
    app = make_app(cache_entries=0, cache_bytes=0)
    ask = send_to_hub(app.test_client())
    with run_worker(app):
        ask(NEWS, subscriber.url("/a"))
        wait_until(lambda: storage.subscriptions.stats()["subscriptions"] == 1)
        editor.put("/articles/a", {"title": "Một"})
        assert "Một" in subscriber.got("/a")[0].body.decode()
        wait_until(lambda: storage.subscriptions.stats()["pending"] == 0)
