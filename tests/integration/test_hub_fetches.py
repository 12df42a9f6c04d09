"""A hub that fetches what it is told at once, behind deploy/nginx.conf."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.conftest import RecordMeasurement
from tests.hub import PUBLIC, Hub, feeds, run
from tests.integration.nginx import NGINX, nginx
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")


@contextmanager
def instances(database_url: str, *hubs: Hub) -> Iterator[list[Service]]:
    """Start two services on one database."""
    environ = {
        "FEEDSVC_PUBLIC_URL": PUBLIC,
        "FEEDSVC_HUBS": ",".join(hub.url for hub in hubs),
    }
    services = [Service(database_url, **environ) for _ in range(2)]
    token = services[0].make_token("news:write", "categories:write")
    services[1].token = token
    with services[0], services[1]:
        yield services


@contextmanager
def repeated(action: Callable[[], object]) -> Iterator[None]:
    """Do something again and again meanwhile, as readers do."""
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(0.1):
            action()

    with ThreadPoolExecutor() as pool:
        repeating = pool.submit(run)
        try:
            yield
        finally:
            is_over.set()
    repeating.result()


@pytest.mark.both_databases
@pytest.mark.bar
@pytest.mark.parametrize(
    ("number", "rounds"),
    [(4, 1), pytest.param(20, 5, marks=pytest.mark.soak)],
)
def test_hub_fetches_the_feed_with_the_change(
    database_url: str,
    number: int,
    rounds: int,
    tmp_path: Path,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    """In each round, articles are written in some categories, one in each."""
    paths = [f"news/c{index}" for index in range(number)]
    urls = sorted(feeds(*paths))
    fetched: dict[str, list[str]] = defaultdict(list)
    told_at: dict[str, float] = {}
    seconds: list[float] = []
    fresh = 0

    with (
        run(Hub()) as hub,
        instances(database_url, hub) as services,
        nginx(tmp_path, *(service.port for service in services)) as proxy,
    ):

        def get(url: str) -> str:
            response = requests.get(proxy + urlsplit(url).path, timeout=10)
            assert response.ok
            return response.text

        def fetch(url: str) -> None:
            told_at[url] = time.monotonic()
            fetched[url].append(get(url))

        def is_told(times: int) -> bool:
            return all(len(fetched[url]) >= times for url in urls)

        hub.fetch = fetch
        for path in paths:
            slug = path.removeprefix("news/")
            services[0].put(f"/categories/{slug}", {"title": slug})
        with repeated(lambda: [get(url) for url in urls]):
            for turn in range(rounds):
                title = f"Tin {turn}"
                written_at = {}
                for path, service in zip(paths, cycle(services), strict=False):
                    slug = path.removeprefix("news/")
                    article = {"title": title, "categories": [slug]}
                    # So that the proxy has the feeds from before the write.
                    for url in feeds(path):
                        get(url)
                    service.put(f"/articles/{slug}", article)
                    written_at[path] = time.monotonic()
                wait_until(partial(is_told, turn + 1))
                for path in paths:
                    own = sorted(feeds(path))
                    fresh += all(title in fetched[url][turn] for url in own)
                    last = max(told_at[url] for url in own)
                    seconds.append(last - written_at[path])

    writes = number * rounds
    record_measurement(
        "writes that a hub fetches at once", f"{fresh} of {writes}", "all"
    )
    record_measurement("from a write to a hub", f"{max(seconds):.1f} s", "8 s")
    assert fresh == writes
    # Several changes of the section may be told together.
    assert {url: hub.told[url] for url in urls} == dict.fromkeys(urls, rounds)
    assert set(hub.told) == {*urls, *feeds("news")}
    assert max(seconds) < 8 * time_factor
