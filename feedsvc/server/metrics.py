"""What Prometheus is told, at an address of its own (FEEDSVC_METRICS).

Each worker counts in plain integers, and publishes them every half second into files that all workers share;
whichever of them is asked answers for all. The files are a slot's: a worker's successor counts on in them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from pysqlite3 import dbapi2 as sqlite

from feedsvc.errors import FeedsvcError

CACHE_MISS_KEY = "feedsvc.cold"
"""Set in the environment of a request that was not answered from what is kept."""

FORMATS = ("rss", "atom", "json", "html", "ics", "opml")
_ROUTES = ("feeds", "entries", "api", "hub", "healthz", "readyz")
_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_SLOW_METRICS_INTERVAL = 30  # publications

Key = tuple[str, str, str]
"""Route, format and outcome of requests."""

_slot = 0
_metrics: Metrics | None = None


class Metrics:
    """The metrics of one worker, and the server that tells those of all."""

    def __init__(
        self,
        address: str,
        held: Callable[[], tuple[int, int, datetime]],
        newest: Callable[[], Mapping[str, datetime]],
        websub_stats: Callable[[], Mapping[str, float]],
    ) -> None:
        """:param held: of what is kept, the number and the bytes, and when the ledger was last looked at.

        :param newest: when the newest entry of each kind was published.
        :param websub_stats: number of subscriptions by state; as `Subscriptions.stats`.
        :raises FeedsvcError: the address cannot be listened on.
        """
        # Not before: how values are kept is settled with the first import, by the slot of this worker.
        import prometheus_client as client
        from prometheus_client import multiprocess, values

        values.ValueClass = values.MultiProcessValue(lambda: _slot)  # type: ignore[no-untyped-call]
        self._held, self._newest = held, newest
        self._websub_stats = websub_stats
        self._counts: dict[Key, int] = defaultdict(int)
        self._told: dict[Key, int] = defaultdict(int)
        self._lock, self._round = threading.Lock(), 0
        own: dict[str, Any] = {
            "registry": client.CollectorRegistry(),
            "namespace": "feedsvc",
        }
        everyone = client.CollectorRegistry()
        multiprocess.MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        host, _, port = address.rpartition(":")
        try:
            server = make_server(
                host,
                int(port),
                client.make_wsgi_app(everyone),
                _Server,
                _QuietRequestHandler,
            )
        except OSError as error:
            raise FeedsvcError(
                f"FEEDSVC_METRICS cannot be listened on: {error}."
            ) from None
        self._requests = client.Counter(
            "requests", "Answered requests.", ("route", "format", "outcome"), **own
        )
        self._writes = client.Counter(
            "writes", "Requests to the API that write.", ["outcome"], **own
        )
        self._refused = client.Counter(
            "auth_failures", "Requests that were answered 401.", **own
        )
        self._making = client.Histogram(
            "making_seconds",
            "Time for answers that were not kept.",
            ["route", "format"],
            **own,
        )
        gauge, each = client.Gauge, {**own, "multiprocess_mode": "livesum"}
        self._answers = gauge("kept_answers", "Answers that are kept.", **each)
        self._bytes = gauge("kept_bytes", "Bytes of them.", **each)
        about = "When the worker that is furthest behind last looked at the ledger."
        self._looked = gauge(
            "ledger_looked_timestamp_seconds", about, multiprocess_mode="livemin", **own
        )
        about, latest = (
            "When the newest entry was published.",
            {**own, "multiprocess_mode": "mostrecent"},
        )
        self._published = gauge(
            "newest_entry_timestamp_seconds", about, ["kind"], **latest
        )
        about = "Subscriptions, unverified requests, pending and failing deliveries."
        self._websub = gauge("websub", about, ["state"], **latest)
        self._oldest_pending = gauge(
            "websub_oldest_pending_seconds",
            "Age of the oldest pending delivery.",
            **latest,
        )
        engine = gauge("sqlite_info", "1, by SQLite's version.", ["version"], **latest)
        engine.labels(sqlite.sqlite_version).set(1)
        threading.Thread(
            target=server.serve_forever, name="metrics", daemon=True
        ).start()
        global _metrics
        _metrics = self

    def record_request(
        self, environ: Mapping[str, Any], status: int, took: timedelta
    ) -> None:
        """Count a request that has been answered."""
        route, form = _labels(environ.get("PATH_INFO", ""))
        cold = CACHE_MISS_KEY in environ
        outcome = (
            ("cold" if cold else "hot")
            if status < 300
            else "304"
            if status == 304
            else f"{status // 100}xx"
        )
        self._counts[route, form, outcome] += (
            1  # without a call in between, no other thread comes in between
        )
        if not cold:
            return
        if status < 300 and environ["REQUEST_METHOD"] == "GET":
            self._making.labels(route, form).observe(took.total_seconds())
        if route == "api" and environ["REQUEST_METHOD"] not in (
            "GET",
            "HEAD",
            "OPTIONS",
        ):
            self._writes.labels(f"{status // 100}xx").inc()
        if status == 401:
            self._refused.inc()

    def publish(self) -> None:
        """Tell what has been counted since the last time, and how things stand.

        :raises Unavailable: the newest entries could not be asked for.
        """
        with self._lock:
            for key, number in list(self._counts.items()):
                self._requests.labels(*key).inc(number - self._told[key])
                self._told[key] = number
        number, size, looked = self._held()
        self._answers.set(number)
        self._bytes.set(size)
        self._looked.set(looked.timestamp())
        self._round += 1
        if self._round % _SLOW_METRICS_INTERVAL == 1:
            for kind, published in self._newest().items():
                self._published.labels(kind).set(published.timestamp())
            stats = dict(self._websub_stats())
            self._oldest_pending.set(stats.pop("oldest"))
            for state, count in stats.items():
                self._websub.labels(state).set(count)


def record_request(environ: Mapping[str, Any], status: int, took: timedelta) -> None:
    """Count a request, where somebody wants to know."""
    if _metrics:
        _metrics.record_request(environ, status, took)


def is_multiprocess() -> bool:
    """Whether this is a worker of gunicorn, and no command."""
    return _DIRECTORY in os.environ


@lru_cache(4096)
def _labels(path: str) -> tuple[str, str]:
    """Route and format: few, whatever is asked for."""
    first, end = path.strip("/").partition("/")[0], path.rpartition(".")[2]
    if path in ("/", "/feeds.opml"):
        return "directory", "opml" if end == "opml" else "html"
    route = first if first in _ROUTES else "other"
    return route, end if end in FORMATS and route in ("feeds", "entries") else ""


class _Server(ThreadingMixIn, WSGIServer):
    """Each worker listens on the same port; the kernel gives a connection to one of them."""

    allow_reuse_port = True
    daemon_threads = True


class _QuietRequestHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


# gunicorn's hooks: of the arbiter, and of its workers.


def on_starting(server: Any) -> None:
    """Make the directory of the files; another arbiter, of a newer version, has its own."""
    if os.environ.get("FEEDSVC_METRICS"):
        shared = "/dev/shm" if os.path.isdir("/dev/shm") else None
        os.environ[_DIRECTORY] = tempfile.mkdtemp(prefix="feedsvc-metrics-", dir=shared)


def pre_fork(server: Any, worker: Any) -> None:
    """Give a worker the first slot that is free."""
    taken = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(slot for slot in range(len(taken) + 1) if slot not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Remember the slot."""
    global _slot
    _slot = worker.slot


def worker_exit(server: Any, worker: Any) -> None:
    """Tell the last of what was counted."""
    if _metrics:
        _metrics.publish()


def child_exit(server: Any, worker: Any) -> None:
    """Forget how things stood in a worker that has ended."""
    if is_multiprocess():
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.slot)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """Take the files away."""
    if is_multiprocess():
        shutil.rmtree(os.environ[_DIRECTORY], ignore_errors=True)
