"""A flood of one kind of reads, whose clients hang up, delays no other requests."""

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from statistics import quantiles

import pytest

from bench.dataset import PLACES, TOPICS, fill
from tests.conftest import CheckLimit
from tests.integration.nginx import NGINX, nginx
from tests.integration.test_cost import longest_times
from tests.server import Service

pytestmark = [pytest.mark.both_databases, pytest.mark.soak]

SECONDS = 10
ENTRIES = 20_000
NUMBERS = count(1)


def search() -> str:
    words = "+".join(random.sample("noi dung cua bai tom tat".split(), 2))
    return f"/feeds/news.html?q={words}+{next(NUMBERS)}"


def calendar() -> str:
    today = datetime.now(UTC).date()
    first = today + timedelta(days=random.randrange(-300, 300))
    last = first + timedelta(days=random.randrange(7, 90))
    suffix = random.choice(["ics", "html"])
    return f"/feeds/events/{random.choice(TOPICS)}.{suffix}?from={first}&to={last}"


def changes() -> str:
    return f"/api/v1/changes?limit=1000&after={next(NUMBERS)}"


def feed() -> str:
    number = next(NUMBERS)
    return f"/feeds/news/{random.choice(TOPICS)}.rss?limit={number % 80 + 20}"


FLOODS: dict[str, tuple[Callable[[], str], int]] = {
    "searches": (search, 80),
    "calendars": (calendar, 40),
    "changes": (changes, 40),
    "feeds": (feed, 40),
}
"""The URLs of each flood, and how many clients come in a second."""


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    fill(database_url, ENTRIES)
    service = Service(database_url)
    # The variables of `feedsvc serve` count for a process that is started anew.
    service.is_forked = False
    with service:
        yield service


def hang_up(url: str, path: str) -> None:
    """Send a request, and do not wait for its response."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())


def measure(action: Callable[[], None], times: list[float]) -> None:
    begin = time.monotonic()
    action()
    times.append(time.monotonic() - begin)


@pytest.mark.parametrize("proxy", [False, True], ids=["direct", "nginx"])
def test_flood_of_one_kind_delays_no_other(
    service: Service, proxy: bool, tmp_path: Path, check_limit: CheckLimit
) -> None:
    if proxy and not NGINX:
        pytest.skip("nginx is missing")

    def read(make_path: Callable[[], str]) -> None:
        response = service.request("GET", make_path())
        assert response.status_code in (200, 404), response.text

    def write() -> None:
        service.put(f"/articles/other{next(NUMBERS) % 20}", {"title": "T"})

    def place() -> str:
        return f"/feeds/news/{random.choice(PLACES)}.rss?limit={next(NUMBERS) % 90 + 1}"

    with ExitStack() as stack:
        if proxy:
            service.url = stack.enter_context(nginx(tmp_path, service.port))
        actions: dict[str, Callable[[], None]] = {
            "a cached feed": partial(read, lambda: "/feeds/events.json"),
            "a feed": partial(read, place),
            "a write": write,
        }
        for _ in range(20):
            # So that each worker has it.
            actions["a cached feed"]()
        for name, (make_path, rate) in FLOODS.items():
            times: dict[str, list[float]] = {action: [] for action in actions}
            timed = [
                partial(measure, actions[action], times[action]) for action in actions
            ]
            begin = time.monotonic()
            with longest_times(*timed):
                for number in range(SECONDS * rate):
                    hang_up(service.url, make_path())
                    time.sleep(max(0, begin + number / rate - time.monotonic()))
            for action, seconds in times.items():
                slow = quantiles(seconds, n=50)[-1]
                limit = 0.1 if "cached" in action else 0.6
                check_limit(f"a flood of {name}: 98 % of {action}", slow, limit)
