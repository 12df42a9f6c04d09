"""The response cache: validity, simultaneous requests, bounds."""

from __future__ import annotations

import gzip
import re
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from feedsvc.errors import Busy, NotFound, Unavailable
from feedsvc.feeds.response_cache import ResponseCache
from feedsvc.http.compression import COMPRESSORS
from feedsvc.http.conditional import CachedResponse
from feedsvc.models import EPOCH, Check, FeedKey, FeedVersion, Revision
from feedsvc.storage import Storage
from feedsvc.web.cached_responses import cached_responses_blueprint
from tests.fake_clock import Clock
from tests.waiting import wait_until

NEWS, A, B = ("news", 0), ("news", 1), ("news", 2)
MAX_AGE = 60


class FakeStorage(Storage):
    """A change log in memory."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.times: list[datetime] = []
        self.last: dict[FeedKey, int] = {}
        self.is_available = True
        self.syncs = 0

    def write(self, *keys: FeedKey) -> None:
        self.times.append(self.clock.now)
        self.last |= dict.fromkeys(keys, len(self.times))

    def restore(self, *, changes: int) -> None:
        """Replace the database by one with other changes."""
        self.times, self.last = [], {}
        self.clock.forward(seconds=1)
        for _ in range(changes):
            self.write(NEWS)

    def changes_since(
        self, after: Revision
    ) -> tuple[Revision, Mapping[FeedKey, int] | None]:
        self.syncs += 1
        if not self.is_available:
            raise Unavailable("away")
        seq, known_time, _ = after
        time = self.times[-1] if self.times else EPOCH
        revision = len(self.times), time, time
        if seq and (seq > len(self.times) or self.times[seq - 1] != known_time):
            return revision, None
        return revision, {key: last for key, last in self.last.items() if last > seq}


class Harness:
    """A cache of responses that say from which change they were rendered."""

    def __init__(
        self, clock: Clock, max_entries: int = 100, max_bytes: int = 10**7
    ) -> None:
        self.clock = clock
        self.storage = FakeStorage(clock)
        self.cache = ResponseCache(
            self.storage, clock, max_entries, max_bytes, sync_on_read=False
        )
        self.rendered: list[str] = []

    def renderer(
        self, key: str, *keys: FeedKey, length: int = 0, **changes: Any
    ) -> Callable[[], CachedResponse]:
        def render() -> CachedResponse:
            if not self.storage.is_available:
                raise Unavailable("away")
            self.rendered.append(key)
            last = self.storage.last
            seq = max((last.get(feed_key, 0) for feed_key in keys), default=0)
            body = f"{key} of change {seq}".encode().ljust(length, b".")
            version = FeedVersion(self.clock.now, seq, frozenset(keys))
            return CachedResponse(
                body, "text/plain", version, self.clock.now, MAX_AGE, **changes
            )

        return render

    def request(self, key: str, *keys: FeedKey, url: str = "", **changes: Any) -> bytes:
        """Get a response as the application does: from the cache first."""
        hit = self.cache.get(url or key) or self.cache.get_or_render(
            url or key, key, self.renderer(key, *keys, **changes)
        )
        return hit[0].body


@pytest.fixture
def harness(clock: Clock) -> Harness:
    harness = Harness(clock)
    harness.storage.write(NEWS, A, B)
    harness.cache.sync()
    return harness


def run_at_once(number: int, action: Callable[[int], object]) -> list[Any]:
    """Run an action in threads that start together; return results and errors."""
    gate = threading.Barrier(number)

    def run(index: int) -> object:
        gate.wait(5)
        try:
            return action(index)
        except Exception as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def test_sync_invalidates_only_changed_feeds(
    harness: Harness,
) -> None:
    before = harness.request("a", A), harness.request("b", B)
    harness.storage.write(NEWS, A)
    asked = harness.storage.syncs
    assert (harness.request("a", A), harness.request("b", B)) == before
    assert harness.storage.syncs == asked, "between two looks nothing is asked"
    harness.cache.sync()
    assert harness.request("a", A) == b"a of change 2"
    assert harness.request("b", B) == b"b of change 1"
    assert harness.rendered == ["a", "b", "a"]


def test_first_sync_keeps_valid_responses(clock: Clock) -> None:
    harness = Harness(clock)
    harness.storage.write(NEWS, A)
    harness.request("a", A)
    harness.cache.sync()
    assert harness.cache.get("a")


def test_response_that_changed_during_rendering_is_not_cached(
    harness: Harness,
) -> None:
    def render() -> CachedResponse:
        response = harness.renderer("a", A)()
        harness.storage.write(A)
        harness.cache.sync()
        return response

    response, _ = harness.cache.get_or_render("a", "a", render)
    assert response.body == b"a of change 1", "requested before the write"
    assert harness.cache.get("a") is None
    assert harness.request("a", A) == b"a of change 2"


def test_response_rendered_after_a_change_survives_the_sync(
    harness: Harness,
) -> None:
    harness.storage.write(A)
    harness.request("a", A)
    harness.cache.sync()
    assert harness.request("a", A) == b"a of change 2"
    assert harness.rendered == ["a"]


def test_response_rendered_after_a_change_has_a_check_of_that_change(
    harness: Harness,
) -> None:
    harness.storage.write(A)
    response, check = harness.cache.get_or_render("a", "a", harness.renderer("a", A))
    assert (response.version.seq, check.seq) == (2, 2)


def test_simultaneous_syncs_never_go_back(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync with an older snapshot that ends later undoes nothing."""
    has_snapshot, may_return = threading.Event(), threading.Event()
    changes_since = harness.storage.changes_since

    def slow(after: Revision) -> tuple[Revision, Mapping[FeedKey, int] | None]:
        changes = changes_since(after)
        if not has_snapshot.is_set():
            has_snapshot.set()
            assert may_return.wait(60)
        return changes

    monkeypatch.setattr(harness.storage, "changes_since", slow)
    harness.request("a", A)
    first, second = (threading.Thread(target=harness.cache.sync) for _ in range(2))
    first.start()
    assert has_snapshot.wait(60)
    harness.storage.write(A)
    second.start()
    time.sleep(0.05)
    may_return.set()
    first.join()
    second.join()
    assert harness.cache.get("a") is None
    harness.request("a", A)
    harness.cache.sync()
    assert harness.cache.get("a"), "the second change is known"


