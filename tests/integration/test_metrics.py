"""Metrics of several workers, which any worker reports, also after restarts."""

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

from feedsvc.feed_query import FORMATS
from feedsvc.models import SCOPES
from tests.server import ROOT, Service, free_port
from tests.waiting import wait_until
from tests.websub.conftest import read_metrics, run_deliver

pytestmark = pytest.mark.sqlite

SAMPLE = re.compile(r"^(\w+?)(?:\{(.*)\})? ([0-9.e+-]+)$", re.MULTILINE)
REQUESTS = "feedsvc_requests_total"
NEWS_RSS = ('route="feeds"', 'format="rss"')


class MeasuredService(Service):
    """A service with metrics."""

    def __init__(self, url: str, **environ: str) -> None:
        self.metrics = f"127.0.0.1:{free_port()}"
        super().__init__(url, FEEDSVC_METRICS=self.metrics, **environ)

    def scrape(self) -> dict[tuple[str, str], float]:
        """Return the values of all samples, by name and labels."""
        deadline = time.monotonic() + 60
        while True:
            try:
                text = requests.get(
                    f"http://{self.metrics}/metrics",
                    timeout=30,
                    headers={"Connection": "close"},
                ).text
                break
            except requests.ConnectionError:
                # The kernel had given the connection to a worker that was ending.
                assert time.monotonic() < deadline
        return {
            (name, labels): float(value) for name, labels, value in SAMPLE.findall(text)
        }

    def total(self, name: str, *labels: str) -> int:
        """Return the sum of the samples that have some labels."""
        values = (
            value
            for (key, sample_labels), value in self.scrape().items()
            if key == name and set(labels) <= set(sample_labels.split(","))
        )
        return int(sum(values))

    def put(self, document: object, **headers: str) -> int:
        """PUT an article; return the status."""
        return self.request(
            "PUT", "/api/v1/articles/a", document, headers=headers
        ).status_code


@pytest.fixture
def service(database_url: str) -> Iterator[MeasuredService]:
    service = MeasuredService(database_url, WEB_CONCURRENCY="3")
    service.command("init-demo")
    service.make_token(*SCOPES)
    service.start()
    yield service
    service.stop()


def test_counts_are_exact_while_workers_are_replaced(service: MeasuredService) -> None:
    assert service.put({"title": "Một"}) == 201
    assert service.put({"title": ""}) == 422
    assert service.put({}, Authorization="Bearer x") == 401
    etag = service.request("GET", "/feeds/news.rss").headers["ETag"]
    statuses = Counter[int]()

    def get(number: int) -> int:
        headers = {"If-None-Match": etag} if number % 3 == 0 else {}
        return service.request("GET", "/feeds/news.rss", headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        for number in range(2):
            statuses.update(pool.map(get, range(150)))
            # Its replacement continues its counters.
            os.kill(service.workers()[number], signal.SIGTERM)
    assert statuses == {200: 200, 304: 100}
    wait_until(lambda: service.total(REQUESTS, *NEWS_RSS) >= 301, 60)
    assert service.total(REQUESTS, *NEWS_RSS) == 301
    assert service.total(REQUESTS, *NEWS_RSS, 'outcome="304"') == 100
    hits = service.total(REQUESTS, *NEWS_RSS, 'outcome="hit"')
    misses = service.total(REQUESTS, *NEWS_RSS, 'outcome="miss"')
    assert hits + misses == 201
    # Each of five workers renders it at most twice, again after the write; each time all
    # eight clients may wait for it.
    assert 1 <= misses <= 5 * 2 * 8
    assert service.total("feedsvc_render_seconds_count", *NEWS_RSS) == misses
    assert service.total("feedsvc_writes_total", 'outcome="2xx"') == 1
    assert service.total("feedsvc_writes_total", 'outcome="4xx"') == 2
    assert service.total("feedsvc_auth_failures_total") == 1


def test_gauges_show_caches_and_database(service: MeasuredService) -> None:
    def is_synced() -> bool:
        # A worker that has just started reports 0 until its first check.
        synced_at = service.scrape()["feedsvc_cache_synced_timestamp_seconds", ""]
        return abs(synced_at - time.time()) < 10

    service.request("GET", "/feeds/news.rss")
    wait_until(is_synced, 60)
    wait_until(lambda: service.total("feedsvc_cache_entries") >= 1, 60)
    samples = service.scrape()
    assert 1 <= samples["feedsvc_cache_entries", ""] <= 9
    assert samples["feedsvc_cache_bytes", ""] > 1000
    published = samples["feedsvc_newest_entry_timestamp_seconds", 'kind="news"']
    assert 0 < time.time() - published < 7 * 86400
    assert samples["feedsvc_websub", 'state="pending"'] == 0
    assert samples["feedsvc_websub_oldest_pending_seconds", ""] == 0
    assert service.request("GET", "/metrics").status_code == 404, "not public"
    for command in (["-m", "feedsvc"], ["-m", "flask", "--app", "wsgi"]):
        # It would fail if it listened at the address of the metrics, too.
        subprocess.run(
            [sys.executable, *command, "token", "list"],
            cwd=ROOT,
            env=service.environ,
            check=True,
        )


def metric_names(panel: object) -> set[str]:
    """Return the metrics that the queries of a dashboard name."""
    if isinstance(panel, list):
        return set[str]().union(*map(metric_names, panel))
    if not isinstance(panel, dict):
        return set()
    names = set(re.findall(r"feedsvc_\w+", panel.get("expr", "")))
    return names.union(*map(metric_names, panel.values()))


def test_dashboard_alarms_and_docs_name_existing_metrics(
    service: MeasuredService,
) -> None:
    service.put({"title": "Một"})
    service.put({}, Authorization="Bearer x")
    for name in FORMATS:
        service.request("GET", f"/feeds/events.{name}")
    dashboard = metric_names(
        json.loads((ROOT / "deploy/grafana.json").read_text("utf-8"))
    )
    assert len(dashboard) >= 8
    existing: set[str] = set()
    with run_deliver(service) as (_, metrics):

        def has_all() -> bool:
            existing.update(name.partition("{")[0] for name in read_metrics(metrics))
            existing.update(name for name, _ in service.scrape())
            return dashboard <= existing

        wait_until(has_all, 60)
    samples = service.scrape()
    texts = "".join(
        (ROOT / name).read_text("utf-8")
        for name in ("docs/operating.md", "deploy/alerts.yml")
    )
    documented = set(re.findall(r"feedsvc_\w+", texts)) - {"feedsvc_moved"}
    assert documented <= existing | {name.removesuffix("_count") for name in existing}
    labels = {label for _, text in samples for label in text.split(",")}
    assert {f'format="{name}"' for name in FORMATS} <= labels
    selectors = " ".join(re.findall(r"feedsvc_\w+\{[^}]*\}", texts))
    assert set(re.findall(r'\b(?:state|kind|route)="\w+"', selectors)) <= labels


def test_port_in_use_stops_the_start(database_url: str, tmp_path: Path) -> None:
    first = Service(database_url)
    first.start()
    log = tmp_path / "log"
    try:
        second = Service(database_url, FEEDSVC_METRICS=f"127.0.0.1:{first.port}")
        with pytest.raises(AssertionError, match="gunicorn has ended"):
            second.start(log)
        assert "Error: FEEDSVC_METRICS cannot be listened on" in log.read_text()
    finally:
        first.stop()
