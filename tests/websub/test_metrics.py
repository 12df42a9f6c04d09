"""Prometheus metrics of the delivery worker."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable

from flask import Flask

from feedsvc.storage import Storage
from feedsvc.websub.metrics import DeliveryMetrics
from tests.conftest import ApiClient
from tests.server import ROOT, free_port
from tests.waiting import wait_until
from tests.websub.conftest import read_metrics, run_worker
from tests.websub.subscriber import Subscriber, status


def test_deliveries_are_counted_by_outcome_and_time(
    app: Flask,
    editor: ApiClient,
    storage: Storage,
    subscriber: Subscriber,
    subscribe: Callable[..., str],
) -> None:
    address = f"127.0.0.1:{free_port()}"
    metrics = DeliveryMetrics(address)
    statuses = {"/a": 200, "/b": 204, "/c": 500, "/d": 410, "/e": 404}
    with run_worker(app, metrics=metrics):
        for path, code in statuses.items():
            subscribe("/feeds/news.rss", path)
            subscriber.behave(path, status(code))
        before = read_metrics(f"http://{address}/metrics")
        editor.put("/articles/a", {"title": "Một"})
        wait_until(lambda: storage.subscriptions.stats()["subscriptions"] == 4)
        wait_until(
            lambda: (
                storage.subscriptions.stats()["failing"]
                == storage.subscriptions.stats()["pending"]
                == 2
            )
        )
    after = read_metrics(f"http://{address}/metrics")
    for outcome, count in {"delivered": 2, "failed": 2, "gone": 1}.items():
        name = f'feedsvc_deliveries_total{{outcome="{outcome}"}}'
        assert (before[name], after[name]) == (0, count)
    assert after["feedsvc_delivery_seconds_count"] == 2
    assert 0 < after["feedsvc_delivery_seconds_sum"] < 2 * 3


def test_metrics_address_in_use_is_one_error_line(
    app: Flask, database_url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "feedsvc", "deliver", "--metrics", address],
            cwd=ROOT,
            env={"FEEDSVC_DATABASE_URL": database_url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: Cannot listen on {address}")
    assert done.stderr.count("\n") == 1