@pytest.mark.parametrize("changes", [1, 2, 3], ids=["fewer", "as many", "more"])
def test_restored_database_clears_the_cache(harness: Harness, changes: int) -> None:
    harness.storage.write(A)
    harness.cache.sync()

    def slow() -> CachedResponse:
        response = harness.renderer("slow", A)()
        harness.storage.restore(changes=changes)
        harness.cache.sync()
        return response

    harness.request("a", A)
    harness.cache.get_or_render("slow", "slow", slow)
    assert harness.cache.get("a") is None
    assert harness.cache.get("slow") is None, "rendered from lost data"
    assert harness.request("a", A) == b"a of change 0"
    harness.storage.write(A)
    harness.cache.sync()
    assert harness.request("a", A) == b"a of change %d" % (changes + 1)


def test_response_expires_without_a_sync(harness: Harness, clock: Clock) -> None:
    expires_at = clock.now + timedelta(seconds=10)
    harness.request("a", A, expires_at=expires_at)
    clock.forward(seconds=9.999)
    assert harness.cache.get("a")
    clock.forward(seconds=0.001)
    assert harness.cache.get("a") is None


def test_response_rendered_after_its_expiry_is_valid(
    harness: Harness, clock: Clock
) -> None:
    """The scheduler has not applied the change yet."""
    harness.request("a", A, expires_at=clock.now)
    assert harness.cache.get("a")


def test_max_age_counts_from_the_last_sync(harness: Harness, clock: Clock) -> None:
    """A cache must not keep a response beyond its expiry."""
    expires_at = clock.now + timedelta(seconds=100)
    ages = []
    for seconds in (0, 45, 10, 35.5, 9, 0.5):
        clock.forward(seconds=seconds)
        harness.cache.sync()
        response, check = harness.cache.get_or_render(
            "a?x", "a", harness.renderer("a", A, expires_at=expires_at)
        )
        cache_control = dict(response.to_response({}, check)[1])["Cache-Control"]
        ages.append(cache_control.split(",")[1].strip())
    assert ages == [f"max-age={age}" for age in (60, 55, 45, 10, 1, 0)]
    assert harness.rendered == ["a", "a"], "again at the expiry only"


