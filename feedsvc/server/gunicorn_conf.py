"""gunicorn's settings: `gunicorn -c python:feedsvc.server.gunicorn_conf wsgi:app`.

They suit other WSGI applications too. `GUNICORN_CMD_ARGS` overrides them.
"""

import ctypes
import os
import resource
import sys
from contextlib import suppress
from typing import Any

from config import Config, SettingError, unknown_settings
from feedsvc.errors import FeedsvcError
from feedsvc.server.logging import Logger
from feedsvc.services import find_services

_APP_LOAD_ERROR = 4  # gunicorn's own: it ends the service instead of trying again


def _load_settings() -> Config:
    try:
        settings = Config.from_env()
    except SettingError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(_APP_LOAD_ERROR)
    for warning in unknown_settings():
        print(f"Warning: {warning}", file=sys.stderr)
    return settings


with suppress(AttributeError):  # another C library than GNU's
    # M_ARENA_MAX: with a heap for each thread, a worker would take 40 MiB more and
    # never give them back.
    ctypes.CDLL(None).mallopt(-8, 2)

# systemd's soft limit of 1024 is for programs that use select(). With a thousand
# connections, those to the database would exceed it, which ends a worker.
_, _max_files = resource.getrlimit(resource.RLIMIT_NOFILE)
with suppress(ValueError, OSError):  # macOS refuses its own hard limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (_max_files, _max_files))

_settings = _load_settings()  # gunicorn has a setting named config

bind = f"{_settings.host}:{_settings.port}"
worker_class = "feedsvc.server.worker.Worker"
workers = _settings.workers
# A writer that waits for SQLite's lock must not delay readers.
threads = 32
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
timeout = 30
graceful_timeout = 25  # the files in deploy/ kill the service after 40 s or more
keepalive = 5
# Without the event loop's responses, which would replace a worker every few seconds.
max_requests = 100_000
max_requests_jitter = 10_000
control_socket_disable = True
# By default gunicorn trusts its own machine: a header named SCRIPT_NAME would change
# the path. Only feedsvc's own setting trusts proxies.
forwarded_allow_ips = ""
sendfile = False  # it would bypass the worker's deadline for sending
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190
accesslog = "-"
logger_class = "feedsvc.server.logging.Logger"


def post_worker_init(worker: Any) -> None:
    """Migrate the database, load samples, and start a worker's background threads."""
    services = find_services(worker.wsgi)
    if services is None:
        return
    try:
        services.start(
            is_replacement=worker.age > worker.cfg.workers, is_first=worker.age == 1
        )
        if services.config.samples and worker.age == 1:
            # Here: the process that starts the workers needs no commands.
            from feedsvc.cli.commands import load_demo

            load_demo(services)
    except FeedsvcError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(_APP_LOAD_ERROR)


def worker_exit(server: Any, worker: Any) -> None:
    """Write the last lines of the access log."""
    if isinstance(worker.log, Logger):  # a setting of gunicorn can name another one
        worker.log.close_access_log()
