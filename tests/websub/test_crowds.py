"""Crowds of callbacks that are slow, hang or lead elsewhere, and slow feeds: ordinary subscribers wait for none."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from aiohttp.abc import AbstractResolver, ResolveResult

from feedsvc.models import SCOPES, utcnow
from feedsvc.services import get_services
from feedsvc.storage import Storage, subscription_limits
from feedsvc.websub.http_client import SafeHttpClient
from feedsvc.websub.worker import DEBOUNCE, MAX_PER_HOST
from tests.conftest import ApiClient, MakeApp, RecordMeasurement
from tests.fake_clock import HANOI, Clock
from tests.server import Service
from tests.websub.conftest import asking, deliver, delivering, until
from tests.websub.hostile import Crowd, addresses, crowd
from tests.websub.subscriber import Subscriber

NEWS = "/feeds/news.rss"
SIZE = pytest.mark.parametrize("hosts", [5, pytest.param(25, marks=pytest.mark.soak)])
"""Addresses of the crowd, with twenty callbacks each."""


@pytest.fixture
def hostile() -> Iterator[Crowd]:
    with crowd() as running:
        yield running


@pytest.fixture
def serving(database_url: str) -> Iterator[Service]:
    service = Service(
        database_url,
        FEEDSVC_ALLOW_PRIVATE_CALLBACKS="true",
        FEEDSVC_RATE_HUB="1000000/minute",
    )
    service.start()
    service.make_token(*SCOPES)
    yield service
    service.stop()


def ask(service: Service, callback: str) -> None:
    form = {
        "hub.mode": "subscribe",
        "hub.topic": service.url + NEWS,
        "hub.callback": callback,
    }
    answer = requests.post(
        f"{service.url}/hub", data=form, timeout=30, headers={"Connection": "close"}
    )
    assert answer.status_code == 202, answer.text


def ask_all(service: Service, hostile: Crowd, kind: str, hosts: int) -> int:
    """Subscribe a crowd; returns its size."""
    callbacks = [
        hostile.url(f"/{kind}/{n}", host)
        for host in addresses(hosts)
        for n in range(20)
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda callback: ask(service, callback), callbacks))
    return len(callbacks)


def subscribed(service: Service) -> float:
    """How many subscriptions there are."""
    storage = Storage(service.environ["FEEDSVC_DATABASE_URL"], utcnow, HANOI)
    count = storage.subscriptions.stats()["subscriptions"]
    storage._database.close()
    return count


def put(service: Service, title: str) -> float:
    assert service.request("PUT", "/api/v1/articles/a", {"title": title}).ok
    return time.monotonic()


@pytest.mark.both_databases
@SIZE
def test_slow_callbacks_delay_no_ordinary_one(
    serving: Service,
    hostile: Crowd,
    subscriber: Subscriber,
    hosts: int,
    record_measurement: RecordMeasurement,
) -> None:
    with deliver(serving):
        size = ask_all(serving, hostile, "slow", hosts)
        ask(serving, subscriber.url("/a"))
        until(lambda: subscribed(serving) == size + 1, 60)
        late = []
        for number in range(1, 4):
            since = put(serving, f"Tin {number}")
            late.append(
                subscriber.got("/a", count=number, within=9)[number - 1].at - since
            )
            time.sleep(
                DEBOUNCE.total_seconds()
            )  # writes that follow closer are one change
            assert hostile.answered == 0, "before the crowd has answered"
    assert max(hostile.most_active.values()) <= MAX_PER_HOST
    record_measurement(
        f"a write until the ordinary one has it beside {size} slow callbacks",
        f"{max(late):.2f} s",
        "1 s",
    )
    if hosts > 5:
        assert max(late) <= 1


@pytest.mark.both_databases
@SIZE
def test_callbacks_that_hang_delay_no_ordinary_verification(
    serving: Service,
    hostile: Crowd,
    subscriber: Subscriber,
    hosts: int,
    record_measurement: RecordMeasurement,
) -> None:
    with deliver(serving):
        size = ask_all(serving, hostile, "hang", hosts)
        ask(serving, subscriber.url("/a"))
        since = time.monotonic()
        late = subscriber.got("/a", "GET", within=9)[0].at - since
    record_measurement(
        f"a request until the ordinary one is asked beside {size} that hang",
        f"{late:.2f} s",
        "1 s",
    )
    assert max(hostile.most_active.values()) <= MAX_PER_HOST
    if hosts > 5:
        assert late <= 1


class Names(AbstractResolver):
    """A name server that leads each host to an address of its own, until all are led to one."""

    def __init__(self) -> None:
        self.all: str | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        own = f"127.0.1.{int(host.split('.')[0][1:]) + 1}"
        return [
            ResolveResult(
                hostname=host,
                host=self.all or own,
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        pass


def test_an_address_gets_no_more_than_its_share_when_names_are_led_to_it_after_verification(
    make_app: MakeApp,
    editor: ApiClient,
    subscriber: Subscriber,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    monkeypatch.setattr(subscription_limits, "MAX_PER_ADDRESS", 3)
    app, names = make_app(rate_hub="1000/minute"), Names()
    ask = asking(app.test_client())
    paths = [f"/{number}" for number in range(10)]
    with delivering(
        app, SafeHttpClient("test", allow_private=True, resolver=names, timeout=2)
    ):
        for number, path in enumerate(paths):
            ask(NEWS, subscriber.url(path, f"a{number}.site{number}.example"))
        until(lambda: storage.subscriptions.stats()["subscriptions"] == 10)
        editor.put("/articles/a", {"title": "Một"})
        for path in paths:
            subscriber.got(path)
        names.all = "127.0.2.1"
        editor.put("/articles/a", {"title": "Hai"})
        until(lambda: storage.subscriptions.stats()["failing"] == 7)
        assert sum(subscriber.count(path) for path in paths) == 13
        names.all = None
        clock.forward(seconds=15)
        until(lambda: sum(subscriber.count(path) for path in paths) == 20)
        until(lambda: storage.subscriptions.stats()["failing"] == 0)


def test_a_feed_that_is_slow_to_render_holds_up_no_other(
    make_app: MakeApp,
    editor: ApiClient,
    subscriber: Subscriber,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, slow = make_app(), "/feeds/news/giao-thong,van-hoa.rss"
    feeds, free = get_services(app).feeds, threading.Event()
    render, work = feeds.pushed, [lambda: time.sleep(0.6)]

    def pushed(path: str) -> tuple[str, object]:
        if path == slow:
            work[0]()
        return render(path)

    monkeypatch.setattr(feeds, "pushed", pushed)
    ask = asking(app.test_client())
    with delivering(app):
        ask(NEWS, subscriber.url("/a"))
        ask(slow, subscriber.url("/slow"))
        until(lambda: storage.subscriptions.stats()["subscriptions"] == 2)
        assert storage.deliveries.render_seconds(slow) >= 0.5, (
            "known from the first time on"
        )
        work[0] = lambda: free.wait(30)  # type: ignore[assignment]
        for number in range(1, 4):
            editor.put(
                "/articles/a", {"title": f"Tin {number}", "categories": ["van-hoa"]}
            )
            until(lambda n=number: f"Tin {n}" in subscriber.got("/a")[-1].body.decode())  # type: ignore[misc]
        assert subscriber.count("/slow") == 0
        free.set()
        until(lambda: "Tin 3" in subscriber.got("/slow")[-1].body.decode())


def test_feeds_are_delivered_where_none_can_be_kept(
    make_app: MakeApp, editor: ApiClient, subscriber: Subscriber, storage: Storage
) -> None:
    app = make_app(cache_entries=0, cache_bytes=0)
    ask = asking(app.test_client())
    with delivering(app):
        ask(NEWS, subscriber.url("/a"))
        until(lambda: storage.subscriptions.stats()["subscriptions"] == 1)
        editor.put("/articles/a", {"title": "Một"})
        assert "Một" in subscriber.got("/a")[0].body.decode()
        until(lambda: storage.subscriptions.stats()["pending"] == 0)