def test_shared_caches_have_their_own_lifetime_until_the_expiry_is_nearer(
    harness: Harness, clock: Clock
) -> None:
    response = harness.renderer(
        "a", A, shared_max_age=20, expires_at=clock.now + timedelta(seconds=100)
    )()
    lifetimes = []
    for second in (0, 40, 41, 80, 81, 100):
        check = Check(clock.now + timedelta(seconds=second))
        headers = dict(response.to_response({}, check).headers)
        cache_control = headers["Cache-Control"]
        lifetimes.append(tuple(map(int, re.findall(r"ma?x-?age=(\d+)", cache_control))))
    assert lifetimes == [(60, 20), (60, 20), (59, 20), (20, 20), (19, 19), (0, 0)]


def test_last_modified_is_sent_once_its_second_is_over(
    harness: Harness, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 26, 12, 0, 0, 200_000, tzinfo=UTC)
    harness.storage.write(A)
    harness.cache.sync()
    sent = []
    for number in range(3):
        harness.request("a", A)
        hit = harness.cache.get("a")
        assert hit
        sent.append(dict(hit[0].to_response({}, hit[1])[1]).get("Last-Modified"))
        clock.forward(seconds=1.4)
        if number == 1:
            harness.cache.sync()
    assert sent == [None, None, "Thu, 26 Nov 2026 12:00:00 GMT"]
    assert harness.rendered == ["a"]


def test_unavailable_database_serves_current_responses(
    harness: Harness, clock: Clock
) -> None:
    harness.request("a", A)
    harness.request("b", B, expires_at=clock.now + timedelta(seconds=5))
    harness.storage.is_available = False
    clock.forward(seconds=10)
    harness.cache.sync()
    assert harness.cache.get("a")
    assert harness.cache.get("b") is None
    assert harness.request("b", B) == b"b of change 1", "although it has expired"


def test_unavailable_database_serves_no_outdated_response(harness: Harness) -> None:
    harness.request("a", A)
    harness.storage.write(A)
    harness.cache.sync()
    harness.storage.is_available = False
    with pytest.raises(Unavailable):
        harness.request("a", A)


def test_simultaneous_requests_render_once(harness: Harness) -> None:
    def slow() -> CachedResponse:
        time.sleep(0.05)
        return harness.renderer("a", A)()

    def request(number: int) -> bytes:
        return harness.cache.get_or_render(f"a?{number}", "a", slow)[0].body

    assert run_at_once(8, request) == [b"a of change 1"] * 8
    assert harness.rendered == ["a"]


def test_simultaneous_requests_outwait_a_slow_first_rendering(
    harness: Harness,
) -> None:
    """The first page of a worker compiles templates, beside 30 waiting threads."""

    def slow() -> CachedResponse:
        time.sleep(1)
        return harness.renderer("/", A)()

    def request(number: int) -> bytes:
        return harness.cache.get_or_render("/", "/", slow)[0].body

    assert run_at_once(30, request) == [b"/ of change 1"] * 30


