"""A conforming hub (WebSub §3.1.3): each MUST, over real sockets, named by the section that says it."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from feedsvc.storage import Storage
from feedsvc.websub.worker import MAX_ATTEMPTS, MAX_PER_HOST
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.server import free_port
from tests.websub.conftest import PUBLIC, Ask, asking, delivering, until
from tests.websub.subscriber import (
    FOREVER,
    Received,
    Subscriber,
    _Handler,
    echo,
    status,
)

pytestmark = pytest.mark.usefixtures("courier")
Subscribe = Callable[..., str]
NEWS = "/feeds/news.rss"


def confirmed(storage: Storage) -> list[str]:
    return [urlsplit(one.callback).path for one in storage.subscriptions.list()]


def put(
    editor: ApiClient, title: str = "Một", id: str = "a", category: str = "van-hoa"
) -> None:
    editor.put(f"/articles/{id}", {"title": title, "categories": [category]})


@pytest.mark.both_databases
def test_3_1_3_callback_mode_and_topic_are_enough(
    ask: Ask, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    answer = ask(NEWS, subscriber.url("/a"))
    assert (answer.status_code, answer.mimetype) == (202, "text/plain")
    assert answer.headers["Cache-Control"] == "no-store"
    until(lambda: confirmed(storage) == ["/a"])
    put(editor)
    assert b"<title>M\xe1\xbb\x99t</title>" in subscriber.got("/a")[0].body


def test_3_1_3_the_form_that_freshrss_sends(
    client: FlaskClient, subscriber: Subscriber, editor: ApiClient
) -> None:
    callback = (
        subscriber.url("/p/api/pshb.php?k=0123456789abcdef")
        .replace(":", "%3A")
        .replace("/", "%2F")
    )
    form = f"hub.verify=sync&hub.mode=subscribe&hub.topic=https%3A%2F%2Ffeeds.example%2Ffeeds%2Fnews%2Fvan-hoa.atom&hub.callback={callback.replace('?', '%3F').replace('=', '%3D')}"
    answer = client.post(
        "/hub",
        data=form,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "FreshRSS/1.27",
        },
    )
    assert answer.status_code // 100 == 2
    (asked,) = subscriber.got("/p/api/pshb.php", "GET")
    assert asked.target.startswith(
        "/p/api/pshb.php?k=0123456789abcdef&hub.mode=subscribe&"
    )
    assert int(asked.said["hub.lease_seconds"]) > 60, (
        "it waits for one of more than a minute"
    )
    time.sleep(0.3)
    put(editor)
    (sent,) = subscriber.got("/p/api/pshb.php")
    assert sent.target == "/p/api/pshb.php?k=0123456789abcdef"
    assert f'<{PUBLIC}/feeds/news/van-hoa.atom>; rel="self"' in sent.headers["Link"]


def test_5_1_unknown_parameters_are_ignored(subscribe: Subscribe) -> None:
    subscribe(NEWS, "/a", verify="async", verify_token="x", foo="bar")


def test_5_1_a_repeated_request_overrides_once_it_is_verified(
    ask: Ask,
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
    until(
        lambda: next(iter(storage.subscriptions.list())).expires_at > before.expires_at
    )
    put(editor)
    (sent,) = subscriber.got("/a")
    assert signed(sent, "second")
    assert confirmed(storage) == ["/a"]


@pytest.mark.parametrize("mode", ["subscribe", "unsubscribe"])
def test_5_1_a_repeated_request_that_is_not_verified_changes_nothing(
    ask: Ask, subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient, mode: str
) -> None:
    subscribe(NEWS, "/a", secret="first")
    subscriber.behave(
        "/a",
        lambda handler, got: handler.reply(404 if got.method == "GET" else 200, b""),
    )
    assert ask(NEWS, subscriber.url("/a"), mode, secret="second").status_code == 202
    subscriber.got("/a", "GET", 2)
    time.sleep(0.3)
    put(editor)
    assert signed(subscriber.got("/a")[0], "first")


def test_5_1_the_lease_of_an_unsubscription_is_ignored(
    ask: Ask, subscribe: Subscribe, subscriber: Subscriber, storage: Storage
) -> None:
    subscribe(NEWS, "/a")
    assert (
        ask(
            NEWS, subscriber.url("/a"), "unsubscribe", lease_seconds="nonsense"
        ).status_code
        == 202
    )
    until(lambda: not confirmed(storage))
    assert "hub.lease_seconds" not in subscriber.got("/a", "GET", 2)[1].said


@pytest.mark.both_databases
def test_5_1_who_has_unsubscribed_is_sent_nothing(
    ask: Ask,
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
) -> None:
    subscribe(NEWS, "/a")
    subscribe(NEWS, "/b")
    ask(NEWS, subscriber.url("/a"), "unsubscribe")
    until(lambda: confirmed(storage) == ["/b"])
    put(editor)
    subscriber.got("/b")
    assert subscriber.count("/a") == 0


def test_5_1_1_the_callbacks_query_is_preserved_and_appended_to(
    ask: Ask, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    callback = subscriber.url("/a?foo=%C3%A1+b&hub.mode=mine&x")
    ask(NEWS, callback)
    (asked,) = subscriber.got("/a", "GET")
    assert asked.target.startswith(
        "/a?foo=%C3%A1+b&hub.mode=mine&x&hub.mode=subscribe&hub.topic="
    )
    until(lambda: confirmed(storage))
    put(editor)
    assert subscriber.got("/a")[0].target == "/a?foo=%C3%A1+b&hub.mode=mine&x", (
        "8.3: the exact callback"
    )


def test_5_1_2_the_answer_comes_before_the_verification(
    ask: Ask, subscriber: Subscriber, storage: Storage
) -> None:
    subscriber.behave("/a", lambda handler, got: time.sleep(1) or echo(handler, got))  # type: ignore[func-returns-value]
    begun = time.monotonic()
    assert ask(NEWS, subscriber.url("/a")).status_code == 202
    assert time.monotonic() - begun < 0.5
    assert not confirmed(storage)
    until(lambda: confirmed(storage) == ["/a"])


@pytest.mark.both_databases
def test_5_2_a_subscription_that_is_denied_later_is_told(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    subscribe("/feeds/news/van-hoa.rss", "/a")
    subscribe("/feeds/news/giao-thong+van-hoa.rss", "/b")
    subscribe(NEWS, "/c")
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 204
    for path, topic in (("/a", "van-hoa"), ("/b", "giao-thong+van-hoa")):
        denied = subscriber.got(path, "GET", 2)[1].said
        assert denied["hub.mode"] == "denied"
        assert denied["hub.topic"] == f"{PUBLIC}/feeds/news/{topic}.rss"
        assert "van-hoa" in denied["hub.reason"]
        assert "hub.challenge" not in denied
    until(lambda: confirmed(storage) == ["/c"])
    storage.subscriptions.cancel_callbacks(subscriber.url("/c"))
    assert (
        subscriber.got("/c", "GET", 2)[1].said["hub.reason"]
        == "The operator has ended it."
    )


@pytest.mark.both_databases
def test_after_a_rename_the_renamed_feed_is_delivered(
    ask: Ask,
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
    client: FlaskClient,
) -> None:
    subscribe("/feeds/news/van-hoa.rss", "/a", secret="s")
    subscribe("/feeds/news/giao-thong,van-hoa.atom", "/b")
    assert (
        editor.send("PATCH", "/categories/van-hoa", {"slug": "nghe-thuat"}).status_code
        == 200
    )
    topics = {
        "/a": "/feeds/news/nghe-thuat.rss",
        "/b": "/feeds/news/giao-thong,nghe-thuat.atom",
    }
    for path, topic in topics.items():
        until(lambda p=path, t=topic: subscriber.got(p)[-1].body == client.get(t).data)  # type: ignore[misc]
        assert (
            f'<{PUBLIC}{topic}>; rel="self"' in subscriber.got(path)[-1].headers["Link"]
        )
    assert signed(subscriber.got("/a")[-1], "s")
    put(editor, "Sau", category="nghe-thuat")
    for path in topics:
        until(lambda p=path: "Sau" in subscriber.got(p)[-1].body.decode())  # type: ignore[misc]
    assert {one.path for one in storage.subscriptions.list()} == set(topics.values())
    assert {subscriber.count(path, "GET") for path in topics} == {1}, (
        "nothing was denied"
    )
    # They know the feed by the old address.
    assert (
        ask("/feeds/news/van-hoa.rss", subscriber.url("/a"), "unsubscribe").status_code
        == 202
    )
    assert (
        subscriber.got("/a", "GET", 2)[1].said["hub.topic"]
        == f"{PUBLIC}/feeds/news/van-hoa.rss"
    )
    until(lambda: confirmed(storage) == ["/b"])
    storage.subscriptions.cancel_callbacks(subscriber.url("/b"))
    assert (
        subscriber.got("/b", "GET", 2)[1].said["hub.topic"]
        == f"{PUBLIC}/feeds/news/giao-thong,van-hoa.atom"
    )


@pytest.mark.both_databases
def test_after_a_retirement_the_rest_of_a_combination_is_delivered(
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
    client: FlaskClient,
) -> None:
    subscribe("/feeds/news/giao-thong,van-hoa.rss", "/a")
    subscribe("/feeds/news/-van-hoa.rss", "/b")
    subscribe("/feeds/news/giao-thong.rss", "/a")
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 204
    until(
        lambda: (
            {one.path for one in storage.subscriptions.list()}
            == {"/feeds/news/giao-thong.rss", NEWS}
        )
    )
    assert sorted(confirmed(storage)) == ["/a", "/b"]
    put(editor, "Sau", category="giao-thong")
    for path, topic in (("/a", "/feeds/news/giao-thong.rss"), ("/b", NEWS)):
        until(lambda p=path: "Sau" in subscriber.got(p)[-1].body.decode())  # type: ignore[misc]
        assert (
            f'<{PUBLIC}{topic}>; rel="self"' in subscriber.got(path)[-1].headers["Link"]
        )


def test_a_subscription_that_is_asked_for_while_its_category_is_renamed(
    ask: Ask, subscriber: Subscriber, editor: ApiClient, storage: Storage, clock: Clock
) -> None:
    subscriber.behave("/a", down)
    ask("/feeds/news/van-hoa.rss", subscriber.url("/a"))
    subscriber.got("/a", "GET")
    assert (
        editor.send("PATCH", "/categories/van-hoa", {"slug": "nghe-thuat"}).status_code
        == 200
    )
    until(lambda: storage.subscriptions.stats()["requests"] == 1)
    subscriber.behave("/a", echo)
    clock.forward(seconds=15)
    asked = subscriber.got("/a", "GET", 2)[1].said
    assert (asked["hub.mode"], asked["hub.topic"]) == (
        "subscribe",
        f"{PUBLIC}/feeds/news/van-hoa.rss",
    )
    until(
        lambda: (
            [one.path for one in storage.subscriptions.list()]
            == ["/feeds/news/nghe-thuat.rss"]
        )
    )


def test_an_unsubscription_of_nothing_is_answered_and_asks_nobody(
    ask: Ask, subscribe: Subscribe, subscriber: Subscriber, storage: Storage
) -> None:
    for number in range(40):
        assert ask(NEWS, subscriber.url(f"/{number}"), "unsubscribe").status_code == 202
    assert storage.subscriptions.stats()["requests"] == 0
    subscribe(NEWS, "/a")
    assert not any(subscriber.count(f"/{number}", "GET") for number in range(40))


def test_5_3_what_the_callback_is_asked(ask: Ask, subscriber: Subscriber) -> None:
    for path in ("/a", "/b"):
        ask(NEWS, subscriber.url(path), lease_seconds="1000")
    first, second = (subscriber.got(path, "GET")[0].said for path in ("/a", "/b"))
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


LONG = 1 << 20


def answer_wrongly(handler: _Handler, got: Received) -> None:
    """In the way that the path says; a POST is taken."""
    challenge = (
        got.said.get("hub.challenge", "").encode() if got.method == "GET" else b""
    )
    wrong = {
        "/404": (404, challenge),
        "/500": (500, challenge),
        "/302": (302, challenge),
        "/empty": (200, b""),
        "/newline": (200, challenge + b"\n"),
        "/before": (200, b" " + challenge),
        "/page": (200, b"<p>" + challenge + b"</p>"),
        "/query": (200, got.target.encode()),
        "/half": (200, challenge[:-1]),
        "/long": (200, challenge * (LONG // max(1, len(challenge)))),
    }
    code, body = wrong[urlsplit(got.target).path] if got.method == "GET" else (200, b"")
    handler.reply(code, body, Location="/right")


def test_5_3_1_all_but_2xx_with_the_challenge_alone_is_a_failure(
    ask: Ask, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    paths = [
        "/404",
        "/500",
        "/302",
        "/empty",
        "/newline",
        "/before",
        "/page",
        "/query",
        "/half",
        "/long",
    ]
    for path in paths:
        subscriber.behave(path, answer_wrongly)
        ask(NEWS, subscriber.url(path))
    for path in paths:
        subscriber.got(path, "GET")
    subscriber.behave(
        "/201",
        lambda handler, got: handler.reply(201, got.said["hub.challenge"].encode()),
    )
    ask(NEWS, subscriber.url("/201"))
    until(lambda: confirmed(storage) == ["/201"])
    assert subscriber.count("/right", "GET") == 0, "no redirect is followed"
    until(lambda: storage.subscriptions.stats()["requests"] == 1)
    assert {subscriber.count(path, "GET") for path in paths} == {1}, (
        "and only /500 is asked again, later"
    )


def down(handler: _Handler, got: Received) -> None:
    handler.reply(503, b"")


@pytest.mark.both_databases
@pytest.mark.parametrize("mode", ["subscribe", "unsubscribe", "denied"])
def test_5_3_a_callback_that_is_down_for_a_moment_is_asked_again(
    ask: Ask,
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
    time.sleep(0.5)
    subscriber.behave("/a", echo)
    assert subscriber.count("/a", "GET") == before + 1, "not at once"
    clock.forward(seconds=15)
    assert subscriber.got("/a", "GET", before + 2)[-1].said["hub.mode"] == mode
    until(lambda: storage.subscriptions.stats()["requests"] == 0)
    assert confirmed(storage) == (["/a"] if mode == "subscribe" else [])


def test_5_3_callbacks_that_stay_down_are_asked_so_often(
    ask: Ask, subscriber: Subscriber, storage: Storage, clock: Clock
) -> None:
    subscriber.behave("/a", down)
    for callback in (
        subscriber.url("/a"),
        f"http://127.0.0.1:{free_port()}/nobody-listens",
    ):
        ask(NEWS, callback)
    begun = clock()
    while storage.subscriptions.stats()["requests"]:
        time.sleep(0.2)
        clock.forward(seconds=10)
    assert subscriber.count("/a", "GET") == MAX_ATTEMPTS
    assert confirmed(storage) == []
    assert timedelta(minutes=2) < clock() - begun < timedelta(minutes=12)


def silent(handler: _Handler, got: Received) -> None:
    handler.server.ended.wait(FOREVER)


def test_5_3_callbacks_that_hang_hold_up_no_other(
    make_app: MakeApp, subscriber: Subscriber, storage: Storage
) -> None:
    ask = asking(make_app(rate_hub="1000/minute").test_client())
    crowd = [f"/{number}" for number in range(4 * MAX_PER_HOST)]
    for path in crowd:
        subscriber.behave(path, silent)
        ask(NEWS, subscriber.url(path, "127.0.0.2"))
    ask(NEWS, subscriber.url("/a"))
    until(lambda: confirmed(storage) == ["/a"])
    assert sum(subscriber.count(path, "GET") for path in crowd) <= 2 * MAX_PER_HOST, (
        "of one site only so many at once"
    )


def test_5_2_who_asks_for_a_feed_that_is_no_more_is_denied(
    ask: Ask, subscriber: Subscriber, storage: Storage, clock: Clock, editor: ApiClient
) -> None:
    subscriber.behave("/a", down)
    ask("/feeds/news/van-hoa.rss", subscriber.url("/a"))
    subscriber.got("/a", "GET")
    assert editor.send("DELETE", "/categories/van-hoa").status_code == 204
    time.sleep(0.5)
    subscriber.behave("/a", echo)
    clock.forward(seconds=15)
    said = [one.said for one in subscriber.got("/a", "GET", 3)]
    assert [one["hub.mode"] for one in said] == ["subscribe", "subscribe", "denied"]
    assert "van-hoa" in said[-1]["hub.reason"]
    assert confirmed(storage) == []


@pytest.mark.parametrize(
    ("wanted", "given"),
    [("", 864000), ("1", 300), ("0", 300), ("300", 300), ("86400", 86400), ("864001", 864000), ("9" * 40, 864000)],
)  # fmt: skip
def test_5_3_1_leases_are_between_five_minutes_and_ten_days(
    ask: Ask, subscriber: Subscriber, wanted: str, given: int
) -> None:
    ask(NEWS, subscriber.url("/a"), lease_seconds=wanted)
    assert subscriber.got("/a", "GET")[0].said["hub.lease_seconds"] == str(given)


def test_5_3_1_a_lease_that_is_over_is_over(
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


TOPICS = (
    "/feeds/news.rss",
    "/feeds/news/van-hoa.atom",
    "/feeds/news/giao-thong,van-hoa.json",
    "/feeds/news/giao-thong+van-hoa.rss",
    "/feeds/news/-giao-thong.html",
    "/feeds/news.json?content=summary",
    "/feeds/events.ics",
    "/feeds/events/van-hoa.rss",
)


@pytest.mark.both_databases
def test_7_the_document_its_type_and_its_links(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient, client: FlaskClient
) -> None:
    for number, topic in enumerate(TOPICS):
        subscribe(topic, f"/{number}")
    both = {"categories": ["van-hoa", "giao-thong"]}
    editor.put("/articles/a", {"title": "Tin", **both})
    editor.put("/articles/b", {"title": "Tin", "categories": ["van-hoa"]})
    editor.put("/events/c", {"title": "Hội", "start": "2090-01-01", **both})
    for number, topic in enumerate(TOPICS):
        until(
            lambda n=number, t=topic: (  # type: ignore[misc]
                subscriber.got(f"/{n}")[-1].body == client.get(t).data
            )
        )
        sent, got = subscriber.got(f"/{number}")[-1], client.get(topic)
        assert sent.headers["Content-Type"] == got.headers["Content-Type"]
        assert sent.headers["Link"] == ", ".join(got.headers.getlist("Link"))
        assert f'<{PUBLIC}{topic}>; rel="self"' in sent.headers["Link"]
        assert f'<{PUBLIC}/hub>; rel="hub"' in sent.headers["Link"]
        assert hashlib.sha256(sent.body).hexdigest()[:32] == got.headers["ETag"].strip(
            '"'
        )


def test_7_only_feeds_that_changed_are_sent(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient
) -> None:
    subscribe("/feeds/news/van-hoa.rss", "/a")
    subscribe("/feeds/news/giao-thong.rss", "/b")
    subscribe("/feeds/events.rss", "/c")
    editor.put(
        "/articles/draft",
        {"title": "Nháp", "status": "draft", "categories": ["giao-thong"]},
    )
    put(editor, category="van-hoa")
    subscriber.got("/a")
    put(editor, category="van-hoa")  # the same again
    time.sleep(1.2)
    assert [subscriber.count(path) for path in ("/a", "/b", "/c")] == [1, 0, 0]


@pytest.mark.both_databases
def test_7_an_entry_whose_moment_comes_is_sent_by_itself(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient, clock: Clock
) -> None:
    moment = clock().replace(microsecond=0)
    subscribe(NEWS, "/a")
    clock.forward(seconds=-60)
    editor.put(
        "/articles/a", {"title": "Hẹn giờ", "date_published": moment.isoformat()}
    )
    time.sleep(0.8)
    assert subscriber.count("/a") == 0
    clock.forward(seconds=60)
    assert "Hẹn giờ" in subscriber.got("/a")[0].body.decode()


@pytest.mark.both_databases
def test_7_410_ends_the_subscription(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient, storage: Storage
) -> None:
    subscribe(NEWS, "/a")
    subscriber.behave("/a", status(410))
    put(editor)
    subscriber.got("/a")
    until(lambda: not confirmed(storage))


@pytest.mark.both_databases
def test_7_all_but_2xx_and_410_is_a_failure_and_tried_again(
    subscribe: Subscribe,
    subscriber: Subscriber,
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
) -> None:
    paths = [f"/{code}" for code in (302, 307, 400, 404, 429, 500, 503)]
    for path in paths:
        subscribe(NEWS, path)
        subscriber.behave(
            path, status(int(path[1:]), Location=subscriber.url("/elsewhere"))
        )
    put(editor)
    for path in paths:
        subscriber.got(path)
    until(lambda: storage.subscriptions.stats()["failing"] == len(paths))
    put(editor, "Hai")
    time.sleep(1)
    assert {subscriber.count(path) for path in paths} == {1}, (
        "a new version does not shorten the wait"
    )
    for path in paths:
        subscriber.behave(path, echo)
    clock.forward(seconds=15)
    for path in paths:
        assert "Hai" in subscriber.got(path, count=2)[1].body.decode(), (
            "the newest, whenever it was first tried"
        )
    until(lambda: storage.subscriptions.stats()["pending"] == 0)
    assert subscriber.count("/elsewhere") == 0
    assert sorted(confirmed(storage)) == sorted(paths)


def signed(sent: Received, secret: str) -> bool:
    method, _, signature = sent.headers["X-Hub-Signature"].partition("=")
    assert method == "sha256"
    return signature == hmac.new(secret.encode(), sent.body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("secret", ["s", "bí mật", "x" * 199])
def test_7_1_with_a_secret_it_is_signed(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient, secret: str
) -> None:
    subscribe(NEWS, "/a", secret=secret)
    put(editor)
    assert signed(subscriber.got("/a")[0], secret)


def test_7_1_without_one_it_is_not(
    subscribe: Subscribe, subscriber: Subscriber, editor: ApiClient
) -> None:
    subscribe(NEWS, "/a", secret="")
    put(editor)
    assert "X-Hub-Signature" not in subscriber.got("/a")[0].headers


def test_a_hundred_subscriptions_a_host(
    make_app: MakeApp, subscriber: Subscriber, storage: Storage
) -> None:
    ask = asking(make_app(rate_hub="1000/minute").test_client())
    answers = [
        ask(NEWS, subscriber.url(f"/{number}")).status_code for number in range(100)
    ]
    assert answers == [202] * 100
    refused = ask(NEWS, subscriber.url("/more"))
    assert refused.status_code == 403
    assert "127.0.0.1" in refused.text
    assert ask(NEWS, subscriber.url("/1")).status_code == 202, (
        "one that is there can be renewed"
    )
    assert ask(NEWS, subscriber.url("/more", "127.0.0.2")).status_code == 202
    until(lambda: len(confirmed(storage)) == 101)


def test_the_rate_of_an_address(make_app: MakeApp, subscriber: Subscriber) -> None:
    ask = asking(make_app(rate_hub="3/minute", workers=1).test_client())
    answers = [ask(NEWS, subscriber.url("/a")) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert 0 < int(answers[3].headers["Retry-After"]) <= 60
    assert answers[3].mimetype == "text/plain"


@pytest.mark.both_databases
def test_other_hubs_are_told_of_the_canonical_urls(
    make_app: MakeApp, editor: ApiClient, subscriber: Subscriber
) -> None:
    app = make_app(hubs=(subscriber.url("/other"),))
    subscriber.behave("/other", status(204))
    with delivering(app):
        for number in range(20):
            put(editor, f"Tin {number}", f"x{number}")
        time.sleep(2)
    told = subscriber.got("/other")
    assert len(told) <= 4, "coalesced"
    assert all(one.said["hub.mode"] == "publish" for one in told)
    wanted = {
        f"{PUBLIC}/feeds/{feed}.{format}"
        for feed in ("news", "news/van-hoa")
        for format in ("rss", "atom", "json")
    }
    assert {
        url for one in told for url in parse_qs(one.body.decode())["hub.url"]
    } == wanted


@pytest.mark.both_databases
def test_other_hubs_are_told_that_an_event_has_ended(
    make_app: MakeApp, editor: ApiClient, subscriber: Subscriber, clock: Clock
) -> None:
    hour = clock().replace(microsecond=0) + timedelta(hours=1)
    event = {"title": "Hội", "start": hour.isoformat(), "categories": ["van-hoa"]}
    editor.put("/events/a", event)
    editor.put(
        "/events/later", {**event, "start": (hour + timedelta(hours=1)).isoformat()}
    )
    with delivering(make_app(hubs=(subscriber.url("/other"),))):
        time.sleep(0.5)
        assert subscriber.count("/other") == 0
        clock.forward(hours=1)
        (told,) = subscriber.got("/other")
        time.sleep(1)
        assert subscriber.count("/other") == 1, "once"
    feeds = ("events", "events/van-hoa")
    wanted = [
        f"{PUBLIC}/feeds/{feed}.{format}"
        for feed in feeds
        for format in ("rss", "atom", "json")
    ]
    assert parse_qs(told.body.decode())["hub.url"] == wanted


def test_another_hub_that_fails_is_told_again(
    make_app: MakeApp, editor: ApiClient, subscriber: Subscriber, clock: Clock
) -> None:
    app = make_app(hubs=(subscriber.url("/other"),))
    subscriber.behave("/other", status(503))
    with delivering(app):
        put(editor)
        subscriber.got("/other")
        time.sleep(0.3)
        subscriber.behave("/other", status(204))
        clock.forward(seconds=15)
        assert (
            subscriber.got("/other", count=2)[0].body
            == subscriber.got("/other", count=2)[1].body
        )
