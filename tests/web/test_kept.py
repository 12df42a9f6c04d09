"""What is kept: right by the ledger and the clock, made once, bounded, with a ledger that the tests hold."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feedsvc.errors import NotFound, Unavailable
from feedsvc.feeds.cache import ResponseCache
from feedsvc.http.conditional import COMPRESSORS, CachedResponse
from feedsvc.models import EPOCH, Check, FeedKey, FeedVersion, Revision
from feedsvc.web.cache_middleware import CacheMiddleware
from tests.fake_clock import Clock

NEWS, A, B = ("news", 0), ("news", 1), ("news", 2)
MAX_AGE = 60


@dataclass
class Ledger:
    """Steps, the topics' last ones, and what readers are told of them."""

    clock: Clock
    steps: list[datetime] = field(default_factory=list)
    last: dict[FeedKey, int] = field(default_factory=dict)
    away: bool = False
    asked: int = 0

    def write(self, *topics: FeedKey) -> None:
        self.steps.append(self.clock.now)
        self.last |= dict.fromkeys(topics, len(self.steps))

    def moved(self, after: Revision) -> tuple[Revision, Mapping[FeedKey, int] | None]:
        self.asked += 1
        if self.away:
            raise Unavailable("away")
        seq, at, _ = after
        time = self.steps[-1] if self.steps else EPOCH
        last = len(self.steps), time, time
        if seq and (seq > len(self.steps) or self.steps[seq - 1] != at):
            return last, None
        return last, {topic: step for topic, step in self.last.items() if step > seq}


@dataclass
class World:
    """A cache over a ledger, and an app that makes answers of it."""

    clock: Clock
    entries: int = 100
    size: int = 10**7
    always: bool = False
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.clock)
        self.kept = ResponseCache(
            self.ledger.moved,
            self.clock,
            self.entries,
            self.size,
            always_look=self.always,
        )

    def make(
        self, key: str, *topics: FeedKey, length: int = 0, **changes: Any
    ) -> Callable[[], CachedResponse]:
        def make() -> CachedResponse:
            if self.ledger.away:
                raise Unavailable("away")
            self.made.append(key)
            seq = max((self.ledger.last.get(topic, 0) for topic in topics), default=0)
            body = f"{key} of step {seq}".encode().ljust(length, b".")
            stamp = FeedVersion(self.clock.now, seq, frozenset(topics))
            return CachedResponse(
                body, "text/plain", stamp, self.clock.now, MAX_AGE, **changes
            )

        return make

    def ask(
        self, key: str, *topics: FeedKey, address: str = "", **changes: Any
    ) -> bytes:
        """As a request does: the hot way first."""
        found = self.kept.get(address or key) or self.kept.get_or_render(
            address or key, key, self.make(key, *topics, **changes)
        )
        return found[0].body


@pytest.fixture
def world(clock: Clock) -> World:
    made = World(clock)
    made.ledger.write(NEWS, A, B)
    made.kept.sync()
    return made


def test_a_write_is_seen_by_the_next_look_and_touches_its_topics_alone(
    world: World,
) -> None:
    before = world.ask("a", A), world.ask("b", B)
    world.ledger.write(NEWS, A)
    asked = world.ledger.asked
    assert (world.ask("a", A), world.ask("b", B)) == before
    assert world.ledger.asked == asked, "between two looks nothing is asked"
    world.kept.sync()
    assert world.ask("a", A) == b"a of step 2"
    assert world.ask("b", B) == b"b of step 1"
    assert world.made == ["a", "b", "a"]


def test_the_first_look_drops_nothing_that_is_right(clock: Clock) -> None:
    world = World(clock)
    world.ledger.write(NEWS, A)
    world.ask("a", A)
    world.kept.sync()
    assert world.kept.get("a")


def test_what_moves_while_it_is_made_is_not_answered_to_others(world: World) -> None:
    def slow() -> CachedResponse:
        made = world.make("a", A)()
        world.ledger.write(A)
        world.kept.sync()
        return made

    found, _ = world.kept.get_or_render("a", "a", slow)
    assert found.body == b"a of step 1", (
        "who asked before the write is answered with what was there"
    )
    assert world.kept.get("a") is None
    assert world.ask("a", A) == b"a of step 2"


def test_what_was_made_after_a_write_outlives_the_look_that_learns_of_it(
    world: World,
) -> None:
    world.ledger.write(A)
    world.ask("a", A)
    world.kept.sync()
    assert world.ask("a", A) == b"a of step 2"
    assert world.made == ["a"]


