"""No document with a token stops the service: its cost is bounded, and others go on."""

import json
import os
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count, islice, permutations
from pathlib import Path
from typing import Any

import pytest
import requests

from feedsvc.text.timezones import zone_names
from tests.conftest import CheckLimit
from tests.data import read_tables
from tests.server import Service
from tests.waiting import wait_until

DIVISOR = int(os.environ.get("COST_DIVISOR", "4"))
"""By which the longest documents and batches are shorter; `make soak` sends all."""

pytestmark = [
    pytest.mark.both_databases if DIVISOR == 1 else pytest.mark.sqlite,
    pytest.mark.bar,
]

MAX_BODY = 8 << 20
MONDAY = "2026-12-07T19:00:00"

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


SIZES = {"text": (256 << 10) // DIVISOR - 50, "body": MAX_BODY // DIVISOR - 50}
"""The lengths of texts and bodies, but for what is before and after a repeated text."""


def make_body(parts: list[Any]) -> bytes:
    """Return a body of data/costly.toml."""
    texts = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        text, times = part
        if times in SIZES:
            times = SIZES[times] // len(text.encode())
        texts.append(text * times)
    return "".join(texts).encode()


def article(**members: Any) -> bytes:
    return json.dumps({"title": "T", **members}).encode()


def event(rrule: str) -> bytes:
    """Return an event that recurs; it starts on a Monday."""
    return article(start=MONDAY, recurrence={"rrule": rrule})


POSITIONS = ",".join(str(number) for number in range(2, 100))
UNKNOWN = {f"{number:036}": 1 for number in range(999)}
SIMILAR = {"".join(name): 1 for name in islice(permutations("duration"), 990)}
TABLES = read_tables("costly")
BODIES: dict[str, dict[str, bytes]] = {
    collection: {name: make_body(parts) for name, parts in TABLES[collection].items()}
    for collection in ("articles", "events", "categories")
}
NEWS, EVENTS = BODIES["articles"], BODIES["events"]
NEWS["unknown members of authors"] = article(authors=[UNKNOWN] * 50)
NEWS["members of authors with similar names"] = article(authors=[SIMILAR] * 50)
EVENTS["positions of a day"] = event(f"FREQ=DAILY;BYDAY=MO;BYSETPOS={POSITIONS}")
EVENTS.update({name: event(rule) for name, rule in TABLES["rules"].items()})
SHAPES = {
    name: (f"/api/v1/{collection}/{collection}", body)
    for collection, bodies in BODIES.items()
    for name, body in bodies.items()
}


class Meter:
    """The processor time and the memory of the only worker of a service."""

    def __init__(self, service: Service) -> None:
        (pid,) = service.workers()
        self._folder = Path(f"/proc/{pid}")
        self._seconds = self._read_seconds()
        # Resets the peak (proc(5)).
        (self._folder / "clear_refs").write_text("5")
        self._mib = self._read_mib("VmRSS")

    def seconds(self) -> float:
        """Return the processor time since the meter began."""
        return self._read_seconds() - self._seconds

    def mib(self) -> float:
        """Return the memory at its peak above that at the begin."""
        return self._read_mib("VmHWM") - self._mib

    def mib_now(self) -> float:
        """Return the present memory above that at the begin."""
        return self._read_mib("VmRSS") - self._mib

    def _read_seconds(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def _read_mib(self, name: str) -> float:
        status = (self._folder / "status").read_text()
        return int(status.partition(f"{name}:")[2].split()[0]) / 1024


@contextmanager
def longest_times(*actions: Callable[[], object]) -> Iterator[list[float]]:
    """Repeat actions in threads, and yield the longest time of each."""
    longest = [0.0 for _ in actions]
    has_ended = threading.Event()

    def repeat(index: int) -> None:
        while not has_ended.wait(0.02):
            begin = time.monotonic()
            actions[index]()
            longest[index] = max(longest[index], time.monotonic() - begin)

    threads = [
        threading.Thread(target=repeat, args=(index,)) for index in range(len(actions))
    ]
    for thread in threads:
        thread.start()
    yield longest
    has_ended.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def one_worker(database_url: str) -> Iterator[Service]:
    service = Service(database_url, WEB_CONCURRENCY="1")
    # The variables of `feedsvc serve` count for a process that is started anew.
    service.is_forked = False
    with service:
        service.put("/articles/articles", {"title": "T"})
        service.put("/categories/categories", {"title": "T"})
        service.put("/events/events", {"title": "T", "start": MONDAY})
        yield service


NUMBERS = count()


def write(service: Service) -> None:
    service.put("/articles/other", {"title": f"Bài {next(NUMBERS)}"})


def read(service: Service) -> None:
    # Another kind than the one that is written, so it is cached.
    assert service.request("GET", "/feeds/events.json").ok


def probe(service: Service) -> None:
    assert service.request("GET", "/healthz").text == "ok\n"


CheckCost = Callable[..., None]


@pytest.fixture
def check_cost(one_worker: Service, check_limit: CheckLimit) -> CheckCost:
    """Return what measures a request beside a writer and a reader of a cached feed."""

    def check(name: str, send: Callable[[], object], seconds: float = 2) -> None:
        others = (partial(write, one_worker), partial(read, one_worker))
        read(one_worker)
        meter = Meter(one_worker)
        with longest_times(*others) as longest:
            send()
        writing, reading = longest
        check_limit(f"{name}: processor", meter.seconds(), seconds / DIVISOR)
        check_limit(f"{name}: another write", writing, 1 / DIVISOR)
        check_limit(f"{name}: a cached feed", reading, 0.1)
        check_limit(f"{name}: memory", meter.mib(), 300 / DIVISOR, "MiB")

    return check


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_cost_of_one_document_is_bounded(
    one_worker: Service, method: str, check_cost: CheckCost
) -> None:
    def send(path: str, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        response = one_worker.request(method, path, data=body, headers=headers)
        assert response.status_code in (200, 201, 400, 413, 422), response.text

    for name, (path, body) in SHAPES.items():
        check_cost(f"{method} {name}", partial(send, path, body))


def batch(kind: str, bodies: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return the items of a batch that puts documents."""
    return [
        {
            "action": "put",
            "kind": kind,
            "id": f"{kind}{number}",
            **json.loads(body),
        }
        for number, body in enumerate(bodies)
    ]


def test_batch_of_costly_documents_delays_nobody(
    one_worker: Service, check_cost: CheckCost
) -> None:
    costly = [EVENTS["sixth day of months"], EVENTS["a Tuesday of Mondays"]]
    items = [
        *batch("events", costly * 2),
        *batch("news", [NEWS["ideographs in a text"], NEWS["ampersands in HTML"]]),
    ]

    def send() -> None:
        response = one_worker.request("POST", "/api/v1/batch", items)
        assert response.status_code == 207

    check_cost("a batch", send, 2 * len(items))


def test_calendar_of_many_time_zones_over_200_years_is_bounded(
    one_worker: Service, check_limit: CheckLimit
) -> None:
    yearly = {"recurrence": {"rrule": "FREQ=YEARLY"}}
    bodies = [
        article(start=f"{year}-01-01T19:00:00", timezone=zone, **more)
        for year, more in ((1970, yearly), (2199, {}))
        for zone in sorted(zone_names())[:250]
    ]
    items = batch("events", bodies)
    assert one_worker.request("POST", "/api/v1/batch", items).ok
    # The changes of zones are computed once.
    for name, limit in (("first", 3), ("second", 0.25)):
        one_worker.put("/events/other", {"title": name, "start": "2026-12-24"})
        meter = Meter(one_worker)
        assert one_worker.request("GET", "/feeds/events.ics").ok
        check_limit(f"time zones, {name} time", meter.seconds(), limit)


@pytest.mark.soak
def test_lists_of_many_events_render_no_calendar(
    one_worker: Service, check_limit: CheckLimit
) -> None:
    documents = [
        article(
            start=f"2030-{number // 80 + 1:02}-{number % 28 + 1:02}T19:00:00",
            summary="Tóm tắt. " * 50,
        )
        for number in range(960)
    ]
    items = batch("events", documents * 2)
    for number, item in enumerate(items):
        item["id"] = f"ahead{number}"
    assert one_worker.request("POST", "/api/v1/batch", items).ok
    meter = Meter(one_worker)

    def read_list(number: int) -> float:
        path = f"/feeds/events.html?limit={number % 100 + 1}&page={number // 100 + 1}"
        begin = time.monotonic()
        answer = one_worker.request("GET", path)
        # Whoever would wait longer is refused.
        assert answer.status_code in (200, 503)
        return time.monotonic() - begin

    with (
        longest_times(partial(write, one_worker)) as longest,
        ThreadPoolExecutor(800) as pool,
    ):
        waits = [*pool.map(read_list, range(800))]
    check_limit("800 lists of events: a write", longest[0], 2)
    check_limit("800 lists of events: the longest wait", max(waits), 7)
    check_limit("800 lists of events", meter.mib(), 110, "MiB")


def test_long_headers_cost_little(one_worker: Service, check_limit: CheckLimit) -> None:
    long = ", ".join(f"a/b{number};q=0.5" for number in range(450))
    for path, name in (
        ("/none", "Accept"),
        ("/feeds/news.json", "Accept-Encoding"),
    ):
        one_worker.request("GET", path)
        meter = Meter(one_worker)
        for number in range(10):
            headers = {name: f"x{number}, {long}"}
            one_worker.request("GET", path, headers=headers)
        check_limit(f"a long {name}", meter.seconds() / 10, 0.05)


@pytest.mark.sqlite
def test_batches_leave_threads_for_others(
    one_worker: Service, check_limit: CheckLimit
) -> None:
    # On most machines four at once take longer than the others wait.
    items = batch("news", [NEWS["formatting in HTML"]] * (12 // DIVISOR))

    def send(number: int) -> int:
        path = f"/api/v1/batch?number={number}"
        return one_worker.request("POST", path, items).status_code

    actions = (partial(act, one_worker) for act in (write, read, probe))
    read(one_worker)
    with (
        longest_times(*actions) as longest,
        ThreadPoolExecutor(16) as pool,
    ):
        statuses = Counter(pool.map(send, range(16)))
    writing, reading, probing = longest
    check_limit("sixteen batches: another write", writing, 2 / DIVISOR)
    check_limit("sixteen batches: a cached feed", reading, 0.5)
    check_limit("sixteen batches: /healthz", probing, 0.5)
    assert statuses.keys() <= {200, 503}
    assert statuses[200] >= 4


@pytest.mark.sqlite
def test_refused_documents_of_batches_leave_no_memory(
    one_worker: Service, check_limit: CheckLimit
) -> None:
    document = article(content_html="<b><i>x<p>" * 14_000, unknown=1)
    items = batch("news", [document] * 54)

    def send(_: int) -> None:
        answer = one_worker.request("POST", "/api/v1/batch", items)
        assert answer.status_code == 207

    meter = Meter(one_worker)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(12)))
    check_limit("refused batches", meter.mib(), 300, "MiB")
    wait_until(lambda: meter.mib_now() < 110)


@pytest.mark.soak
@pytest.mark.sqlite
def test_large_batches_whose_clients_hang_up_are_bounded(
    one_worker: Service, check_limit: CheckLimit
) -> None:
    """A body counts until the end of its thread, also when its client has gone."""
    document = NEWS["formatting in HTML"]
    body = json.dumps(batch("news", [document] * (MAX_BODY // len(document))))
    end = time.monotonic() + 120

    def hang_up(_: int) -> None:
        while time.monotonic() < end:
            with ExitStack() as stack:
                connection = one_worker.begin_body(
                    stack, len(body), "POST /api/v1/batch"
                )
                # The service may refuse it before it is complete.
                with suppress(ConnectionError):
                    connection.sendall(body.encode())
                time.sleep(6)

    meter = Meter(one_worker)
    with ThreadPoolExecutor(4) as pool:
        clients = pool.map(hang_up, range(4))
        while time.monotonic() < end:
            begin = time.monotonic()
            items = batch("news", [article()])
            answer = one_worker.request("POST", "/api/v1/batch", items)
            assert answer.status_code in (200, 503)
            seconds = time.monotonic() - begin
            check_limit("hung-up batches: one of an item", seconds, 6)
        list(clients)
    check_limit("hung-up batches", meter.mib(), 300, "MiB")
    wait_until(lambda: meter.mib_now() < 110)


HALF = MAX_BODY // 2
SMALL = 64 << 10


@pytest.mark.sqlite
def test_half_bodies_without_a_token_occupy_little(
    one_worker: Service, check_limit: CheckLimit
) -> None:
    """Each counts from its first byte to its end, whatever others do meanwhile."""
    token, one_worker.token = one_worker.token, "fsv_wrong"
    meter = Meter(one_worker)
    with ExitStack() as stack:
        connections = [
            one_worker.begin_body(stack, length)
            for length in [MAX_BODY] * 40 + [SMALL] * 300
        ]
        # Requests without a body come between heads and bodies.
        for _ in range(80):
            one_worker.request("GET", "/feeds/none.rss")
        for number, connection in enumerate(connections[:40]):
            # Some send nothing, and others a little.
            send_part(connection, (HALF, HALF, HALF, 0, 1)[number % 5])
            one_worker.request("GET", "/feeds/none.rss")
        for connection in connections[40:]:
            send_part(connection, SMALL - 1)
        one_worker.token = token
        # Every write of a usual length goes on.
        for _ in range(10):
            document = {"title": "T", "summary": "x" * 2000}
            one_worker.put("/articles/x", document)
        check_limit("half bodies: memory", meter.mib(), 110, "MiB")
    # What was occupied is free after the disconnects.
    wait_until(lambda: put_large(one_worker).ok)


def put_large(service: Service) -> requests.Response:
    """PUT a document that is longer than what counts as small."""
    large = {"title": "T", "content_text": "x" * SMALL}
    return service.request("PUT", "/api/v1/articles/x", large)


def send_part(connection: socket.socket, size: int) -> None:
    # The service may refuse it before it is complete.
    with suppress(ConnectionError):
        connection.sendall(b" " * size)


@pytest.mark.sqlite
def test_bodies_being_sent_are_bounded(one_worker: Service) -> None:
    token, one_worker.token = one_worker.token, ""
    with ExitStack() as stack:
        without_token = one_worker.begin_body(stack, MAX_BODY)
        assert without_token.recv(65536).startswith(b"HTTP/1.1 401 ")
        one_worker.token = token
        connections = []
        for _ in range(9):
            connections.append(one_worker.begin_body(stack, MAX_BODY))
            send_part(connections[-1], MAX_BODY - 1)
        # Eight have room; the others still wait for their last byte.
        (refused,), _, _ = select.select(connections, [], [], 20)
        answer = refused.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in answer.lower()
        assert one_worker.request("GET", "/feeds/news.rss").ok
        assert put_large(one_worker).status_code == 503
    wait_until(lambda: put_large(one_worker).ok)
