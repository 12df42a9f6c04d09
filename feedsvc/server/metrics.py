"""Prometheus metrics of all workers of a machine, at FEEDSVC_METRICS.

Each worker counts requests in plain integers, and exports them every 0.4 s into
prometheus_client's files, which all workers share. Any worker can thus answer for all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from pysqlite3 import dbapi2 as sqlite

from config import Config
from feedsvc.errors import FeedsvcError
from feedsvc.feed_query import FORMATS
from feedsvc.feeds.response_cache import CACHE_HIT_KEY, ResponseCache
from feedsvc.storage import Storage

_ROUTES = ("feeds", "entries", "api", "hub", "healthz", "readyz")
_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_SLOW_METRICS_INTERVAL = 30
"""Exports from one query of the database to the next, about 12 s."""

_slot = 0
_metrics: Metrics | None = None


class Metrics:
    """The metrics of one worker, and the HTTP server that exposes those of all."""

    def __init__(self, address: str, storage: Storage, cache: ResponseCache) -> None:
        """Listen, and begin to count.

        :param address: host and port.
        :raises FeedsvcError: prometheus_client is missing, or the address is in use.
        """
        # An optional dependency. At its first import it also fixes where values are
        # stored, which needs this worker's slot.
        try:
            import prometheus_client
            from prometheus_client import multiprocess, values
        except ModuleNotFoundError:
            raise FeedsvcError(
                "FEEDSVC_METRICS needs prometheus_client: "
                "run `pip install feedsvc[metrics]`."
            ) from None

        # By slot instead of process id: a replacement worker continues its counters,
        # and the number of files stays that of the workers.
        values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
            lambda: _slot
        )
        self._storage = storage
        self._cache = cache
        self._counts: dict[tuple[str, str, str], int] = defaultdict(int)
        """Requests by route, format and outcome."""
        self._lock = threading.Lock()
        self._ticks = 0
        all_workers = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(all_workers)  # type: ignore[no-untyped-call]
        server = _listen(address, prometheus_client.make_wsgi_app(all_workers))
        self._create_metrics(prometheus_client)
        threading.Thread(
            target=server.serve_forever, name="metrics", daemon=True
        ).start()
        global _metrics
        _metrics = self

    def _create_metrics(self, prometheus_client: Any) -> None:
        common = {
            "registry": prometheus_client.CollectorRegistry(),
            "namespace": "feedsvc",
        }
        counter = prometheus_client.Counter
        gauge = prometheus_client.Gauge
        self._requests = counter(
            "requests", "Requests.", ["route", "format", "outcome"], **common
        )
        self._writes = counter(
            "writes", "Write requests to the API.", ["outcome"], **common
        )
        self._auth_failures = counter(
            "auth_failures", "Responses with status 401.", **common
        )
        self._render_seconds = prometheus_client.Histogram(
            "render_seconds",
            "Time of GET requests that the cache did not answer.",
            ["route", "format"],
            **common,
        )
        self._cache_entries = gauge(
            "cache_entries",
            "Responses in the caches.",
            multiprocess_mode="livesum",
            **common,
        )
        self._cache_bytes = gauge(
            "cache_bytes",
            "Bytes of the responses in the caches.",
            multiprocess_mode="livesum",
            **common,
        )
        self._cache_synced = gauge(
            "cache_synced_timestamp_seconds",
            "Time at which the slowest worker last read the change log.",
            multiprocess_mode="livemin",
            **common,
        )
        latest = {**common, "multiprocess_mode": "mostrecent"}
        self._newest_entry = gauge(
            "newest_entry_timestamp_seconds",
            "Publication time of the newest entry.",
            ["kind"],
            **latest,
        )
        self._websub = gauge(
            "websub",
            "Subscriptions, unverified requests, pending and failing deliveries.",
            ["state"],
            **latest,
        )
        self._oldest_pending = gauge(
            "websub_oldest_pending_seconds",
            "Age of the oldest pending delivery.",
            **latest,
        )
        sqlite_info = gauge(
            "sqlite_info", "1, by version of SQLite.", ["version"], **latest
        )
        sqlite_info.labels(sqlite.sqlite_version).set(1)

    def record_request(
        self, environ: Mapping[str, Any], status: int, duration: timedelta
    ) -> None:
        """Count a finished request."""
        route, format = _labels(environ.get("PATH_INFO", ""))
        method = environ["REQUEST_METHOD"]
        is_miss = CACHE_HIT_KEY not in environ
        labels = route, format, _outcome(status, is_miss)
        # No lock: without a call in between, no other thread runs in between.
        self._counts[labels] += 1
        if not is_miss:
            return
        if status < 300 and method == "GET":
            self._render_seconds.labels(route, format).observe(duration.total_seconds())
        if route == "api" and method not in ("GET", "HEAD", "OPTIONS"):
            self._writes.labels(f"{status // 100}xx").inc()
        if status == 401:
            self._auth_failures.inc()

    def export(self) -> None:
        """Write the counts since the last export, and the current gauges.

        :raises Unavailable: the database does not answer.
        """
        # The worker's exit exports too, and must wait for what the thread has begun.
        with self._lock:
            counts, self._counts = self._counts, defaultdict(int)
            for labels, count in counts.items():
                self._requests.labels(*labels).inc(count)
        entries, size, synced_at = self._cache.stats()
        self._cache_entries.set(entries)
        self._cache_bytes.set(size)
        self._cache_synced.set(synced_at.timestamp())
        self._ticks += 1
        if self._ticks % _SLOW_METRICS_INTERVAL == 1:
            self._export_database_metrics()

    def _export_database_metrics(self) -> None:
        with self._storage.reader() as reader:
            for kind, published in reader.latest_published().items():
                self._newest_entry.labels(kind).set(published.timestamp())
        stats = dict(self._storage.subscriptions.stats())
        self._oldest_pending.set(stats.pop("oldest"))
        for state, count in stats.items():
            self._websub.labels(state).set(count)


def record_request(
    environ: Mapping[str, Any], status: int, duration: timedelta
) -> None:
    """Count a finished request, if metrics are on."""
    if _metrics:
        _metrics.record_request(environ, status, duration)


def _outcome(status: int, is_miss: bool) -> str:
    if status == 304:
        return "304"
    if status >= 300:
        return f"{status // 100}xx"
    return "miss" if is_miss else "hit"


def _labels(path: str) -> tuple[str, str]:
    """Return route and format. Both have few values, whatever path is requested."""
    extension = path.rpartition(".")[2]
    if path in ("/", "/feeds.opml"):
        return "directory", "opml" if extension == "opml" else "html"
    first = path.strip("/").partition("/")[0]
    route = first if first in _ROUTES else "other"
    has_format = extension in FORMATS and route in ("feeds", "entries")
    return route, extension if has_format else ""


class _MetricsServer(ThreadingMixIn, WSGIServer):
    """A server whose port all workers share; the kernel picks one per connection."""

    allow_reuse_port = True
    daemon_threads = True


class _QuietRequestHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


def _listen(address: str, app: Any) -> WSGIServer:
    host, _, port = address.rpartition(":")
    try:
        return make_server(host, int(port), app, _MetricsServer, _QuietRequestHandler)
    except OSError as error:
        raise FeedsvcError(f"FEEDSVC_METRICS cannot be listened on: {error}.") from None


# gunicorn's hooks: of the arbiter, and of its workers.


def on_starting(server: Any) -> None:
    """Create the directory of the files, one for each arbiter."""
    if Config.from_env().metrics:
        # Beside the heartbeats of the workers, in memory: the files change often.
        os.environ[_DIRECTORY] = tempfile.mkdtemp(
            prefix="feedsvc-metrics-", dir=server.cfg.worker_tmp_dir
        )


def pre_fork(server: Any, worker: Any) -> None:
    """Give a worker the first free slot."""
    used = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(slot for slot in range(len(used) + 1) if slot not in used)


def post_fork(server: Any, worker: Any) -> None:
    """Remember this worker's slot."""
    global _slot
    _slot = worker.slot


def worker_exit(server: Any, worker: Any) -> None:
    """Export the last counts."""
    if _metrics:
        _metrics.export()


def child_exit(server: Any, worker: Any) -> None:
    """Remove the gauges of a worker that has ended."""
    if _DIRECTORY in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.slot)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """Remove the directory of the files."""
    if _DIRECTORY in os.environ:
        shutil.rmtree(os.environ[_DIRECTORY], ignore_errors=True)
