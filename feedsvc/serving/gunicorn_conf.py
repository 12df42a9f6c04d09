"""gunicorn's settings, with which `feedsvc serve` starts it.

`GUNICORN_CMD_ARGS` overrides them. Only `feedsvc.logs` is imported here, since what
gunicorn's first process has imported a reload does not load anew.
"""

import gc
import os
import signal
import sys
from functools import partial
from typing import Any

from feedsvc.logs import Logger

_host = os.environ.get("HOST", "127.0.0.1")
# gunicorn wants brackets around an IPv6 address.
if ":" in _host:
    _host = f"[{_host.strip('[]')}]"
bind = f"{_host}:{os.environ.get('PORT', '8000')}"
wsgi_app = "feedsvc.serving.asgi:app"
worker_class = "asgi"
asgi_loop = "uvloop"
# The application needs no event at the start and end of a worker.
asgi_lifespan = "off"
# gunicorn reads this variable too, but its default is 1.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# A request whose client has hung up gives its place in the queue to others at once.
asgi_disconnect_grace_period = 0
# Longer than nginx keeps idle connections in deploy/upstream.conf.
keepalive = 5
# In memory, where a slow disk does not delay a worker's sign of life.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# The files in deploy/ kill the service after 40 s or more.
graceful_timeout = 25
control_socket_disable = True
# By default gunicorn trusts its own machine: a header named SCRIPT_NAME would change
# the path. Only feedsvc's own setting trusts proxies.
forwarded_allow_ips = ""
limit_request_line = 8190
# As many digits as a header may have: gunicorn fails at a longer Content-Length.
sys.set_int_max_str_digits(8190)
limit_request_fields = 64
# Without the header Authorization and the parameters of a URL, which may have secrets.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms "%(a)s"'
logger_class = Logger


# Signals that end a worker.
_ENDS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def post_fork(server: Any, worker: Any) -> None:
    """Let a worker import the package anew, whose version a reload may change."""
    sys.modules.pop("feedsvc")
    # uvloop loses a signal that comes before its loop runs: the worker would end only
    # when gunicorn kills it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)


def post_worker_init(worker: Any) -> None:
    """Start a worker's background threads."""
    # gunicorn's asgi worker passes no backlog. By the default, 100, a burst of
    # connections from a proxy has some wait for a second until TCP tries again.
    if hasattr(worker, "loop"):
        worker.loop.create_server = partial(
            worker.loop.create_server, backlog=worker.cfg.backlog
        )
        worker.loop.call_soon(signal.pthread_sigmask, signal.SIG_UNBLOCK, _ENDS)
    else:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    from feedsvc import wsgi
    from feedsvc.services import get_services
    from feedsvc.storage.database import JOURNAL_MODE, SQLITE_VERSION

    services = get_services(wsgi.app)
    is_first = worker.age == 1
    if is_first and services.database.is_sqlite and JOURNAL_MODE != "WAL":
        worker.log.warning(
            "SQLite %s can lose writes in its mode WAL: the journal mode is %s, in "
            "which reads delay writes.",
            SQLITE_VERSION,
            JOURNAL_MODE,
        )
    # Otherwise collections examine the whole application, and each delays all cached
    # responses by 50 ms.
    gc.freeze()
    services.background.start()


def worker_exit(server: Any, worker: Any) -> None:
    """Close the database, unless the worker could not load the application."""
    if "feedsvc.wsgi" not in sys.modules:
        return
    from feedsvc import wsgi
    from feedsvc.services import get_services

    get_services(wsgi.app).database.close()
