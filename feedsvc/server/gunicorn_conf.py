"""gunicorn's settings: `gunicorn -c python:feedsvc.server.gunicorn_conf wsgi:app`, or any other WSGI app.

Threads and not an event loop: one writer that waits for SQLite's lock must not stall the readers.
`WEB_CONCURRENCY` and `GUNICORN_CMD_ARGS` are gunicorn's own ways to change them.
"""

import ctypes
import os
from contextlib import suppress

from feedsvc.server.logging import ACCESS_LOG_FORMAT
from feedsvc.server.metrics import (
    child_exit,
    on_exit,
    on_starting,
    post_fork,
    pre_fork,
    worker_exit,
)

__all__ = [
    "child_exit",
    "on_exit",
    "on_starting",
    "post_fork",
    "pre_fork",
    "worker_exit",
]

with suppress(AttributeError):  # of another C library than GNU's
    # M_ARENA_MAX: a heap for each thread would cost a worker 40 MiB more, that it never gives back.
    ctypes.CDLL(None).mallopt(-8, 2)

bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
worker_class = "feedsvc.server.worker.Worker"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = 32
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
timeout = 30
graceful_timeout = 25
keepalive = 5
max_requests = 100_000
max_requests_jitter = 10_000
control_socket_disable = True
sendfile = False  # it would go around the deadline for writing
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
accesslog = "-"
logger_class = "feedsvc.server.logging.Logger"
access_log_format = ACCESS_LOG_FORMAT
