"""gunicorn's settings: `gunicorn -c python:feedsvc.gunicorn_conf`.

`GUNICORN_CMD_ARGS` overrides them.
"""

import os
from typing import Any

# Imported before the workers start, so that they share the memory of the application.
import wsgi
from feedsvc.logs import Logger
from feedsvc.services import get_services

_settings = get_services(wsgi.app).config  # gunicorn has a setting named config

bind = f"{_settings.host}:{_settings.port}"
wsgi_app = "feedsvc.asgi:app"
worker_class = "asgi"
asgi_loop = "uvloop"
# gunicorn reads this variable too, but its default is 1.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
keepalive = 5  # longer than nginx keeps idle connections in deploy/upstream.conf
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
graceful_timeout = 25  # the files in deploy/ kill the service after 40 s or more
control_socket_disable = True
# By default gunicorn trusts its own machine: a header named SCRIPT_NAME would change
# the path. Only feedsvc's own setting trusts proxies.
forwarded_allow_ips = ""
limit_request_line = 8190
limit_request_fields = 64
# Without the header Authorization and the parameters of a URL, which may have secrets.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms "%(a)s"'
logger_class = Logger


def post_worker_init(worker: Any) -> None:
    """Migrate the database, and start a worker's background threads."""
    get_services(wsgi.app).background.start()
