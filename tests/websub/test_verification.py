"""Subscribing and unsubscribing: requests, verification of intent and denial (WebSub §5)."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from urllib.parse import quote, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.storage import Storage, subscription_limits
from feedsvc.storage.websub_tables import subscription_requests
from feedsvc.websub import worker as websub_worker
from feedsvc.websub.delivery import backoff
from feedsvc.websub.worker import MAX_ATTEMPTS, MAX_PER_HOST
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.server import free_port
from tests.waiting import wait_until
from tests.websub.conftest import (
    PUBLIC,
    SEVERAL_POLLS,
    SendToHub,
    Subscribe,
    is_signed,
    put,
    send_to_hub,
)
from tests.websub.subscriber import FOREVER, Handler, Received, Subscriber, echo

pytestmark = pytest.mark.usefixtures("worker")
NEWS = "/feeds/news.rss"


def confirmed(storage: Storage) -> list[str]:
    """Return the paths of the callbacks that have confirmed."""
    return [urlsplit(row.callback).path for row in storage.subscriptions.list()]


@pytest.mark.both_databases
def test_subscription_needs_only_mode_topic_and_callback(
    ask: SendToHub, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    response = ask(NEWS, subscriber.url("/a"))
    assert (response.status_code, response.mimetype) == (202, "text/plain")
    assert response.headers["Cache-Control"] == "no-store"
    wait_until(lambda: confirmed(storage) == ["/a"])
    put(editor)
    assert b"<title>M\xe1\xbb\x99t</title>" in subscriber.got("/a")[0].body


def test_form_of_freshrss_is_accepted(
    client: FlaskClient, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    topic = f"{PUBLIC}/feeds/news/van-hoa.atom"
    callback = subscriber.url("/p/api/pshb.php?k=0123456789abcdef")
    form = (
        f"hub.verify=sync&hub.mode=subscribe&hub.topic={quote(topic, safe='')}"
        f"&hub.callback={quote(callback, safe='')}"
    )
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "FreshRSS/1.27",
    }
    response = client.post("/hub", data=form, headers=headers)
    assert response.status_code // 100 == 2
    (verification,) = subscriber.got("/p/api/pshb.php", "GET")
    target = "/p/api/pshb.php?k=0123456789abcdef"
    assert verification.target.startswith(f"{target}&hub.mode=subscribe&")
    # FreshRSS refuses a lease of less than a minute.
    assert int(verification.parameters["hub.lease_seconds"]) > 60
    wait_until(lambda: confirmed(storage))
    put(editor)
    (delivery,) = subscriber.got("/p/api/pshb.php")
    assert delivery.target == target
    assert f'<{topic}>; rel="self"' in delivery.headers["Link"]


def test_unknown_parameters_are_ignored(subscribe: Subscribe) -> None:
    subscribe(NEWS, "/a", verify="async", verify_token="x", foo="bar")


def test_verified_repeated_request_renews_subscription(
    ask: SendToHub,
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
) -> None:
    subscribe(NEWS, "/a", secret="first", lease_seconds="300")
    (before,) = storage.subscriptions.list()
    clock.forward(seconds=100)
    subscribe(NEWS, "/a", secret="second", lease_seconds="300")
    wait_until(
        lambda: next(iter(storage.subscriptions.list())).expires_at > before.expires_at
    )
    put(editor)
    (delivery,) = subscriber.got("/a")
    assert is_signed(delivery, "second")
    assert confirmed(storage) == ["/a"]


@pytest.mark.parametrize("mode", ["subscribe", "unsubscribe"])
def test_unverified_repeated_request_changes_nothing(
    ask: SendToHub,
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    mode: str,
) -> None:
    subscribe(NEWS, "/a", secret="first")
    subscriber.behave(
        "/a",
        lambda handler, got: handler.reply(404 if got.method == "GET" else 200, b""),
    )
    assert ask(NEWS, subscriber.url("/a"), mode, secret="second").status_code == 202
    subscriber.got("/a", "GET", 2)
    time.sleep(SEVERAL_POLLS)
    put(editor)
    assert is_signed(subscriber.got("/a")[0], "first")


def test_lease_of_unsubscription_is_ignored(
    ask: SendToHub, subscribe: Subscribe, subscriber: Subscriber, storage: Storage
) -> None:
    subscribe(NEWS, "/a")
    callback = subscriber.url("/a")
    response = ask(NEWS, callback, "unsubscribe", lease_seconds="nonsense")
    assert response.status_code == 202
    wait_until(lambda: not confirmed(storage))
    assert "hub.lease_seconds" not in subscriber.got("/a", "GET", 2)[1].parameters


def test_unsubscribed_callback_gets_no_delivery(
    ask: SendToHub,
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
) -> None:
    subscribe(NEWS, "/a")
    subscribe(NEWS, "/b")
    ask(NEWS, subscriber.url("/a"), "unsubscribe")
    wait_until(lambda: confirmed(storage) == ["/b"])
    put(editor)
    subscriber.got("/b")
    assert subscriber.count("/a") == 0


def test_query_of_callback_is_preserved(
    ask: SendToHub, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    callback = subscriber.url("/a?foo=%C3%A1+b&hub.mode=mine&x")
    ask(NEWS, callback)
    (verification,) = subscriber.got("/a", "GET")
    assert verification.target.startswith(
        "/a?foo=%C3%A1+b&hub.mode=mine&x&hub.mode=subscribe&hub.topic="
    )
    wait_until(lambda: confirmed(storage))
    put(editor)
    assert subscriber.got("/a")[0].target == "/a?foo=%C3%A1+b&hub.mode=mine&x"


def test_hub_responds_before_verification(
    ask: SendToHub, subscriber: Subscriber, storage: Storage
) -> None:
    may_respond = threading.Event()
    subscriber.behave(
        "/a",
        lambda handler, got: echo(handler, got) if may_respond.wait(5) else None,
    )
    assert ask(NEWS, subscriber.url("/a")).status_code == 202
    assert not confirmed(storage)
    may_respond.set()
    wait_until(lambda: confirmed(storage) == ["/a"])


@pytest.mark.both_databases
def test_ended_subscription_is_denied_at_callback(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    subscribe("/feeds/news/van-hoa.rss", "/a")
    subscribe("/feeds/news/giao-thong+van-hoa.rss", "/b")
    subscribe(NEWS, "/c")
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 204
    for path, topic in (("/a", "van-hoa"), ("/b", "giao-thong+van-hoa")):
        denial = subscriber.got(path, "GET", 2)[1].parameters
        assert denial["hub.mode"] == "denied"
        assert denial["hub.topic"] == f"{PUBLIC}/feeds/news/{topic}.rss"
        assert "van-hoa" in denial["hub.reason"]
        assert "hub.challenge" not in denial
    wait_until(lambda: confirmed(storage) == ["/c"])
    storage.subscriptions.cancel_callbacks(subscriber.url("/c"))
    denial = subscriber.got("/c", "GET", 2)[1].parameters
    assert denial["hub.reason"] == "The operator has ended it."


def test_category_renamed_during_verification(
    ask: SendToHub,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
) -> None:
    renamed = "/feeds/news/nghe-thuat.rss"
    subscriber.behave("/a", down)
    ask("/feeds/news/van-hoa.rss", subscriber.url("/a"))
    subscriber.got("/a", "GET")
    slug = {"slug": "nghe-thuat"}
    assert editor.send("PATCH", "/categories/van-hoa", slug).status_code == 200
    # Time must not pass before the failure is stored.
    failures = sa.select(subscription_requests.c.failures)

    def is_stored() -> bool:
        with storage.database.read() as connection:
            return connection.scalar(failures) == 1

    wait_until(is_stored)
    subscriber.behave("/a", echo)
    clock.forward(seconds=15)
    verification = subscriber.got("/a", "GET", 2)[1].parameters
    assert verification["hub.mode"] == "subscribe"
    assert verification["hub.topic"] == f"{PUBLIC}/feeds/news/van-hoa.rss"
    wait_until(lambda: [row.path for row in storage.subscriptions.list()] == [renamed])


def test_unsubscription_of_nothing_calls_no_callback(
    ask: SendToHub, subscribe: Subscribe, subscriber: Subscriber, storage: Storage
) -> None:
    for number in range(10):
        assert ask(NEWS, subscriber.url(f"/{number}"), "unsubscribe").status_code == 202
    assert storage.subscriptions.stats()["requests"] == 0
    subscribe(NEWS, "/a")
    assert not any(subscriber.count(f"/{number}", "GET") for number in range(10))


def test_verification_has_mode_topic_challenge_and_lease(
    ask: SendToHub, subscriber: Subscriber
) -> None:
    for path in ("/a", "/b"):
        ask(NEWS, subscriber.url(path), lease_seconds="1000")
    first, second = (subscriber.got(path, "GET")[0].parameters for path in ("/a", "/b"))
    assert first.keys() == {
        "hub.mode",
        "hub.topic",
        "hub.challenge",
        "hub.lease_seconds",
    }
    assert (first["hub.mode"], first["hub.topic"]) == ("subscribe", PUBLIC + NEWS)
    assert first["hub.lease_seconds"] == "1000"
    assert first["hub.challenge"] != second["hub.challenge"]
    assert len(first["hub.challenge"]) >= 32


WRONG_RESPONSES = {
    "404": (404, b"%s"),
    "500": (500, b"%s"),
    "302": (302, b"%s"),
    "empty": (200, b""),
    "newline": (200, b"%s\n"),
    "space": (200, b" %s"),
    "page": (200, b"<p>%s</p>"),
    "twice": (200, b"%s%s"),
    "long": (200, b"%s" + b"x" * (1 << 20)),
}
"""Status and body of responses to a verification, with the challenge for %s."""


def respond_wrongly(handler: Handler, got: Received) -> None:
    """Respond to a verification as the path says."""
    code, template = WRONG_RESPONSES[urlsplit(got.target).path.strip("/")]
    challenge = got.parameters["hub.challenge"].encode()
    handler.reply(code, template.replace(b"%s", challenge), Location="/elsewhere")


def test_only_2xx_with_exact_challenge_confirms(
    ask: SendToHub, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    paths = [f"/{name}" for name in WRONG_RESPONSES]
    for path in paths:
        subscriber.behave(path, respond_wrongly)
        ask(NEWS, subscriber.url(path))
    for path in paths:
        subscriber.got(path, "GET")
    subscriber.behave(
        "/201",
        lambda handler, got: handler.reply(
            201, got.parameters["hub.challenge"].encode()
        ),
    )
    ask(NEWS, subscriber.url("/201"))
    wait_until(lambda: confirmed(storage) == ["/201"])
    assert subscriber.count("/elsewhere", "GET") == 0
    wait_until(lambda: storage.subscriptions.stats()["requests"] == 1)
    # Only the callback that responded with 500 is verified again, later.
    assert {subscriber.count(path, "GET") for path in paths} == {1}


def down(handler: Handler, got: Received) -> None:
    handler.reply(503, b"")


@pytest.mark.parametrize("mode", ["subscribe", "unsubscribe", "denied"])
def test_callback_that_is_down_is_verified_again(
    ask: SendToHub,
    subscriber: Subscriber,
    storage: Storage,
    clock: Clock,
    subscribe: Subscribe,
    mode: str,
) -> None:
    if mode != "subscribe":
        subscribe(NEWS, "/a")
    before = subscriber.count("/a", "GET")
    subscriber.behave("/a", down)
    if mode == "denied":
        storage.subscriptions.cancel_callbacks(subscriber.url("/a"))
    else:
        ask(NEWS, subscriber.url("/a"), mode)
    subscriber.got("/a", "GET", before + 1)
    time.sleep(SEVERAL_POLLS)
    subscriber.behave("/a", echo)
    assert subscriber.count("/a", "GET") == before + 1
    clock.forward(seconds=15)
    assert subscriber.got("/a", "GET", before + 2)[-1].parameters["hub.mode"] == mode
    wait_until(lambda: storage.subscriptions.stats()["requests"] == 0)
    assert confirmed(storage) == (["/a"] if mode == "subscribe" else [])


def test_callback_that_stays_down_is_verified_six_times(
    ask: SendToHub,
    subscriber: Subscriber,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websub_worker, "backoff", lambda failures: timedelta())
    subscriber.behave("/a", down)
    for url in (subscriber.url("/a"), f"http://127.0.0.1:{free_port()}/closed"):
        ask(NEWS, url)
    wait_until(lambda: not storage.subscriptions.stats()["requests"])
    assert subscriber.count("/a", "GET") == MAX_ATTEMPTS
    assert confirmed(storage) == []


def test_attempts_to_verify_take_some_minutes() -> None:
    for _ in range(20):
        delays = [backoff(failures) for failures in range(MAX_ATTEMPTS - 1)]
        total = sum(delays, timedelta())
        assert timedelta(minutes=2) < total < timedelta(minutes=8)
    assert timedelta(minutes=30) <= backoff(1000) <= timedelta(minutes=90)


def never_respond(handler: Handler, got: Received) -> None:
    handler.server.ended.wait(FOREVER)


def test_hanging_callbacks_delay_no_other_verification(
    make_app: MakeApp, subscriber: Subscriber, storage: Storage
) -> None:
    ask = send_to_hub(make_app(rate_hub="1000/minute").test_client())
    hanging = [f"/{number}" for number in range(3 * MAX_PER_HOST)]
    for path in hanging:
        subscriber.behave(path, never_respond)
        ask(NEWS, subscriber.url(path, "127.0.0.2"))
    ask(NEWS, subscriber.url("/a"))
    wait_until(lambda: confirmed(storage) == ["/a"])
    called = sum(subscriber.count(path, "GET") for path in hanging)
    assert called <= 2 * MAX_PER_HOST


def test_subscription_to_retired_category_is_denied(
    ask: SendToHub,
    subscriber: Subscriber,
    storage: Storage,
    clock: Clock,
    editor: ApiClient,
) -> None:
    subscriber.behave("/a", down)
    ask("/feeds/news/van-hoa.rss", subscriber.url("/a"))
    subscriber.got("/a", "GET")
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 204
    time.sleep(SEVERAL_POLLS)
    subscriber.behave("/a", echo)
    clock.forward(seconds=15)
    requests = [request.parameters for request in subscriber.got("/a", "GET", 3)]
    modes = [request["hub.mode"] for request in requests]
    assert modes == ["subscribe", "subscribe", "denied"]
    assert "van-hoa" in requests[-1]["hub.reason"]
    assert confirmed(storage) == []


def test_lease_is_between_five_minutes_and_ten_days(
    ask: SendToHub, subscriber: Subscriber
) -> None:
    leases = {"": 864000, "0": 300, "86400": 86400, "864001": 864000, "9" * 40: 864000}
    for number, lease in enumerate(leases):
        ask(NEWS, subscriber.url(f"/{number}"), lease_seconds=lease)
    for number, adjusted in enumerate(leases.values()):
        (verification,) = subscriber.got(f"/{number}", "GET")
        assert verification.parameters["hub.lease_seconds"] == str(adjusted)


def test_expired_subscription_gets_no_delivery(
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
) -> None:
    subscribe(NEWS, "/short", lease_seconds="300")
    subscribe(NEWS, "/long", lease_seconds="3000")
    clock.forward(seconds=301)
    put(editor)
    subscriber.got("/long")
    assert subscriber.count("/short") == 0
    storage.subscriptions.purge_expired()
    assert confirmed(storage) == ["/long"]


def test_subscription_over_limit_per_host_returns_403(
    ask: SendToHub, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription_limits, "MAX_PER_HOST", 3)
    for number in range(3):
        assert ask(NEWS, subscriber.url(f"/{number}")).status_code == 202
    refused = ask(NEWS, subscriber.url("/more"))
    assert refused.status_code == 403
    assert "127.0.0.1 has 3" in refused.text
    # A renewal is not over the limit.
    assert ask(NEWS, subscriber.url("/1")).status_code == 202
    assert ask(NEWS, subscriber.url("/more", "127.0.0.2")).status_code == 202


def test_rate_limit_per_address(make_app: MakeApp, subscriber: Subscriber) -> None:
    ask = send_to_hub(make_app(rate_hub="3/minute", workers=1).test_client())
    responses = [ask(NEWS, subscriber.url("/a")) for _ in range(4)]
    assert [response.status_code for response in responses] == [202, 202, 202, 429]
    assert 0 < int(responses[3].headers["Retry-After"]) <= 60
    assert responses[3].mimetype == "text/plain"