def test_slow_rendering_leaves_threads_for_other_requests(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedsvc.feeds.response_cache._SHORT_WAIT", 0.05)
    monkeypatch.setattr("feedsvc.feeds.response_cache._LONG_WAIT", 20)
    finish = threading.Event()

    def slow() -> CachedResponse:
        finish.wait(20)
        return harness.renderer("a", A)()

    with ThreadPoolExecutor(32) as pool:
        jobs = [
            pool.submit(harness.cache.get_or_render, "a", "a", slow) for _ in range(32)
        ]
        # One renders, and eight wait for it.
        wait_until(lambda: sum(job.done() for job in jobs) == 23)
        assert harness.request("b", B) == b"b of change 1"
        finish.set()
        errors = [job.exception(20) for job in jobs]
    assert errors.count(None) == 9
    assert all(error is None or isinstance(error, Busy) for error in errors)
    assert harness.rendered == ["b", "a"]


def test_simultaneous_requests_wait_once_for_the_database(harness: Harness) -> None:
    attempts: list[int] = []

    def hang(_: int) -> object:
        def render() -> CachedResponse:
            attempts.append(1)
            time.sleep(0.3)
            raise Unavailable("away")

        return harness.cache.get_or_render("a", "a", render)

    begin = time.monotonic()
    errors = run_at_once(8, hang)
    assert time.monotonic() - begin < 1.5, "not one after the other"
    assert [type(error) for error in errors] == [Unavailable] * 8
    assert len(attempts) <= 2
    assert harness.request("a", A) == b"a of change 1", "a later request tries again"


def test_errors_are_not_cached(harness: Harness) -> None:
    def missing() -> CachedResponse:
        raise NotFound("not there")

    with pytest.raises(NotFound):
        harness.cache.get_or_render("a", "a", missing)
    assert harness.request("a", A) == b"a of change 1"


def test_urls_of_one_feed_share_a_response_and_are_bounded(clock: Clock) -> None:
    harness = Harness(clock, max_entries=50)
    path = "/feeds/news.rss"
    harness.request(path, NEWS)
    for number in range(500):
        harness.request(path, NEWS, url=f"{path}?x={number}")
    assert harness.rendered == [path]
    known = [number for number in range(500) if harness.cache.get(f"{path}?x={number}")]
    assert known == list(range(450, 500)), "the last ones"
    assert harness.cache.get(path), "the canonical URL is no alias"


def test_check_after_a_change_is_no_lead_of_the_clock(
    harness: Harness, clock: Clock
) -> None:
    harness.cache.sync()
    clock.forward(seconds=0.1)
    harness.storage.write(NEWS)
    clock.forward(seconds=0.3)
    harness.cache.sync()
    harness.request("a", NEWS)
    hit = harness.cache.get("a")
    assert hit
    assert hit[1].ahead == timedelta()


def test_long_url_is_not_stored(harness: Harness) -> None:
    url = "/feeds/news.rss?x=" + "y" * 8000
    harness.request("/feeds/news.rss", NEWS, url=url)
    assert harness.cache.get(url) is None


def test_combinations_do_not_evict_pinned_responses(clock: Clock) -> None:
    harness = Harness(clock, max_entries=50)
    for key in range(40):
        harness.request(f"plain {key}", A)
    for number in range(200):
        harness.request(f"combination {number}", A, B, is_pinned=False)
        assert harness.cache.stats()[0] <= 50
    assert all(harness.cache.get(f"plain {key}") for key in range(40))
    assert harness.cache.get("combination 199")
    assert harness.cache.get("combination 0") is None


def test_searches_evict_only_searches(clock: Clock) -> None:
    harness = Harness(clock, max_entries=40)
    for key in range(20):
        harness.request(f"plain {key}", A)
        harness.request(f"combination {key}", A, B, is_pinned=False)
    for number in range(100):
        harness.request(f"search {number}", A, is_pinned=False, has_free_text=True)
    assert all(harness.cache.get(f"combination {key}") for key in range(20))
    harness = Harness(clock, max_entries=40)
    for number in range(100):
        harness.request(f"search {number}", A, is_pinned=False, has_free_text=True)
    assert harness.cache.stats()[0] == 5, "an eighth"
    assert harness.cache.get("search 99")


def test_least_recently_used_response_is_evicted_first(clock: Clock) -> None:
    harness = Harness(clock, max_entries=3)
    for key in ("a", "b", "c", "a", "d"):
        harness.request(key, A)
    assert [key for key in "abcd" if harness.cache.get(key)] == ["a", "c", "d"]


def test_bytes_are_bounded_with_their_encodings(clock: Clock) -> None:
    harness = Harness(clock, max_entries=10_000, max_bytes=100_000)
    for number in range(50):
        key = f"feed {number}"
        harness.request(key, A, length=10_000)
        hit = harness.cache.get(key)
        assert hit
        for encoding in COMPRESSORS:
            hit[0].to_response({"HTTP_ACCEPT_ENCODING": encoding})
    harness.cache.sync()
    number, size = harness.cache.stats()
    assert size <= 100_000
    assert number > 4


def test_cache_without_memory_stores_nothing(clock: Clock) -> None:
    harness = Harness(clock, max_bytes=0)
    assert harness.request("a", A) == b"a of change 0"
    assert harness.cache.stats()[0] == 0


def test_body_is_compressed_once_and_header_sets_do_not_accumulate(
    clock: Clock,
) -> None:
    answer = Harness(clock).renderer(
        "a", A, length=1000, expires_at=clock.now + timedelta(seconds=50)
    )()
    packed = {id(answer.encoded("gzip")) for _ in range(3)}
    for second in range(50):
        check = Check(clock.now + timedelta(seconds=second))
        sent = answer.to_response({"HTTP_ACCEPT_ENCODING": "gzip"}, check)
        assert f"max-age={50 - second}," in dict(sent.headers)["Cache-Control"]
        packed.add(id(sent.body))
        assert gzip.decompress(sent.body) == answer.body
    assert len(packed) == 1
    assert len(answer._header_sets) == 1


def test_response_is_encoded_once_its_body_is_compressed(clock: Clock) -> None:
    answer = Harness(clock).renderer("a", A, length=1000)()
    assert answer.is_encoded({})
    accepts_gzip = {"HTTP_ACCEPT_ENCODING": "gzip"}
    assert not answer.is_encoded(accepts_gzip)
    answer.to_response(accepts_gzip)
    assert answer.is_encoded(accepts_gzip)


@pytest.mark.parametrize(
    ("path", "query", "is_known"),
    [
        ("/a", "", True),
        ("/a", "x=1", True),
        ("/a", "x=2", False),
        ("/a?x=1", "", False),  # percent-encoded: another path
        ("/A", "", False),
        ("//a", "", False),
        ("/a/", "", False),
    ],
)
def test_only_known_urls_are_answered_from_the_cache(
    harness: Harness, path: str, query: str, is_known: bool
) -> None:
    harness.request("/a", A, url="/a?x=1")
    app = Flask(__name__)
    app.register_blueprint(cached_responses_blueprint(harness.cache))

    def status(method: str) -> int:
        environ = create_environ(query_string=query, method=method)
        environ["PATH_INFO"] = path
        return int(run_wsgi_app(app, environ)[1].split()[0])

    expected = 200 if is_known else 404
    assert (status("GET"), status("HEAD")) == (expected, expected)
    assert status("POST") == 404


def test_head_is_answered_from_the_cache_without_body(harness: Harness) -> None:
    harness.request("/a", A)
    app = Flask(__name__)
    app.register_blueprint(cached_responses_blueprint(harness.cache))
    client = app.test_client()
    get, head = client.get("/a"), client.head("/a")
    assert get.data == b"/a of change 1"
    assert head.data == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == "14"


def test_tags_of_requests_take_no_memory(clock: Clock) -> None:
    version = FeedVersion(clock.now, 1)
    response = CachedResponse(b"", "text/plain", version, clock.now, MAX_AGE)

    def ask(number: int) -> None:
        tags = ", ".join(f'"{number}-{index}"' for index in range(1000))
        assert response.to_response({"HTTP_IF_NONE_MATCH": tags}).status == 200

    ask(0)
    tracemalloc.start()
    for number in range(1, 20):
        ask(number)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 200_000


def test_reads_do_not_disturb_evictions(clock: Clock) -> None:
    """A thread reads without pause while others store responses."""
    harness = Harness(clock, max_entries=50)
    harness.storage.write(NEWS)
    harness.cache.sync()
    harness.request("known", NEWS)
    stopped = threading.Event()

    def read() -> None:
        while not stopped.is_set():
            harness.cache.get("known")

    reader = threading.Thread(target=read)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    reader.start()
    try:
        for number in range(2000):
            harness.request(f"other {number}", NEWS, has_free_text=number % 2 == 0)
    finally:
        stopped.set()
        reader.join()
        sys.setswitchinterval(interval)
