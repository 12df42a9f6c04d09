"""Claims of subscriptions, feeds, deliveries and pings in the database."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feedsvc.errors import Forbidden, RateLimited, Unavailable
from feedsvc.storage import Storage, subscription_limits
from feedsvc.storage.deliveries import (
    CLAIM_TIMEOUT,
    SLOW_CALLBACK,
    RunningCalls,
    Speed,
)
from feedsvc.websub_types import (
    Delivery,
    DeliveryResult,
    PendingVerification,
    SubscribedFeed,
)
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.server import ROOT

pytestmark = pytest.mark.both_databases

PATH = "/feeds/news.rss"
DEBOUNCE = timedelta(seconds=1)
IDLE = RunningCalls({}, 20)
FEED = SubscribedFeed(PATH, "v0", 0, frozenset({("news", 0)}), None)


def subscribe(
    storage: Storage, number: int, host: str = "a.example", feed: SubscribedFeed = FEED
) -> None:
    callback = f"https://{host}/{number}"
    storage.subscriptions.request(
        PendingVerification(
            feed.path, feed.path, callback, host, host, "subscribe", None, 3600
        )
    )
    (request,) = storage.subscriptions.claim_requests(10, IDLE)
    storage.subscriptions.subscribe(request, feed)


def change_feed(storage: Storage, etag: str, seq: int = 1) -> None:
    storage.deliveries.update_feed(replace(FEED, etag=etag, seq=seq))


def claim(storage: Storage, limit: int = 50, **busy: int) -> list[Delivery]:
    return storage.deliveries.claim_deliveries(limit, RunningCalls(busy, 20))


def count_pending(storage: Storage) -> float:
    return storage.subscriptions.stats()["pending"]


def test_unreported_delivery_is_claimed_again_after_timeout(
    storage: Storage, clock: Clock
) -> None:
    subscribe(storage, 1)
    subscribe(storage, 2)
    assert claim(storage) == []
    change_feed(storage, "v1")
    first = claim(storage)
    assert len(first) == 2
    assert claim(storage) == []
    storage.deliveries.record_results([DeliveryResult(first[0], etag="v1")])
    clock.now += CLAIM_TIMEOUT
    assert claim(storage) == [first[1]]
    storage.deliveries.record_results(
        [DeliveryResult(first[1], retry_after=timedelta(seconds=60))]
    )
    assert storage.subscriptions.stats()["failing"] == 1
    clock.forward(seconds=59)
    assert claim(storage) == []
    clock.forward(seconds=1)
    (again,) = claim(storage)
    assert again == replace(first[1], failures=1)
    storage.deliveries.record_results([DeliveryResult(again)])
    assert [row.callback for row in storage.subscriptions.list()] == [first[0].callback]


def test_change_during_delivery_is_delivered_too(
    storage: Storage, clock: Clock
) -> None:
    subscribe(storage, 1)
    change_feed(storage, "v1")
    (first,) = claim(storage)
    change_feed(storage, "v2", 2)
    assert claim(storage) == []
    storage.deliveries.record_results([DeliveryResult(first, etag="v1")])
    (second,) = claim(storage)
    assert second.target_etag == "v2"
    change_feed(storage, "v3", 3)
    storage.deliveries.record_results(
        [DeliveryResult(second, etag="v3")]
    )  # rendered after that change
    assert (claim(storage), count_pending(storage)) == ([], 0)


def test_current_subscriber_gets_no_delivery(storage: Storage) -> None:
    subscribe(storage, 1)
    change_feed(storage, "v2", 2)
    (first,) = claim(storage)
    storage.deliveries.record_results([DeliveryResult(first, etag="v2")])
    change_feed(storage, "v2", 3)  # changed without a difference
    change_feed(storage, "v1", 1)  # from a slower worker
    assert (claim(storage), count_pending(storage)) == ([], 0)


def test_claims_are_limited_per_host(storage: Storage) -> None:
    for number in range(30):
        subscribe(storage, number, "a.example")
    subscribe(storage, 1, "b.example")
    change_feed(storage, "v1")
    got = Counter(row.host for row in claim(storage))
    assert got == {"a.example": 20, "b.example": 1}
    assert claim(storage, **{"a.example": 20}) == []
    assert len(claim(storage, **{"a.example": 15})) == 5


@pytest.mark.postgresql
def test_concurrent_changes_and_results_do_not_deadlock(
    storage: Storage,
) -> None:
    for number in range(20):
        subscribe(storage, number, f"{number}.example")
    change_feed(storage, "v1")
    got = claim(storage, 20)
    failed: list[Unavailable] = []

    def work(step: Callable[[int], None]) -> None:
        for number in range(20):
            try:
                step(number)
            except Unavailable as error:
                failed.append(error)

    def report(_: int) -> None:
        storage.deliveries.record_results(
            [DeliveryResult(row, etag="v0") for row in random.sample(got, len(got))]
        )

    steps = [
        report,
        report,
        report,
        lambda number: change_feed(storage, f"v{number + 2}", number + 2),
    ]
    workers = [threading.Thread(target=work, args=(step,)) for step in steps]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failed == []


def test_concurrent_claims_share_no_delivery(storage: Storage) -> None:
    hosts = [f"{number}.example" for number in range(8)]
    for number in range(48):
        subscribe(storage, number, hosts[number % 8])
    change_feed(storage, "v1")
    claims: list[str] = []

    def work() -> None:
        while got := claim(storage, 7):
            claims.extend(row.id for row in got)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claims) == len(set(claims)) == 48


def feeds(
    storage: Storage, after: int, pause: timedelta, limit: int, **more: float
) -> tuple[list[str], int]:
    """Return the paths of the claimed feeds, and the sequence number."""
    claimed, step = storage.deliveries.claim_feeds(after, pause, limit, **more)  # type: ignore[arg-type]
    return [feed.path for feed in claimed], step


def test_changed_feed_is_claimed_by_one_worker(
    storage: Storage, editor: ApiClient, clock: Clock
) -> None:
    seen = feeds(storage, 0, DEBOUNCE, 8)[1]
    subscribe(storage, 1, feed=replace(FEED, seq=seen))
    clock.now += DEBOUNCE
    assert feeds(storage, 0, DEBOUNCE, 8) == ([], seen)
    editor.put("/articles/a", {"title": "Một"})
    assert feeds(storage, seen, DEBOUNCE, 8) == ([PATH], seen)
    assert feeds(storage, seen, DEBOUNCE, 8) == ([], seen), "claimed by another worker"
    clock.now += DEBOUNCE
    assert feeds(storage, seen, DEBOUNCE, 8) == ([PATH], seen), "the claim ran out"
    change_feed(storage, "v1", seen + 1)
    assert feeds(storage, seen, DEBOUNCE, 8) == ([], seen + 1)
    editor.put("/events/b", {"title": "Hội", "start": "2090-01-01"})
    clock.now += DEBOUNCE
    assert feeds(storage, seen + 1, DEBOUNCE, 8) == ([], seen + 2)


def test_feed_is_claimed_when_its_next_change_is_due(
    storage: Storage, clock: Clock
) -> None:
    subscribe(
        storage, 1, feed=replace(FEED, next_change_at=clock.now + timedelta(seconds=60))
    )
    clock.forward(seconds=59)
    assert feeds(storage, 0, DEBOUNCE, 8)[0] == []
    clock.forward(seconds=1)
    assert feeds(storage, 0, DEBOUNCE, 8)[0] == [PATH]


REQUEST = PendingVerification(
    path=PATH,
    topic=PATH,
    callback="https://a.example/x",
    host="a.example",
    domain="a.example",
    mode="subscribe",
    lease=3600,
)


def request_subscription(
    storage: Storage,
    number: int,
    domain: str = "a.example",
    *,
    is_canonical: bool = True,
    **changes: Any,
) -> None:
    """Request a subscription of a host of its own."""
    host = f"{number}.{domain}"
    request = replace(
        REQUEST, callback=f"https://{host}/", host=host, domain=domain, **changes
    )
    storage.subscriptions.request(request, is_canonical=is_canonical)


def test_limits_are_those_of_the_documentation() -> None:
    text = (ROOT / "docs/push.md").read_text("utf-8")
    rows = re.findall(
        r"^\| (?:subscriptions|unverified requests|feeds of .*?) \|(.*)", text, re.M
    )
    limits = subscription_limits
    assert [
        int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", str(rows))
    ] == [
        limits.MAX_PER_HOST,
        limits.MAX_PER_DOMAIN,
        limits.MAX_PER_ADDRESS,
        limits.MAX_SUBSCRIPTIONS,
        limits.MAX_PER_HOST,
        limits.MAX_PENDING_PER_DOMAIN,
        limits.MAX_PENDING,
        limits.MAX_FEEDS_PER_DOMAIN,
        limits.MAX_FEEDS,
    ]


def test_limit_per_host(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_limits, "MAX_PER_HOST", 4)
    for number in range(3):
        subscribe(storage, number)
    storage.subscriptions.request(REQUEST)
    storage.subscriptions.request(REQUEST)
    with pytest.raises(Forbidden, match=r"a\.example has 4"):
        storage.subscriptions.request(replace(REQUEST, callback="https://a.example/y"))
    storage.subscriptions.request(replace(REQUEST, host="b.example"))


def test_limit_per_domain(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_limits, "MAX_PER_DOMAIN", 3)
    for number in range(3):
        request_subscription(storage, number)
    with pytest.raises(Forbidden, match=r"a\.example has 3"):
        request_subscription(storage, 3)
    request_subscription(storage, 2)
    request_subscription(storage, 3, "b.example")


def test_limit_of_all_subscriptions(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(storage, 1)
    subscribe(storage, 2)
    monkeypatch.setattr(subscription_limits, "MAX_SUBSCRIPTIONS", 2)
    with pytest.raises(Forbidden, match="There are 2"):
        request_subscription(storage, 1)
    storage.subscriptions.request(
        replace(REQUEST, callback="https://a.example/1", mode="unsubscribe")
    )


def test_limit_of_unverified_requests_per_domain(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(storage, 1)
    monkeypatch.setattr(subscription_limits, "MAX_PENDING_PER_DOMAIN", 2)
    for number in range(2):
        request_subscription(storage, number)
    with pytest.raises(Forbidden, match="unverified requests"):
        request_subscription(storage, 2)
    with pytest.raises(Forbidden, match="unverified requests"):
        storage.subscriptions.request(
            replace(REQUEST, callback="https://a.example/1", mode="unsubscribe")
        )


def test_failed_request_makes_room_for_new_one(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription_limits, "MAX_PENDING", 2)
    request_subscription(storage, 0, "a.example")
    request_subscription(storage, 0, "b.example")
    with pytest.raises(RateLimited) as refused:
        request_subscription(storage, 0, "c.example")
    assert refused.value.retry_after == 60
    for request in storage.subscriptions.claim_requests(10, IDLE):
        if request.domain == "a.example":
            storage.subscriptions.reschedule(request, timedelta(), 1)
    request_subscription(storage, 0, "c.example")
    with pytest.raises(RateLimited):
        request_subscription(storage, 0, "d.example")
    assert storage.subscriptions.stats()["requests"] == 2
    assert "a.example" not in [
        row.domain for row in storage.subscriptions.claim_requests(10, IDLE)
    ]


def test_limits_of_feeds_of_combinations(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription_limits, "MAX_FEEDS_PER_DOMAIN", 2)
    for path in ("/feeds/news/a,b.rss", "/feeds/news/a,c.rss"):
        request_subscription(storage, 1, path=path, is_canonical=False)
    with pytest.raises(Forbidden, match="to 2 feeds"):
        request_subscription(storage, 1, path="/feeds/news/a,d.rss", is_canonical=False)
    request_subscription(storage, 2, path="/feeds/news/a,b.rss", is_canonical=False)
    request_subscription(storage, 1, path="/feeds/news/d.rss")
    storage.subscriptions.claim_requests(10, IDLE)
    subscribe(
        storage, 1, feed=replace(FEED, path="/feeds/news/a,e.rss", is_canonical=False)
    )
    monkeypatch.setattr(subscription_limits, "MAX_FEEDS", 1)
    with pytest.raises(Forbidden, match="Too many combinations"):
        request_subscription(
            storage, 1, "b.example", path="/feeds/news/a,f.rss", is_canonical=False
        )
    request_subscription(
        storage, 1, "b.example", path="/feeds/news/a,e.rss", is_canonical=False
    )


def test_limit_per_address(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_limits, "MAX_PER_ADDRESS", 2)
    for number in range(3):
        request_subscription(storage, number, f"{number}.example")
    requests = storage.subscriptions.claim_requests(10, IDLE)
    for request in requests:
        storage.subscriptions.subscribe(request, FEED, "8.8.8.8")
    assert storage.subscriptions.stats()["subscriptions"] == 2
    (denied,) = storage.subscriptions.claim_requests(10, IDLE)
    assert (denied.mode, denied.callback) == ("denied", requests[2].callback)
    assert "8.8.8.8 has 2" in denied.reason


def test_unsubscription_of_nothing_is_ignored(storage: Storage) -> None:
    storage.subscriptions.request(replace(REQUEST, mode="unsubscribe"))
    assert storage.subscriptions.stats()["requests"] == 0
    storage.subscriptions.request(REQUEST)
    storage.subscriptions.request(replace(REQUEST, mode="unsubscribe"))
    assert [row.mode for row in storage.subscriptions.claim_requests(10, IDLE)] == [
        "subscribe"
    ]


def test_topic_is_the_url_that_the_subscriber_knows(storage: Storage) -> None:
    former = "/feeds/news/cu.rss"
    storage.subscriptions.request(replace(REQUEST, topic=former))
    storage.subscriptions.request(replace(REQUEST, callback="https://b.example/"))
    requests = storage.subscriptions.claim_requests(10, IDLE)
    assert {request.topic for request in requests} == {former, REQUEST.path}


def test_unverified_request_is_dropped_after_an_hour(
    storage: Storage, clock: Clock
) -> None:
    request_subscription(storage, 1)
    clock.forward(minutes=59)
    request_subscription(storage, 2)
    assert storage.subscriptions.stats()["requests"] == 2
    clock.forward(minutes=2)
    request_subscription(storage, 3, "b.example")
    assert storage.subscriptions.stats()["requests"] == 2, "the next request drops it"
    clock.forward(hours=2)
    storage.subscriptions.purge_expired()
    assert storage.subscriptions.stats()["requests"] == 0


def test_first_request_of_each_domain_comes_first(
    storage: Storage, clock: Clock
) -> None:
    for number in range(20):
        request_subscription(storage, number)
    clock.forward(seconds=1)
    request_subscription(storage, 1, "b.example")
    assert [row.domain for row in storage.subscriptions.claim_requests(3, IDLE)] == [
        "a.example",
        "b.example",
        "a.example",
    ]
    assert (
        storage.subscriptions.claim_requests(3, RunningCalls({"a.example": 20}, 20))
        == []
    )


def test_deliveries_are_claimed_by_speed(storage: Storage, clock: Clock) -> None:
    for number, seconds in enumerate((0.1, 9.5, SLOW_CALLBACK)):
        subscribe(storage, number, f"{number}.example")
        change_feed(storage, f"v{number}", number + 1)
        for row in claim(storage):
            storage.deliveries.record_results(
                [
                    DeliveryResult(
                        row,
                        etag=row.target_etag,
                        address=f"8.8.8.{row.host[0]}",
                        seconds=seconds,
                    )
                ]
            )
    subscribe(storage, 3, "3.example")
    change_feed(storage, "v9", 9)

    def hosts(speed: Speed | None) -> list[str]:
        claimed = storage.deliveries.claim_deliveries(10, IDLE, speed)
        storage.deliveries.release(claimed)
        return [row.host for row in claimed]

    assert hosts("new") == ["3.example"]
    assert hosts("slow") == ["0.example", "1.example"], (
        "0 was slow once and fast only once since"
    )
    assert hosts("fast") == ["2.example"]
    assert hosts(None)[-1] == "3.example"


def test_claims_are_limited_per_address(
    storage: Storage,
) -> None:
    for number in range(30):
        subscribe(storage, number, f"{number}.example")
    change_feed(storage, "v1")
    storage.deliveries.record_results(
        [
            DeliveryResult(row, etag="v1", address="8.8.8.8", seconds=0.1)
            for row in claim(storage)
        ]
    )
    assert storage.deliveries.count_by_address() == {"8.8.8.8": 30}
    change_feed(storage, "v2", 2)
    assert len(claim(storage)) == 20
    assert claim(storage, **{"8.8.8.8": 20}) == []


def test_order_of_claimed_feeds(
    storage: Storage, editor: ApiClient, clock: Clock
) -> None:
    seen = feeds(storage, 0, DEBOUNCE, 8)[1]
    feeds_by_cost = {
        "/slow": (True, 3.0),
        "/slower": (True, 9.0),
        "/b": (False, 0.01),
        "/c": (False, 0.02),
        PATH: (True, 0.1),
    }
    for number, (path, (plain, seconds)) in enumerate(feeds_by_cost.items()):
        subscribe(
            storage,
            number,
            feed=replace(
                FEED, path=path, seq=seen, is_canonical=plain, render_seconds=seconds
            ),
        )
    clock.now += DEBOUNCE
    editor.put("/articles/a", {"title": "Một"})
    assert feeds(storage, seen, DEBOUNCE, 2)[0] == [PATH, "/b", "/slow"]
    assert feeds(storage, seen, DEBOUNCE, 8, slow_limit=0)[0] == ["/c"]
    clock.now += DEBOUNCE
    assert feeds(storage, seen, DEBOUNCE, 8)[0] == [PATH, "/b", "/c", "/slower"], (
        "slow ones are claimed for longer"
    )
    storage.deliveries.update_feed(
        replace(FEED, path="/slow", seq=seen, render_seconds=0.3)
    )
    clock.now += DEBOUNCE
    assert "/slow" in feeds(storage, seen, DEBOUNCE, 8)[0], "rendered meanwhile"


def test_subscriptions_move_with_their_feed(storage: Storage) -> None:
    old, new = (
        replace(FEED, path="/feeds/news/cu.rss"),
        replace(FEED, path="/feeds/news/moi.rss", etag="v5"),
    )
    subscribe(storage, 1, feed=old)
    subscribe(storage, 2, feed=old)
    subscribe(storage, 2, feed=new)
    storage.subscriptions.move_feed(old.path, new)
    moved = claim(storage)
    assert [(row.path, row.callback, row.target_etag) for row in moved] == [
        (new.path, "https://a.example/1", "v5")
    ]
    assert [row.path for row in storage.subscriptions.list()] == [new.path, new.path]
    storage.subscriptions.end_feed(new.path, "Retired.")
    told = {
        row.callback: row.topic
        for row in storage.subscriptions.claim_requests(10, IDLE)
    }
    assert told == {"https://a.example/1": old.path, "https://a.example/2": new.path}, (
        "the topic that they subscribed to"
    )


def test_end_of_a_feed_denies_its_waiting_requests_alone(storage: Storage) -> None:
    for path in (PATH, "/feeds/events.rss"):
        storage.subscriptions.request(replace(REQUEST, path=path, topic=path))
    storage.subscriptions.end_feed(PATH, "Retired.")
    requests = storage.subscriptions.claim_requests(10, IDLE)
    assert {row.path: (row.mode, row.reason) for row in requests} == {
        PATH: ("denied", "Retired."),
        "/feeds/events.rss": ("subscribe", ""),
    }


def test_newer_request_replaces_claimed_one(storage: Storage, clock: Clock) -> None:
    ask = replace(REQUEST, secret="old")
    storage.subscriptions.request(ask)
    (old,) = storage.subscriptions.claim_requests(10, IDLE)
    assert storage.subscriptions.claim_requests(10, IDLE) == []
    clock.forward(seconds=1)
    storage.subscriptions.request(replace(ask, secret="new"))
    storage.subscriptions.subscribe(old, FEED)
    assert list(storage.subscriptions.list()) == []
    (new,) = storage.subscriptions.claim_requests(10, IDLE)
    assert new.secret == "new"
    clock.now += CLAIM_TIMEOUT
    assert storage.subscriptions.claim_requests(10, IDLE)[0].secret == "new", (
        "the claim ran out"
    )


def test_verified_unsubscription_ends_the_subscription(
    storage: Storage, clock: Clock
) -> None:
    subscribe(storage, 1)
    subscribe(storage, 2)
    end = replace(REQUEST, callback="https://a.example/1", mode="unsubscribe")
    storage.subscriptions.request(end)
    (denied,) = storage.subscriptions.claim_requests(10, IDLE)
    storage.subscriptions.close_request(denied)
    assert len(storage.subscriptions.list()) == 2
    storage.subscriptions.request(end)
    (old,) = storage.subscriptions.claim_requests(10, IDLE)
    clock.forward(seconds=1)
    storage.subscriptions.request(end)
    storage.subscriptions.close_request(old, PATH)
    assert len(storage.subscriptions.list()) == 2, "a newer request replaced it"
    (new,) = storage.subscriptions.claim_requests(10, IDLE)
    storage.subscriptions.close_request(new, PATH)
    (left,) = storage.subscriptions.list()
    assert left["callback"] == "https://a.example/2"
    assert storage.subscriptions.stats()["requests"] == 0


def test_failed_request_comes_later_and_last(storage: Storage, clock: Clock) -> None:
    storage.subscriptions.request(REQUEST)
    (asked,) = storage.subscriptions.claim_requests(10, IDLE)
    storage.subscriptions.reschedule(asked, timedelta(seconds=60), 1)
    clock.forward(seconds=59)
    assert storage.subscriptions.claim_requests(10, IDLE) == []
    clock.forward(seconds=1)
    storage.subscriptions.request(replace(REQUEST, callback="https://b.example/"))
    first, second = (storage.subscriptions.claim_requests(1, IDLE)[0] for _ in range(2))
    assert (first.callback, first.failures) == ("https://b.example/", 0)
    assert second == replace(asked, failures=1, next_attempt_at=second.next_attempt_at)
    storage.subscriptions.request(replace(REQUEST, secret="new"))
    storage.subscriptions.reschedule(second, timedelta(days=1), 2)
    assert storage.subscriptions.claim_requests(10, IDLE)[0].secret == "new", (
        "the old request changes nothing"
    )


def test_longest_callback_and_topic(storage: Storage) -> None:
    path = (
        "/feeds/news/"
        + ",".join(f"{number}{'x' * 63}" for number in range(10))
        + ".rss"
    )
    storage.subscriptions.request(
        replace(
            REQUEST,
            path=path,
            topic=path,
            callback="https://a.example/" + "y" * 2030,
            secret="z" * 199,
        )
    )
    (request,) = storage.subscriptions.claim_requests(1, IDLE)
    storage.subscriptions.subscribe(request, replace(FEED, path=path))
    assert len(list(storage.subscriptions.list())) == 1


def test_purge_deletes_expired_subscriptions_and_their_feeds(
    storage: Storage, clock: Clock, editor: ApiClient
) -> None:
    subscribe(storage, 1)
    change_feed(storage, "v1")
    clock.forward(seconds=3600)
    assert claim(storage) == []
    storage.subscriptions.purge_expired()
    assert list(storage.subscriptions.list()) == []
    editor.put("/articles/a", {"title": "Một"})
    assert feeds(storage, 0, DEBOUNCE, 8)[0] == []


def test_duration_of_the_last_rendering(storage: Storage) -> None:
    subscribe(storage, 1, feed=replace(FEED, render_seconds=2.5))
    assert storage.deliveries.render_seconds(PATH) == 2.5
    assert storage.deliveries.render_seconds("/feeds/events.rss") == 0


def test_hub_is_pinged_once_about_changes(
    storage: Storage, editor: ApiClient, clock: Clock
) -> None:
    editor.put("/articles/before", {"title": "Trước"})
    storage.hubs.configure(["https://hub.example/", "https://second.example/"])
    assert storage.hubs.claim_pings() == []
    editor.put("/articles/a", {"title": "Một", "categories": ["van-hoa"]})
    editor.put("/articles/a", {"title": "Hai", "categories": ["van-hoa"]})
    first, second = sorted(storage.hubs.claim_pings(), key=lambda notice: notice.hub)
    assert set(first.changed_topics) == {("news", None), ("news", "van-hoa")}
    assert storage.hubs.claim_pings() == []
    storage.hubs.record_result(first, True, DEBOUNCE)
    storage.hubs.record_result(second, False, DEBOUNCE)
    assert storage.hubs.claim_pings() == []
    clock.now += DEBOUNCE
    (again,) = storage.hubs.claim_pings()
    assert again == replace(second, failures=1, checked_at=clock.now)
    storage.hubs.configure(["https://hub.example/"])
    clock.forward(seconds=600)
    assert storage.hubs.claim_pings() == []


def test_hub_is_pinged_once_about_ended_events(
    storage: Storage, editor: ApiClient, clock: Clock
) -> None:
    editor.put("/categories/hoi-sach", {"title": "Hội sách", "parent": "van-hoa"})
    event = {"title": "Hội", "start": "2026-11-25T12:00:00", "categories": ["hoi-sach"]}
    editor.put("/events/a", event)
    editor.put(
        "/events/draft", {**event, "start": "2026-11-25T12:01:00", "status": "draft"}
    )
    editor.put("/events/b", {**event, "start": "2026-11-25T12:02:00", "categories": []})
    storage.hubs.configure(["https://hub.example/"])
    clock.now = datetime(2026, 11, 25, 5, 0, tzinfo=UTC) - timedelta(microseconds=1)
    assert storage.hubs.claim_pings() == []
    clock.now += timedelta(microseconds=1)
    (ended,) = storage.hubs.claim_pings()
    assert set(ended.changed_topics) == {
        ("events", None),
        ("events", "van-hoa"),
        ("events", "hoi-sach"),
    }
    storage.hubs.record_result(ended, False, DEBOUNCE)
    clock.now += DEBOUNCE
    (again,) = storage.hubs.claim_pings()
    assert again.changed_topics == ended.changed_topics
    storage.hubs.record_result(again, True, DEBOUNCE)
    clock.forward(seconds=90)
    assert storage.hubs.claim_pings() == [], "a draft is not visible"
    clock.forward(seconds=60)
    (last,) = storage.hubs.claim_pings()
    assert last.changed_topics == (("events", None),)
    storage.hubs.record_result(last, True, DEBOUNCE)
    clock.forward(days=1)
    assert storage.hubs.claim_pings() == []
