"""WebSub hubs are told the feeds that changed."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from flask import Flask

from feedsvc.extensions.websub.notifier import HubNotifier
from feedsvc.extensions.websub.outbox import DELAY
from feedsvc.services import get_services
from feedsvc.storage.database import Database
from tests.conftest import ApiClient, CheckLimit, MakeApp
from tests.data.fixtures import Wait
from tests.extensions.websub.hub import PUBLIC, Hub, feeds, make_certificate, run
from tests.fake_clock import Clock
from tests.server import Service, free_port
from tests.waiting import wait_until

ARTICLE = {"title": "x"}
EVENT = {"title": "x", "start": "2032-01-01"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with run(Hub()) as running:
        yield running


class Worker:
    """A worker that tells a hub, with the clock of the test for delays."""

    def __init__(self, app: Flask, hub_url: str, clock: Clock) -> None:
        services = get_services(app)
        notifier = HubNotifier(
            services.database,
            services.site,
            hub_url,
            monotonic=lambda: clock().timestamp(),
        )
        self.notify = notifier.notify
        """The function that it calls once a second."""
        self._clock = clock

    def tell(self) -> None:
        """See changes, and tell them as soon as it may."""
        self.notify()
        self._clock.forward(seconds=DELAY)
        self.notify()


MakeWorker = Callable[..., Worker]


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
        url: str = hub.url,
        **changes: Any,
    ) -> Worker:
        app = make_app(hubs=(url,), own_clock=own_clock, **changes)
        worker = Worker(app, url, clock)
        if is_ready:
            worker.notify()
        return worker

    return make


@pytest.fixture
def worker(make_worker: MakeWorker) -> Worker:
    """Return one worker; nothing has changed yet."""
    return make_worker()


@pytest.mark.bar
@pytest.mark.both_databases
def test_hub_is_told_once_by_two_workers_beside_failing_hubs(
    database_url: str, hub: Hub, check_limit: CheckLimit
) -> None:
    dead_url = f"http://127.0.0.1:{free_port()}"
    with run(Hub(seconds=9)) as slow, run(Hub()) as dripping:
        dripping.drops = b"x"
        urls = ",".join((dead_url, slow.url, dripping.url, hub.url))
        service = Service(database_url, FEEDSVC_HUBS=urls)
        expected: Counter[str] = Counter()
        with service:
            service.put("/categories/a", {"title": "A"})
            service.put("/categories/b", {"title": "B", "parent": "a"})
            service.put("/categories/other", {"title": "C"})
            article = {**ARTICLE, "categories": ["b"]}
            for path, document, changed in (
                ("/articles/1", article, ["news", "news/a", "news/b"]),
                ("/events/2", EVENT, ["events"]),
            ):
                started = time.monotonic()
                service.put(path, document)
                expected.update(feeds(*changed, public_url=service.url))
                wait_until(lambda: hub.told >= expected)
                check_limit(
                    "hub told, beside a dead, a slow and a dripping one",
                    time.monotonic() - started,
                    8,
                )
            assert hub.told == expected
            assert slow.told
            assert dripping.told


@pytest.mark.skipif(not which("openssl"), reason="openssl is not installed")
def test_hubs_are_told_over_tls_and_through_a_proxy(
    database_url: str, tmp_path: Path
) -> None:
    pem = tmp_path / "hubs.pem"
    make_certificate(pem, "IP:127.0.0.1,DNS:hub.example")
    with run(Hub()) as direct, run(Hub()) as proxied:
        for hub in direct, proxied:
            hub.context.load_cert_chain(pem)
        direct.socket = direct.context.wrap_socket(direct.socket, server_side=True)
        urls = (
            direct.url.replace("http", "https", 1),
            "https://hub.example/hub",
            # The certificate has another name.
            f"https://localhost:{direct.server_port}/wrong",
        )
        service = Service(
            database_url,
            FEEDSVC_HUBS=",".join(urls),
            SSL_CERT_FILE=str(pem),
            https_proxy=proxied.url,
            no_proxy="127.0.0.1,localhost",
        )
        with service:
            service.put("/articles/1", ARTICLE)
            expected = feeds("news", public_url=service.url)
            wait_until(lambda: direct.told == proxied.told == expected)
        assert proxied.paths == {"hub.example:443", "/hub"}
        assert direct.paths == {"/hub"}


@pytest.mark.both_databases
def test_only_public_entries_are_told(
    worker: Worker, hub: Hub, editor: ApiClient, wait: Wait
) -> None:
    editor.put("/articles/1", {"title": "x", "status": "draft"})
    later = "2026-11-26T00:00:00Z"
    editor.put("/events/2", {**EVENT, "date_published": later})
    worker.tell()
    assert not hub.told
    wait(days=2)
    worker.tell()
    assert hub.told == feeds("events")
    assert editor.send("DELETE", "/events/2").status_code == 204
    worker.tell()
    assert hub.told == feeds("events"), "a deletion is not told"


@pytest.mark.both_databases
def test_feeds_in_the_language_of_an_entry_are_told(
    make_worker: MakeWorker, hub: Hub, editor: ApiClient
) -> None:
    worker = make_worker(site_languages=("vi", "en"))
    editor.put("/articles/1", {"title": "x", "language": "en-GB"})
    editor.put("/events/2", EVENT)
    editor.put("/events/3", {**EVENT, "language": "fr"})
    worker.tell()
    in_language = Counter(
        [f"{url}?lang=en" for url in feeds("news")]
        + [f"{url}?lang=vi" for url in feeds("events")]
    )
    assert hub.told == feeds("news", "events") + in_language


def test_change_is_told_after_a_restart_before_it_was_told(
    worker: Worker,
    make_worker: MakeWorker,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    editor.put("/articles/1", ARTICLE)
    worker.notify()
    clock.forward(seconds=1)
    restarted = make_worker()
    assert not hub.told
    restarted.tell()
    assert hub.told == feeds("news")


@pytest.mark.parametrize("status", [503, 408, 429, 302, 307])
def test_failed_hub_is_told_again_later_and_not_redirected(
    make_worker: MakeWorker,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own_clock = Clock(clock.now)
    worker = make_worker(own_clock)
    hub.status = status
    editor.put("/articles/1", ARTICLE)
    worker.tell()
    worker.notify()
    assert hub.told.total() == 1, "the others wait for the next attempt"
    hub.status = 204
    hub.told.clear()
    # The delay ends although the clock is set back.
    own_clock.forward(hours=-1)
    clock.forward(seconds=5)
    worker.notify()
    clock.forward(hours=1)
    worker.notify()
    assert hub.told == feeds("news")
    assert hub.paths == {"/hub"}
    hub.status = status
    editor.put("/events/2", EVENT)
    worker.tell()
    ends = [line.partition("; ")[2] for line in caplog.messages]
    assert ends == ["trying again in 5 s"] * 2, "a success ends the growth"


def test_refused_url_is_logged_and_delays_no_other(
    worker: Worker,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = f"{PUBLIC}/feeds/news.atom"
    hub.refused = {refused}
    hub.body = "Không rõ\nchủ đề\n".encode()
    editor.put("/articles/1", ARTICLE)
    worker.tell()
    (line,) = caplog.messages
    assert f"Hub {hub.url}, {refused}: 403 Forbidden: 'Không rõ'" in line
    assert hub.told == feeds("news")
    clock.forward(seconds=5)
    worker.notify()
    expected = feeds("news")
    expected[refused] = 2
    assert hub.told == expected, "accepted URLs are not repeated"


def test_wrong_address_is_a_warning(
    make_worker: MakeWorker, editor: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    worker = make_worker(url="http://..example/")
    editor.put("/articles/1", ARTICLE)
    worker.tell()
    assert "trying again in 5 s" in caplog.messages[-1]


def test_new_hub_is_told_later_changes(
    make_worker: MakeWorker, hub: Hub, editor: ApiClient, clock: Clock
) -> None:
    editor.put("/articles/1", ARTICLE)
    clock.forward(seconds=1)
    worker = make_worker()
    worker.tell()
    assert not hub.told
    editor.put("/events/2", EVENT)
    worker.tell()
    assert hub.told == feeds("events")


def test_new_hub_is_told_what_changes_before_it_is_stored(
    make_worker: MakeWorker, hub: Hub, editor: ApiClient, clock: Clock
) -> None:
    worker = make_worker(is_ready=False)
    clock.forward(seconds=1)
    editor.put("/articles/1", ARTICLE)
    worker.tell()
    worker.tell()
    assert hub.told == feeds("news")


@pytest.mark.parametrize("drops", [b"x", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_hub_that_never_ends_its_answer_has_failed(
    worker: Worker,
    hub: Hub,
    editor: ApiClient,
    drops: bytes,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("feedsvc.extensions.websub.http_client.TIMEOUT", 0.5)
    hub.drops = drops
    editor.put("/articles/1", ARTICLE)
    with ThreadPoolExecutor() as pool:
        done = pool.submit(worker.tell)
        try:
            done.result(5)
            assert hub.is_disconnected.wait(5)
        finally:
            hub.is_released.set()
    (line,) = caplog.messages
    assert "news.rss: no answer within 0.5 s; trying again in 5 s" in line


CHUNKED = "HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        f"HTTP/1.1 503 {'x' * 60_000}\r\n\r\n",
        f"HTTP/1.1 {'x' * 60_000}\r\n\r\n",
        f"{CHUNKED}{'f' * 20}\r\n",
        # Python's client would read all until the end.
        f"{CHUNKED}-1\r\n",
    ],
    ids=["reason", "status", "chunk", "negative chunk"],
)
def test_hub_with_a_huge_answer_has_failed(
    worker: Worker,
    hub: Hub,
    editor: ApiClient,
    answer: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub.body, hub.drops = answer.encode(), b"\n"
    editor.put("/articles/1", ARTICLE)
    worker.tell()
    (line,) = caplog.messages
    assert line.endswith("; trying again in 5 s")
    assert "no answer" not in line
    assert len(line) < 1_000


def test_notifier_leaves_errors_of_the_database_to_the_tick(
    app: Flask, clock: Clock, tmp_path: Path, hub: Hub
) -> None:
    missing = Database(f"sqlite:///{tmp_path}/missing.db", clock)
    HubNotifier(missing, get_services(app).site, hub.url).notify()
    missing.close()


@contextmanager
def answering(hub: Hub, worker: Worker) -> Iterator[None]:
    """Tell a hub that answers at the end of the context."""
    hub.seconds = 9
    with ThreadPoolExecutor() as pool:
        pool.submit(worker.tell)
        wait_until(lambda: hub.told)
        yield
        hub.is_released.set()


def test_one_worker_at_a_time_tells_until_it_was_stopped(
    worker: Worker,
    make_worker: MakeWorker,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    editor.put("/articles/1", ARTICLE)
    with answering(hub, worker):
        hub.seconds = 0
        other = make_worker()
        other.notify()
        assert hub.told.total() == 1
        clock.forward(seconds=31)
        other.notify()
    assert set(hub.told) == set(feeds("news"))
    assert hub.told.total() == 4


def test_worker_whose_clock_is_ahead_tells_changes_and_claims_nothing(
    make_worker: MakeWorker,
    hub: Hub,
    editor: ApiClient,
    clock: Clock,
) -> None:
    worker_ahead = make_worker(Clock(clock.now + timedelta(hours=1)))
    editor.put("/articles/1", ARTICLE)
    with answering(hub, worker_ahead):
        hub.seconds = 0
        hub.told.clear()
        make_worker()
        assert hub.told == feeds("news")


def test_change_while_a_hub_answers_is_told_afterwards(
    worker: Worker, hub: Hub, editor: ApiClient
) -> None:
    editor.put("/articles/1", ARTICLE)
    with answering(hub, worker):
        editor.put("/events/2", EVENT)
    worker.tell()
    assert hub.told == feeds("news", "events")