def test_looks_at_once_never_go_back(world: World) -> None:
    """A look that took its snapshot earlier and comes later must not undo what another has learnt."""
    ahead, go = threading.Event(), threading.Event()
    plain = world.ledger.moved

    def slow(after: Revision) -> tuple[Revision, Mapping[FeedKey, int] | None]:
        found = plain(after)
        if not ahead.is_set():
            ahead.set()
            assert go.wait(5)
        return found

    world.kept._changes_since = slow
    world.ask("a", A)
    early, late = (threading.Thread(target=world.kept.sync) for _ in range(2))
    early.start()
    assert ahead.wait(5)
    world.ledger.write(A)
    late.start()
    time.sleep(0.05)
    go.set()
    early.join()
    late.join()
    assert world.kept._revision[0] == 2
    assert world.kept.get("a") is None


@pytest.mark.parametrize("behind", [1, 2, 3], ids=["older", "as far", "further"])
def test_a_restored_database_ends_all_that_was_kept(
    world: World, clock: Clock, behind: int
) -> None:
    world.ledger.write(A)
    world.kept.sync()

    def slow() -> CachedResponse:
        made = world.make("slow", A)()
        world.ledger.steps[:], world.ledger.last = [], {}
        clock.forward(seconds=1)
        for _ in range(behind):
            world.ledger.write(NEWS)
        world.kept.sync()
        return made

    world.ask("a", A)
    world.kept.get_or_render("slow", "slow", slow)
    assert world.kept.get("a") is None
    assert world.kept.get("slow") is None, "made of what is no more"
    assert world.ask("a", A) == b"a of step 0"
    world.ledger.write(A)
    world.kept.sync()
    assert world.ask("a", A) == b"a of step %d" % (behind + 1)


def test_a_moment_that_comes(world: World, clock: Clock) -> None:
    due = clock.now + timedelta(seconds=10)
    world.ask("a", A, expires_at=due)
    clock.forward(seconds=9.999)
    assert world.kept.get("a")
    clock.forward(seconds=0.001)
    assert world.kept.get("a") is None, "no look is needed for it"
    world.ask("a", A, expires_at=due)
    assert world.kept.get("a"), (
        "what is made at a moment that is not settled yet is right until it is"
    )


def test_lifetimes_go_by_the_last_look(world: World, clock: Clock) -> None:
    """A cache must not keep beyond the moment what was made long before it."""
    due = clock.now + timedelta(seconds=100)
    ages = []
    for after in (0, 45, 10, 35.5, 9, 0.5):
        clock.forward(seconds=after)
        world.kept.sync()
        answer, looked = world.kept.get_or_render(
            "a?x", "a", world.make("a", A, expires_at=due)
        )
        ages.append(
            dict(answer.to_response({}, looked)[1])["Cache-Control"]
            .split(",")[1]
            .strip()
        )
    assert ages == [f"max-age={age}" for age in (60, 55, 45, 10, 1, 60 * 0)]
    assert world.made == ["a", "a"], "once, and at the moment"


def test_last_modified_is_stated_once_the_look_is_late_enough(
    world: World, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 26, 12, 0, 0, 200_000, tzinfo=UTC)
    world.ledger.write(A)
    world.kept.sync()
    stated = []
    for _ in range(3):
        world.ask("a", A)
        found = world.kept.get("a")
        assert found
        stated.append(dict(found[0].to_response({}, found[1])[1]).get("Last-Modified"))
        clock.forward(seconds=1.4)
        if len(stated) == 2:
            world.kept.sync()
    assert stated == [None, None, "Thu, 26 Nov 2026 12:00:00 GMT"]
    assert world.made == ["a"]


def test_a_database_that_is_away(world: World, clock: Clock) -> None:
    world.ask("a", A)
    world.ask("b", B, expires_at=clock.now + timedelta(seconds=5))
    world.ledger.away = True
    clock.forward(seconds=10)
    world.kept.sync()
    assert world.kept.get("a")
    assert world.kept.get("b") is None
    assert world.ask("b", B) == b"b of step 1", (
        "its moment has come, and nobody can say what follows"
    )
    world.ledger.away = False
    world.ledger.write(A)
    world.kept.sync()
    world.ledger.away = True
    with pytest.raises(Unavailable):
        world.ask("a", A)  # it is known to be wrong


def test_a_burst_makes_one(world: World) -> None:
    gate, bodies = threading.Barrier(8), []

    def slow() -> CachedResponse:
        time.sleep(0.05)
        return world.make("a", A)()

    def ask(number: int) -> None:
        gate.wait(5)
        bodies.append(world.kept.get_or_render(f"a?{number}", "a", slow)[0].body)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"a of step 1"] * 8
    assert world.made == ["a"]
    assert not world.kept._in_flight


