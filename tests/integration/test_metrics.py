"""Metrics of several workers agree with what was asked, whichever worker answers, and through restarts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from feedsvc.models import SCOPES
from tests.server import ROOT, Service, free_port
from tests.websub.conftest import read_metrics, run_deliver

SAMPLE = re.compile(r"^(\w+?)(?:\{(.*)\})? ([0-9.e+-]+)$", re.MULTILINE)


class Measured(Service):
    """A service with metrics."""

    def __init__(self, url: str, **environ: str) -> None:
        self.metrics = f"127.0.0.1:{free_port()}"
        super().__init__(url, FEEDSVC_METRICS=self.metrics, **environ)

    def scrape(self) -> dict[tuple[str, str], float]:
        """Each sample's value, by its name and labels."""
        answer = requests.get(
            f"http://{self.metrics}/metrics", timeout=5, headers={"Connection": "close"}
        )
        assert answer.ok
        return {
            (name, labels): float(value)
            for name, labels, value in SAMPLE.findall(answer.text)
        }

    def total(self, name: str, *labels: str) -> int:
        """The sum of what has some labels."""
        found = self.scrape().items()
        return int(
            sum(
                value
                for (key, given), value in found
                if key == name and set(labels) <= set(given.split(","))
            )
        )


@pytest.fixture
def measured(database_url: str) -> Iterator[Measured]:
    service = Measured(database_url, WEB_CONCURRENCY="3")
    service.command("init-demo")
    service.start()
    yield service
    service.stop()


@pytest.mark.sqlite
def test_the_counts_are_those_of_who_asked(measured: Measured) -> None:
    measured.make_token(*SCOPES)
    assert (
        measured.request("PUT", "/api/v1/articles/a", {"title": "Một"}).status_code
        == 201
    )
    assert (
        measured.request("PUT", "/api/v1/articles/a", {"title": ""}).status_code == 422
    )
    stranger = requests.put(
        f"{measured.url}/api/v1/articles/a",
        json={},
        headers={"Connection": "close"},
        timeout=5,
    )
    assert stranger.status_code == 401
    etag = measured.request("GET", "/feeds/news.rss").headers["ETag"]
    asked = Counter[int]()

    def ask(number: int) -> int:
        headers = {"If-None-Match": etag} if number % 3 == 0 else {}
        return measured.request("GET", "/feeds/news.rss", headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        for round in range(3):
            asked.update(pool.map(ask, range(300)))
            os.kill(
                measured.workers()[round % 2], signal.SIGTERM
            )  # its successor counts on
            time.sleep(0.2)
    time.sleep(1.2)
    name, feed = "feedsvc_requests_total", ('route="feeds"', 'format="rss"')
    assert asked == {200: 600, 304: 300}
    assert measured.total(name, *feed) == 901
    assert measured.total(name, *feed, 'outcome="304"') == 300
    hits = measured.total(name, *feed, 'outcome="hit"')
    misses = measured.total(name, *feed, 'outcome="miss"')
    assert hits + misses == 601
    assert 1 <= misses <= 12, "each worker renders it once, or again after a write"
    assert measured.total("feedsvc_render_seconds_count", *feed) == misses
    assert measured.total("feedsvc_writes_total", 'outcome="2xx"') == 1
    assert measured.total("feedsvc_writes_total", 'outcome="4xx"') == 2
    assert measured.total("feedsvc_auth_failures_total") == 1
    # A worker that has just started reports 0 until its first check of the change log.
    deadline = time.monotonic() + 30
    while (
        abs(
            measured.scrape()["feedsvc_cache_synced_timestamp_seconds", ""]
            - time.time()
        )
        >= 3
    ):
        assert time.monotonic() < deadline, "a worker does not check the change log"
        time.sleep(0.1)
    found = measured.scrape()
    assert 1 <= found["feedsvc_cache_entries", ""] <= 9
    assert found["feedsvc_cache_bytes", ""] > 1000
    assert (
        0
        < time.time() - found["feedsvc_newest_entry_timestamp_seconds", 'kind="news"']
        < 7 * 86400
    )
    assert (
        found["feedsvc_websub", 'state="pending"']
        == found["feedsvc_websub_oldest_pending_seconds", ""]
        == 0
    )
    assert measured.request("GET", "/metrics").status_code == 404, (
        "nothing of it is public"
    )
    for command in (
        ["-m", "feedsvc"],
        ["-m", "flask", "--app", "wsgi"],
    ):  # which listen nowhere
        subprocess.run(
            [sys.executable, *command, "token", "list"],
            cwd=ROOT,
            env=measured.environ,
            check=True,
        )


def names(panel: object) -> set[str]:
    """The metrics that the queries of a dashboard name."""
    if isinstance(panel, dict):
        own = (
            set(re.findall(r"feedsvc_\w+", panel["expr"])) if "expr" in panel else set()
        )
        return own.union(*map(names, panel.values()))
    return set[str]().union(*map(names, panel)) if isinstance(panel, list) else set()


@pytest.mark.sqlite
def test_every_query_of_the_dashboard_names_a_metric_that_there_is(
    measured: Measured,
) -> None:
    measured.make_token(*SCOPES)
    measured.request("PUT", "/api/v1/articles/a", {"title": "Một"})
    measured.request("GET", "/feeds/news.rss")
    requests.put(
        f"{measured.url}/api/v1/articles/a",
        json={},
        headers={"Connection": "close"},
        timeout=5,
    )
    time.sleep(1.2)
    asked = names(json.loads((ROOT / "deploy/grafana.json").read_text("utf-8")))
    found = measured.scrape()
    with run_deliver(measured) as (_, metrics):
        there = {name.partition("{")[0] for name in read_metrics(metrics)} | {
            name for name, _ in found
        }
    assert len(asked) >= 8
    assert asked <= there
    operating = (ROOT / "docs/operating.md").read_text("utf-8")
    alarms = set(re.findall(r"feedsvc_\w+", operating))
    assert alarms - {"feedsvc_moved"} <= there | {
        name.removesuffix("_count") for name in there
    }
    labels = {label for _, some in found for label in some.split(",")}
    assert set(re.findall(r'\b(?:state|kind|route)="\w+"', operating)) <= labels


@pytest.mark.sqlite
def test_a_port_that_is_taken_stops_the_start(
    database_url: str, tmp_path: Path
) -> None:
    first = Service(database_url)
    first.start()
    try:
        second = Service(database_url, FEEDSVC_METRICS=f"127.0.0.1:{first.port}")
        with pytest.raises(AssertionError, match="gunicorn has ended"):
            second.start(tmp_path / "log")
        assert (
            "Error: FEEDSVC_METRICS cannot be listened on"
            in (tmp_path / "log").read_text()
        )
    finally:
        first.stop()
