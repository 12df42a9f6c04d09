"""Deliveries to subscribers (WebSub §7)."""

from __future__ import annotations

import time

import pytest
from flask.testing import FlaskClient

from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.waiting import wait_until
from tests.websub.conftest import (
    PUBLIC,
    SEVERAL_POLLS,
    SendToHub,
    Subscribe,
    is_signed,
    put,
)
from tests.websub.subscriber import Subscriber, echo, status

pytestmark = pytest.mark.usefixtures("worker")
NEWS = "/feeds/news.rss"


def test_delivery_has_body_type_and_links_of_the_feed(
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    client: FlaskClient,
) -> None:
    topics = (
        "/feeds/news.rss",
        "/feeds/news/van-hoa.atom",
        "/feeds/news/giao-thong,van-hoa.json",
        "/feeds/news/giao-thong+van-hoa.rss",
        "/feeds/news/-giao-thong.html",
        "/feeds/news.json?content=summary",
        "/feeds/events.ics",
        "/feeds/events/van-hoa.rss",
    )
    for number, topic in enumerate(topics):
        subscribe(topic, f"/{number}")
    both = {"categories": ["van-hoa", "giao-thong"]}
    editor.put("/articles/a", {"title": "Tin", **both})
    editor.put("/articles/b", {"title": "Tin", "categories": ["van-hoa"]})
    editor.put("/events/c", {"title": "Hội", "start": "2090-01-01", **both})
    for number, topic in enumerate(topics):
        feed = client.get(topic)
        delivery = subscriber.wait_for(f"/{number}", feed.data)
        assert delivery.body == feed.data
        assert delivery.headers["Content-Type"] == feed.headers["Content-Type"]
        links = feed.headers.getlist("Link")
        assert delivery.headers["Link"] == ", ".join(links)
        assert f'<{PUBLIC}{topic}>; rel="self"' in links
        assert f'<{PUBLIC}/hub>; rel="hub"' in links


def test_only_changed_feeds_are_delivered(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient
) -> None:
    subscribe("/feeds/news/van-hoa.rss", "/a")
    subscribe("/feeds/news/giao-thong.rss", "/b")
    subscribe("/feeds/events.rss", "/c")
    draft = {"title": "Nháp", "status": "draft", "categories": ["giao-thong"]}
    editor.put("/articles/draft", draft)
    put(editor)
    subscriber.got("/a")
    put(editor)  # without a difference
    time.sleep(SEVERAL_POLLS)
    assert [subscriber.count(path) for path in ("/a", "/b", "/c")] == [1, 0, 0]


def test_scheduled_entry_is_delivered_when_published(
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    clock: Clock,
) -> None:
    published = clock().replace(microsecond=0)
    subscribe(NEWS, "/a")
    clock.forward(seconds=-60)
    document = {"title": "Hẹn giờ", "date_published": published.isoformat()}
    editor.put("/articles/a", document)
    time.sleep(SEVERAL_POLLS)
    assert subscriber.count("/a") == 0
    clock.forward(seconds=60)
    assert "Hẹn giờ" in subscriber.got("/a")[0].body.decode()


def test_410_ends_subscription(
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
) -> None:
    subscribe(NEWS, "/a")
    subscriber.behave("/a", status(410))
    put(editor)
    subscriber.got("/a")
    wait_until(lambda: not storage.subscriptions.list())


def test_failed_delivery_is_retried_with_newest_version(
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
) -> None:
    elsewhere = subscriber.url("/elsewhere")
    paths = [f"/{code}" for code in (302, 307, 404, 429, 500, 503)]
    for path in paths:
        subscribe(NEWS, path)
        subscriber.behave(path, status(int(path[1:]), Location=elsewhere))
    put(editor)
    for path in paths:
        subscriber.got(path)
    wait_until(lambda: storage.subscriptions.stats()["failing"] == len(paths))
    put(editor, "Hai")
    time.sleep(SEVERAL_POLLS)
    # A new version does not shorten the wait.
    assert {subscriber.count(path) for path in paths} == {1}
    for path in paths:
        subscriber.behave(path, echo)
    clock.forward(seconds=15)
    for path in paths:
        assert "Hai" in subscriber.got(path, count=2)[1].body.decode()
    wait_until(lambda: storage.subscriptions.stats()["pending"] == 0)
    assert subscriber.count("/elsewhere") == 0
    assert storage.subscriptions.stats()["subscriptions"] == len(paths)


def test_delivery_with_secret_is_signed(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient
) -> None:
    secrets = {"/a": "s", "/b": "bí mật", "/c": "x" * 199}
    for path, secret in secrets.items():
        subscribe(NEWS, path, secret=secret)
    put(editor)
    for path, secret in secrets.items():
        assert is_signed(subscriber.got(path)[0], secret)


def test_delivery_without_secret_is_not_signed(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient
) -> None:
    subscribe(NEWS, "/a", secret="")
    put(editor)
    assert "X-Hub-Signature" not in subscriber.got("/a")[0].headers


@pytest.mark.both_databases
def test_subscription_continues_after_category_is_renamed(
    ask: SendToHub,
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
    client: FlaskClient,
) -> None:
    subscribe("/feeds/news/van-hoa.rss", "/a", secret="s")
    subscribe("/feeds/news/giao-thong,van-hoa.atom", "/b")
    slug = {"slug": "nghe-thuat"}
    assert editor.send("PATCH", "/categories/van-hoa", slug).status_code == 200
    topics = {
        "/a": "/feeds/news/nghe-thuat.rss",
        "/b": "/feeds/news/giao-thong,nghe-thuat.atom",
    }
    for path, topic in topics.items():
        delivery = subscriber.wait_for(path, client.get(topic).data)
        assert f'<{PUBLIC}{topic}>; rel="self"' in delivery.headers["Link"]
    assert is_signed(subscriber.got("/a")[-1], "s")
    put(editor, "Sau", category="nghe-thuat")
    for path in topics:
        subscriber.wait_for(path, "Sau")
    rows = storage.subscriptions.list()
    assert {row.path for row in rows} == set(topics.values())
    # Nothing was denied.
    assert {subscriber.count(path, "GET") for path in topics} == {1}
    # The subscriber knows the feed by the old URL.
    old = "/feeds/news/van-hoa.rss"
    response = ask(old, subscriber.url("/a"), "unsubscribe")
    assert response.status_code == 202
    verification = subscriber.got("/a", "GET", 2)[1].parameters
    assert verification["hub.topic"] == PUBLIC + old
    wait_until(lambda: len(storage.subscriptions.list()) == 1)
    storage.subscriptions.cancel_callbacks(subscriber.url("/b"))
    denial = subscriber.got("/b", "GET", 2)[1].parameters
    assert denial["hub.topic"] == f"{PUBLIC}/feeds/news/giao-thong,van-hoa.atom"


def test_subscription_continues_without_retired_category(
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
) -> None:
    subscribe("/feeds/news/giao-thong,van-hoa.rss", "/a")
    subscribe("/feeds/news/-van-hoa.rss", "/b")
    subscribe("/feeds/news/giao-thong.rss", "/a")
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 204
    wait_until(
        lambda: (
            sorted(row.path for row in storage.subscriptions.list())
            == [NEWS, "/feeds/news/giao-thong.rss"]
        )
    )
    put(editor, "Sau", category="giao-thong")
    for path, topic in (("/a", "/feeds/news/giao-thong.rss"), ("/b", NEWS)):
        delivery = subscriber.wait_for(path, "Sau")
        assert f'<{PUBLIC}{topic}>; rel="self"' in delivery.headers["Link"]