def test_a_burst_waits_once_for_a_database_that_does_not_answer(world: World) -> None:
    gate, outcomes, tries = threading.Barrier(8), [], []

    def hanging() -> CachedResponse:
        tries.append(1)
        time.sleep(0.3)
        raise Unavailable("away")

    def ask() -> None:
        gate.wait(5)
        with pytest.raises(Unavailable):
            world.kept.get_or_render("a", "a", hanging)
        outcomes.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 8
    assert len(tries) <= 2
    assert time.monotonic() - begun < 1.5, "not one after the other"
    assert world.ask("a", A) == b"a of step 1", "who comes later tries again"


def test_what_is_not_there_is_not_remembered(world: World) -> None:
    def missing() -> CachedResponse:
        raise NotFound("not there")

    with pytest.raises(NotFound):
        world.kept.get_or_render("a", "a", missing)
    assert world.ask("a", A) == b"a of step 1"


def test_spellings_share_one_answer_and_a_flood_of_them_one_place(clock: Clock) -> None:
    world = World(clock, entries=50)
    world.ask("/feeds/news.rss", NEWS)
    for number in range(5000):
        world.ask("/feeds/news.rss", NEWS, address=f"/feeds/news.rss?x={number}")
    assert world.made == ["/feeds/news.rss"]
    assert len(world.kept._aliases) == 50
    assert world.kept.get("/feeds/news.rss?x=4999")
    assert world.kept.get("/feeds/news.rss"), (
        "its own address needs no place among them"
    )
    world.ask("/feeds/news.rss", NEWS, address="/feeds/news.rss?x=" + "y" * 8000)
    assert max(map(len, world.kept._aliases)) < 300


def test_a_flood_of_combinations_leaves_sections_and_categories(clock: Clock) -> None:
    world = World(clock, entries=50)
    for key in range(40):
        world.ask(f"plain {key}", A)
    for number in range(1000):
        world.ask(f"combination {number}", A, B, is_pinned=False)
        assert len(world.kept._responses) <= 50
    assert all(world.kept.get(f"plain {key}") for key in range(40))
    assert world.kept.get("combination 999")
    assert world.kept.get("combination 0") is None


def test_what_was_used_longest_ago_goes(clock: Clock) -> None:
    world = World(clock, entries=3)
    for key in ("a", "b", "c", "a", "d"):
        world.ask(key, A)
    assert [key for key in "abcd" if world.kept.get(key)] == ["a", "c", "d"]


def test_bytes_are_bounded_with_their_encodings(clock: Clock) -> None:
    world = World(clock, entries=10_000, size=1_000_000)
    for number in range(500):
        key = f"feed {number}"
        world.ask(key, A, length=10_000)
        found = world.kept.get(key)
        assert found
        for coding in COMPRESSORS:
            found[0].to_response({"HTTP_ACCEPT_ENCODING": coding})
    world.kept.sync()
    sizes = [answer.size for answer in world.kept._responses.values()]
    assert sum(sizes) <= 1_000_000
    assert len(sizes) > 40
    world = World(clock, size=0)
    assert world.ask("a", A) == b"a of step 0"
    assert not world.kept._responses


def test_a_coding_is_made_once_and_heads_do_not_pile_up(clock: Clock) -> None:
    answer = World(clock).make(
        "a", A, length=1000, expires_at=clock.now + timedelta(seconds=50)
    )()
    packed = {id(answer.encoded("gzip")) for _ in range(3)}
    for second in range(50):
        check = Check(clock.now + timedelta(seconds=second))
        _, headers, body = answer.to_response({"HTTP_ACCEPT_ENCODING": "gzip"}, check)
        assert f"max-age={50 - second}," in dict(headers)["Cache-Control"]
        packed.add(id(body))
        assert gzip.decompress(body) == answer.body
    assert len(packed) == 1
    assert len(answer._header_sets) == 1


@pytest.mark.parametrize(
    ("path", "query", "answered"),
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
def test_only_addresses_that_were_answered_go_around_the_app(
    world: World, path: str, query: str, answered: bool
) -> None:
    world.ask("/a", A, address="/a?x=1")
    passed, started = [], []
    hot = CacheMiddleware(
        lambda environ, start_response: passed.append(1) or [],  # type: ignore[func-returns-value]
        world.kept,
    )
    for method in ("GET", "HEAD", "POST", "OPTIONS", "get"):
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
        body = b"".join(
            hot(environ, lambda status, headers: started.append(dict(headers)))  # type: ignore[arg-type]
        )
        assert body == (
            b"a of step 1".replace(b"a", b"/a", 1)
            if answered and method == "GET"
            else b""
        )
    assert len(passed) == (3 if answered else 5)
    assert [headers["Content-Length"] for headers in started] == ["12"] * (
        2 if answered else 0
    )
