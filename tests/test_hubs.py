"""WebSub hubs are told the feeds that changed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from feedsvc.hubs import DELAY, HubNotifier
from feedsvc.services import get_services
from feedsvc.storage.database import Database
from tests.conftest import ApiClient, MakeApp, RecordMeasurement
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.hub import FORMATS, PUBLIC, Hub, feeds, run
from tests.server import Service, free_port
from tests.waiting import wait_until


@pytest.fixture
def hub() -> Iterator[Hub]:
    with run(Hub()) as running:
        yield running


@pytest.fixture
def slow_hub() -> Iterator[Hub]:
    with run(Hub(seconds=9)) as running:
        yield running


@pytest.fixture
def dripping_hub() -> Iterator[Hub]:
    with run(Hub()) as running:
        running.drops = b"x"
        yield running


Notify = Callable[[], None]
"""A function that a worker calls once a second."""

MakeWorker = Callable[..., Notify]


@pytest.fixture
def make_worker(make_app: MakeApp, hub: Hub, clock: Clock) -> MakeWorker:
    """Return what starts a worker.

    :param own_clock: its wall clock, if it is not that of the test.
    :param is_ready: True if it has called the function already.
    """

    def make(
        own_clock: Clock | None = None,
        *,
        is_ready: bool = True,
        **changes: Any,
    ) -> Notify:
        app = make_app(hubs=(hub.url,), own_clock=own_clock, **changes)
        services = get_services(app)
        notifier = HubNotifier(
            services.database,
            services.site,
            hub.url,
            monotonic=lambda: clock().timestamp(),
        )
        if is_ready:
            notifier.notify()
        return notifier.notify

    return make


@pytest.fixture
def notify(make_worker: MakeWorker) -> Notify:
    """Return the function of one worker; nothing has changed yet."""
    return make_worker()


Tell = Callable[[Notify], None]


@pytest.fixture
def tell(clock: Clock) -> Tell:
    """Return what lets a worker see changes, and tell them as soon as it may."""

    def run(notify: Notify) -> None:
        notify()
        clock.forward(seconds=DELAY)
        notify()

    return run


@pytest.mark.both_databases
def test_hub_is_told_once_by_two_workers(database_url: str, hub: Hub) -> None:
    service = Service(database_url, FEEDSVC_HUBS=hub.url)
    service.make_token("news:write", "events:write", "categories:write")
    with service:
        for slug, document in (
            ("a", {}),
            ("b", {"parent": "a"}),
            ("other", {}),
        ):
            service.put(f"/categories/{slug}", {"title": slug, **document})
        article = {"title": "x", "categories": ["b"]}
        service.put("/articles/1", article)
        expected = feeds("news", "news/a", "news/b", public_url=service.url)
        wait_until(lambda: hub.told >= expected)
        event = {"title": "x", "start": "2032-01-01"}
        service.put("/events/2", event)
        expected |= feeds("events", public_url=service.url)
        wait_until(lambda: hub.told >= expected)
        assert hub.told == expected


@pytest.mark.bar
def test_failing_hubs_do_not_delay_another(
    database_url: str,
    hub: Hub,
    slow_hub: Hub,
    dripping_hub: Hub,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    dead_url = f"http://127.0.0.1:{free_port()}"
    urls = ",".join((dead_url, slow_hub.url, dripping_hub.url, hub.url))
    service = Service(database_url, FEEDSVC_HUBS=urls)
    service.make_token("news:write")
    expected: Counter[str] = Counter()
    waits = []
    with service:
        for title in ("a", "b", "c"):
            started = time.monotonic()
            service.put("/articles/1", {"title": title})
            expected.update(feeds("news", public_url=service.url))
            wait_until(lambda: hub.told >= expected)
            waits.append(time.monotonic() - started)
        # Meanwhile the others were tried again.
        wait_until(lambda: slow_hub.told.total() > 1)
        wait_until(lambda: dripping_hub.told.total() > 1)
    assert hub.told == expected
    record_measurement(
        "hub told, beside a dead, a slow and a dripping one",
        f"{max(waits):.1f} s",
        "8 s",
    )
    assert max(waits) < 8 * time_factor


def test_new_database_is_migrated_before_hubs_are_told(
    tmp_path: Path, hub: Hub
) -> None:
    service = Service(f"sqlite:///{tmp_path}/new.db", FEEDSVC_HUBS=hub.url)
    service.is_forked = False  # so that the service itself migrates
    log = tmp_path / "log"
    service.start(log)
    service.make_token("news:write")
    service.put("/articles/1", {"title": "x"})
    wait_until(lambda: hub.told)
    service.kill()
    # Without pysqlite3, the journal mode is another warning.
    warnings = [
        line
        for line in log.read_text().splitlines()
        if "WARNING" in line and "journal mode" not in line
    ]
    assert warnings == []


@pytest.mark.both_databases
def test_only_public_entries_are_told(
    notify: Notify, tell: Tell, hub: Hub, editor: ApiClient, wait: Wait
) -> None:
    editor.put("/articles/1", {"title": "x", "status": "draft"})
    later = "2026-11-26T00:00:00Z"
    editor.put(
        "/events/2", {"title": "x", "start": later, "date_published": later}
    )
    tell(notify)
    assert not hub.told
    wait(days=2)
    tell(notify)
    assert hub.told == feeds("events")


@pytest.mark.both_databases
def test_feeds_in_the_language_of_an_entry_are_told(
    make_worker: MakeWorker, tell: Tell, hub: Hub, editor: ApiClient
) -> None:
    notify = make_worker(site_languages=("vi", "en"))
    editor.put("/articles/1", {"title": "x", "language": "en-GB"})
    editor.put("/events/2", {"title": "x", "start": "2026-12-24"})
    editor.put(
        "/events/3", {"title": "x", "start": "2026-12-24", "language": "fr"}
    )
    tell(notify)
    in_language = Counter(
        [f"{url}?lang=en" for url in feeds("news")]
        + [f"{url}?lang=vi" for url in feeds("events")]
    )
    assert hub.told == feeds("news", "events") + in_language


def test_deletion_is_not_told(
    notify: Notify, tell: Tell, hub: Hub, editor: ApiClient
) -> None:
    editor.put("/articles/1", {"title": "x", "categories": ["van-hoa"]})
    tell(notify)
    assert hub.told == feeds("news", "news/van-hoa")
    assert editor.send("DELETE", "/articles/1").status_code == 204
    tell(notify)
    assert hub.told == feeds("news", "news/van-hoa")


def test_change_is_told_some_seconds_after_it_was_seen(
    notify: Notify, hub: Hub, editor: ApiClient, clock: Clock
) -> None:
    editor.put("/articles/1", {"title": "x"})
    clock.forward(hours=1)
    notify()
    clock.forward(seconds=DELAY - 0.1)
    notify()
    assert not hub.told
    clock.forward(seconds=0.1)
    notify()
    assert hub.told == feeds("news")


@pytest.mark.both_databases
def test_entry_that_changes_every_second_is_told_every_second(
    notify: Notify, hub: Hub, editor: ApiClient, clock: Clock
) -> None:
    expected: Counter[str] = Counter()
    for number in range(10):
        editor.put("/articles/1", {"title": f"{number}"})
        notify()
        if number >= DELAY:
            expected += feeds("news")
        assert hub.told == expected
        clock.forward(seconds=1)


def test_change_is_told_once_by_workers_that_saw_it_at_different_times(
    notify: Notify,
    make_worker: MakeWorker,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    editor.put("/articles/1", {"title": "x", "categories": ["van-hoa"]})
    notify()
    clock.forward(seconds=1)
    editor.put("/articles/2", {"title": "x", "categories": ["giao-thong"]})
    notify_by_other = make_worker()
    clock.forward(seconds=DELAY - 1)
    notify()
    assert hub.told == feeds("news", "news/van-hoa")
    clock.forward(seconds=1)
    notify_by_other()
    expected = feeds("news", "news/van-hoa", "news/giao-thong")
    # Each of the two changes is one of the section.
    expected += feeds("news")
    assert hub.told == expected
    for _ in range(DELAY + 1):
        clock.forward(seconds=1)
        notify()
        notify_by_other()
    assert hub.told == expected


def test_change_is_told_after_a_restart_before_it_was_told(
    notify: Notify,
    make_worker: MakeWorker,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    editor.put("/articles/1", {"title": "x"})
    notify()
    clock.forward(seconds=1)
    restarted = make_worker()
    assert not hub.told
    tell(restarted)
    assert hub.told == feeds("news")


@pytest.mark.parametrize("status", [503, 302, 307])
def test_failed_hub_is_told_again_later_and_not_redirected(
    notify: Notify,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
    status: int,
) -> None:
    hub.status = status
    editor.put("/articles/1", {"title": "x"})
    tell(notify)
    notify()
    assert hub.told.total() == 1, "the others wait for the next attempt"
    hub.status = 204
    hub.told.clear()
    clock.forward(seconds=5)
    notify()
    clock.forward(hours=1)
    notify()
    assert hub.told == feeds("news")
    assert hub.paths == {"/hub"}


def test_delay_grows_with_each_failure(
    notify: Notify, tell: Tell, hub: Hub, editor: ApiClient, clock: Clock
) -> None:
    hub.status = 503
    editor.put("/articles/1", {"title": "x"})
    tell(notify)
    for _ in range(200):
        notify()
        clock.forward(seconds=5)
    # After 0, 5, 15, 35, 75, 155 and 315 seconds, and every 300 from then on.
    assert hub.told.total() == 9


def test_delay_ends_with_a_restart(
    notify: Notify,
    make_worker: MakeWorker,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
) -> None:
    hub.status = 503
    editor.put("/articles/1", {"title": "x"})
    tell(notify)
    hub.status = 204
    hub.told.clear()
    make_worker()
    assert hub.told == feeds("news")


def test_accepted_urls_are_not_repeated_after_a_refusal(
    notify: Notify,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = f"{PUBLIC}/feeds/news.atom"
    hub.refused = {refused}
    hub.body = "Không rõ\nchủ đề\n".encode()
    editor.put("/articles/1", {"title": "x"})
    tell(notify)
    (line,) = caplog.messages
    assert f"Hub {hub.url}, {refused}: 403 Forbidden: 'Không rõ'" in line
    clock.forward(seconds=5)
    notify()
    expected = feeds("news")
    expected[refused] = 2
    assert hub.told == expected


def test_refused_url_delays_no_other(
    notify: Notify,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    hub.refused = {f"{PUBLIC}/feeds/news.{format}" for format in FORMATS}
    editor.put("/articles/1", {"title": "x"})
    tell(notify)
    for _ in range(20):
        clock.forward(minutes=5)
        notify()
    hub.told.clear()
    editor.put("/articles/1", {"title": "y", "categories": ["van-hoa"]})
    tell(notify)
    assert hub.told >= feeds("news/van-hoa")


def test_hub_whose_address_cannot_be_used_is_a_warning(
    app: Flask,
    editor: ApiClient,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    services = get_services(app)
    notifier = HubNotifier(
        services.database,
        services.site,
        "http://..example/",
        monotonic=lambda: clock().timestamp(),
    )
    notifier.notify()
    editor.put("/articles/1", {"title": "x"})
    notifier.notify()
    clock.forward(seconds=DELAY)
    notifier.notify()
    assert "trying again in 5 s" in caplog.messages[-1]


def test_new_hub_is_told_later_changes(
    make_worker: MakeWorker,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    editor.put("/articles/1", {"title": "x"})
    clock.forward(seconds=1)
    notify = make_worker()
    tell(notify)
    assert not hub.told
    editor.put("/events/2", {"title": "x", "start": "2032-01-01"})
    tell(notify)
    assert hub.told == feeds("events")


def test_new_hub_is_told_what_changes_while_workers_start(
    make_worker: MakeWorker,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    # The first worker stores the hub.
    make_worker()
    editor.put("/articles/1", {"title": "x"})
    clock.forward(seconds=1)
    tell(make_worker())
    assert hub.told == feeds("news")


def test_new_hub_is_told_what_changes_before_it_is_stored(
    make_worker: MakeWorker,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    notify = make_worker(is_ready=False)
    clock.forward(seconds=1)
    editor.put("/articles/1", {"title": "x"})
    tell(notify)
    tell(notify)
    assert hub.told == feeds("news")


def test_new_hub_is_told_what_changes_although_the_clock_was_ahead(
    make_worker: MakeWorker,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    notify = make_worker(Clock(clock.now + timedelta(hours=1)))
    editor.put("/articles/1", {"title": "x"})
    tell(notify)
    assert hub.told == feeds("news")


def test_delay_after_a_failure_ends_although_the_clock_is_set_back(
    make_worker: MakeWorker,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    own_clock = Clock(clock.now)
    notify = make_worker(own_clock)
    hub.status = 503
    editor.put("/articles/1", {"title": "x"})
    tell(notify)
    hub.status = 204
    hub.told.clear()
    own_clock.forward(hours=-1)
    clock.forward(seconds=5)
    notify()
    assert hub.told == feeds("news")


@pytest.mark.parametrize(
    ("body", "drops"),
    [
        (b"", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 503 X\r\n\r\n", b"x"),
    ],
)
def test_hub_that_never_ends_its_answer_has_failed(
    notify: Notify,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    body: bytes,
    drops: bytes,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("feedsvc.http_client.TIMEOUT", 0.5)
    hub.body = body
    hub.drops = drops
    editor.put("/articles/1", {"title": "x"})
    with ThreadPoolExecutor() as pool:
        done = pool.submit(tell, notify)
        try:
            done.result(5)
            assert hub.is_disconnected.wait(5)
        finally:
            hub.is_released.set()
    (line,) = caplog.messages
    assert "news.rss: no answer within 0.5 s; trying again in 5 s" in line


def test_notifier_leaves_errors_of_the_database_to_the_tick(
    app: Flask, clock: Clock, tmp_path: Path, hub: Hub
) -> None:
    missing = Database(f"sqlite:///{tmp_path}/missing.db", clock)
    HubNotifier(missing, get_services(app).site, hub.url).notify()
    missing.close()


@contextmanager
def answering(hub: Hub, tell: Tell, notify: Notify) -> Iterator[None]:
    """Tell a hub that answers at the end of the context."""
    hub.seconds = 9
    with ThreadPoolExecutor() as pool:
        pool.submit(tell, notify)
        wait_until(lambda: hub.told)
        yield
        hub.is_released.set()


def test_one_worker_at_a_time_tells_until_it_was_stopped(
    notify: Notify,
    make_worker: MakeWorker,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    editor.put("/articles/1", {"title": "x"})
    with answering(hub, tell, notify):
        hub.seconds = 0
        notify_by_other = make_worker()
        notify_by_other()
        assert hub.told.total() == 1
        clock.forward(seconds=31)
        notify_by_other()
    assert set(hub.told) == set(feeds("news"))
    assert hub.told.total() == 4


def test_claim_of_a_worker_whose_clock_is_ahead_does_not_count(
    make_worker: MakeWorker,
    tell: Tell,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    notify_ahead = make_worker(Clock(clock.now + timedelta(hours=1)))
    editor.put("/articles/1", {"title": "x"})
    with answering(hub, tell, notify_ahead):
        hub.seconds = 0
        hub.told.clear()
        make_worker()
        assert hub.told == feeds("news")


def test_change_while_a_hub_answers_is_told_afterwards(
    notify: Notify, tell: Tell, hub: Hub, editor: ApiClient
) -> None:
    editor.put("/articles/1", {"title": "x"})
    with answering(hub, tell, notify):
        editor.put("/events/2", {"title": "x", "start": "2032-01-01"})
    tell(notify)
    assert hub.told == feeds("news", "events")
