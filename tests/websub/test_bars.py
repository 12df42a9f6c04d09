"""How fast, how much, and with what at its side: the bars of push. `make soak` takes them at full length."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from feedsvc.models import SCOPES, utcnow
from feedsvc.storage import Storage
from feedsvc.storage.subscriptions import _subscription_id as _id
from feedsvc.storage.tables import change_sequence
from feedsvc.storage.websub_tables import subscriptions, websub_feed_keys, websub_feeds
from tests.conftest import ApiClient, RecordMeasurement
from tests.fake_clock import HANOI
from tests.server import Service
from tests.websub.conftest import deliver, told, until
from tests.websub.subscriber import Subscriber, echo, hang, status, subscribing

PATH = "/feeds/news.rss"
LENGTH = pytest.mark.parametrize(
    "subscribers", [200, pytest.param(1000, marks=pytest.mark.soak)]
)


@pytest.fixture
def serving(database_url: str) -> Iterator[Service]:
    service = Service(database_url, FEEDSVC_ALLOW_PRIVATE_CALLBACKS="true")
    service.start()
    service.make_token(*SCOPES)
    service.request("PUT", "/api/v1/categories/van-hoa", {"title": "Văn hoá"})
    yield service
    service.stop()


def fill(service: Service, subscriber: Subscriber, many: dict[str, list[str]]) -> None:
    """Put subscriptions into the database: callbacks by feed, a hundred a host."""
    storage, now = (
        Storage(service.environ["FEEDSVC_DATABASE_URL"], utcnow, HANOI),
        utcnow(),
    )
    feeds, ties, rows, number = [], [], [], 0
    with storage.reader() as reader:
        step = reader._connection.scalar(sa.select(change_sequence.c.seq))
        keys = {None: 0} | {
            one.slug: reader._category_key(one.slug) for one in reader.list_categories()
        }
    for path, callbacks in many.items():
        slug = path.split("/")[3].split(".")[0] if path.count("/") == 3 else None
        feeds.append(
            {
                "path": path,
                "etag": "old",
                "seq": step,
                "checked_at": now,
                "is_canonical": True,
                "render_seconds": 0.0,
            }
        )
        ties.append({"path": path, "kind": "news", "category_id": keys[slug]})
        for name in callbacks:
            host = f"127.0.{number // 10000}.{number // 100 % 100 + 1}"
            callback, number = subscriber.url(name, host), number + 1
            row = {
                "id": _id(callback, path),
                "path": path,
                "callback": callback,
                "host": host,
                "failures": 0,
            }
            row |= {"topic": path, "domain": host}
            row |= {
                "created_at": now,
                "expires_at": now + timedelta(days=1),
                "etag": "old",
                "target_etag": "old",
            }
            rows.append(row)
    with storage._database.write() as connection:
        connection.execute(websub_feeds.insert(), feeds)
        connection.execute(websub_feed_keys.insert(), ties)
        connection.execute(subscriptions.insert(), rows)
    storage._database.close()


def put(
    service: Service, title: str, category: str = "van-hoa", id: str = "a"
) -> float:
    """Write an article; returns when that was answered."""
    document = {"title": title, "categories": [category]}
    assert service.request("PUT", f"/api/v1/articles/{id}", document).ok
    return time.monotonic()


def names(count: int) -> list[str]:
    return [f"/{number}" for number in range(count)]


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]


def reached(
    subscriber: Subscriber, paths: list[str], since: float, within: float
) -> list[float]:
    end = time.monotonic() + within
    return [
        subscriber.got(path, within=max(0.1, end - time.monotonic()))[-1].at - since
        for path in paths
    ]


@pytest.mark.both_databases
@LENGTH
def test_one_change_reaches_all_while_feeds_are_read(
    serving: Service, subscribers: int, record_measurement: RecordMeasurement
) -> None:
    with subscribing() as subscriber, deliver(serving):
        put(serving, "Trước")
        idle = throughput(serving, lambda: time.sleep(1.5))
        fill(serving, subscriber, {PATH: names(subscribers)})
        late: list[float] = []

        def change() -> None:
            since = put(serving, "Sau")
            late.extend(reached(subscriber, names(subscribers), since, 15))

        busy = throughput(serving, change)
    record_measurement(
        f"one change to {subscribers} subscribers, all reached",
        f"{max(late):.1f} s",
        "10 s",
    )
    record_measurement(
        "throughput of a hot feed meanwhile, of idle", f"{busy / idle:.2f}", "0.7"
    )
    assert max(late) <= 10


def throughput(service: Service, work: Callable[[], None]) -> float:
    """Requests a second of a hot feed while something is done."""
    done, stop = [0], threading.Event()

    def read() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                assert session.get(service.url + PATH, timeout=10).ok
                done[0] += 1

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    begun = time.monotonic()
    work()
    spent = time.monotonic() - begun
    stop.set()
    for reader in readers:
        reader.join()
    return done[0] / spent


@LENGTH
def test_who_hangs_or_fails_delays_no_other(
    serving: Service, subscribers: int, record_measurement: RecordMeasurement
) -> None:
    found = []
    for ailing in (False, True):
        with subscribing() as subscriber, deliver(serving):
            paths = names(subscribers)
            sick = (
                {path for number, path in enumerate(paths) if number % 10 in (3, 7)}
                if ailing
                else set()
            )
            for path in sick:
                subscriber.behave(path, hang if path.endswith("3") else status(500))
            fill(serving, subscriber, {PATH: paths})
            since = put(serving, f"Tin {ailing}")
            found.append(
                p95(
                    reached(
                        subscriber,
                        [path for path in paths if path not in sick],
                        since,
                        20,
                    )
                )
            )
        command = ("subscriptions", "unsubscribe", "http://127.0.")
        serving.command(*command)
        _forget(serving)
    record_measurement(
        "p95 of the healthy while 20 % hang or fail, of alone",
        f"{found[1] / found[0]:.2f}",
        "2",
    )
    assert found[1] <= max(2 * found[0], 1.0)


def _forget(service: Service) -> None:
    """Let feeds without subscribers go, so that they can be filled again."""
    storage = Storage(service.environ["FEEDSVC_DATABASE_URL"], utcnow, HANOI)
    storage.subscriptions.purge_expired()
    storage._database.close()


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("kills", "beside"),
    [
        (1, 1),
        pytest.param(10, 0, marks=pytest.mark.soak),
        pytest.param(10, 1, marks=pytest.mark.soak),
    ],
)
def test_killed_again_and_again_everyone_ends_with_the_newest(
    serving: Service, kills: int, beside: int, record_measurement: RecordMeasurement
) -> None:
    paths = names(100)
    with subscribing() as subscriber, ExitStack() as others:
        fill(serving, subscriber, {PATH: paths})
        for path in paths:
            subscriber.behave(
                path,
                lambda handler, got: time.sleep(0.2) or echo(handler, got),  # type: ignore[func-returns-value]
            )
        for _ in range(beside):
            others.enter_context(deliver(serving))
        for number in range(kills):
            with deliver(serving, signal.SIGKILL) as (_, metrics):
                put(serving, f"Tin {number}")
                until(
                    lambda url=metrics: (  # type: ignore[misc]
                        told(url)['feedsvc_deliveries_total{outcome="delivered"}'] > 5
                    ),
                    30,
                )
        put(serving, "Tin cuối")
        newest = serving.request("GET", PATH).content
        with deliver(serving):
            # What the one that was killed had claimed is left to it for 15 seconds.
            until(lambda: all(subscriber.count(path) for path in paths), 40)
            until(
                lambda: all(subscriber.got(path)[-1].body == newest for path in paths),
                40,
            )
        copies = Counter(
            (path, one.body) for path in paths for one in subscriber.got(path)
        )
    twice = sum(count - 1 for count in copies.values())
    record_measurement(
        f"deliveries repeated by {kills} kill -9",
        f"{twice} of {copies.total()}",
        "counted",
    )


def test_a_burst_is_few_deliveries_and_the_last_has_the_last_write(
    editor: ApiClient,
    storage: Storage,
    subscriber: Subscriber,
    courier: None,
    subscribe: Callable[..., str],
) -> None:
    subscribe(PATH, "/a")
    begun = time.monotonic()
    for number in range(100):
        editor.put("/articles/a", {"title": f"Tin {number}."})
        time.sleep(max(0, begun + 0.02 * (number + 1) - time.monotonic()))
    spent = time.monotonic() - begun
    time.sleep(1.5)
    sent = subscriber.got("/a")
    assert len(sent) <= 5 * max(1, spent / 2), f"in {spent:.1f} s"
    assert "Tin 99." in sent[-1].body.decode()


@pytest.mark.parametrize("categories", [pytest.param(100, marks=pytest.mark.soak)])
def test_ten_thousand_subscriptions(
    serving: Service, categories: int, record_measurement: RecordMeasurement
) -> None:
    slugs = [f"c{number}" for number in range(categories)]
    for slug in slugs:
        serving.request("PUT", f"/api/v1/categories/{slug}", {"title": slug})
    feeds = {
        f"/feeds/news/{slug}.{format}{query}": [
            f"/{slug}/{format}/{len(query)}/{n}" for n in range(17)
        ]
        for slug in slugs
        for format in ("rss", "atom", "json")
        for query in ("", "?content=summary")
    }
    late = []
    with subscribing() as subscriber, deliver(serving) as (pid, _):
        fill(serving, subscriber, feeds)
        time.sleep(2)
        for number in range(20):
            since = put(serving, f"Tin {number}", slugs[number], f"x{number}")
            path = f"/{slugs[number]}/atom/0/"
            late += reached(subscriber, [f"{path}{n}" for n in range(17)], since, 10)
            time.sleep(1)
        held = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf(
            "SC_PAGESIZE"
        )
    record_measurement(
        "10,000 subscriptions, one change to a topic: p95", f"{p95(late):.2f} s", "2 s"
    )
    record_measurement("memory of deliver", f"{held >> 20} MiB", "150 MiB")
    assert p95(late) <= 2
    assert held <= 150 << 20
