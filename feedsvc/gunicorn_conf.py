"""gunicorn's settings: `gunicorn -c python:feedsvc.gunicorn_conf`.

`GUNICORN_CMD_ARGS` overrides them.
"""

import os
import sys
from typing import Any

from config import Config, SettingError
from feedsvc.logs import Logger

_APP_LOAD_ERROR = 4  # gunicorn's own: it ends the service instead of trying again


def _load_settings() -> Config:
    try:
        return Config.from_env()
    except SettingError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(_APP_LOAD_ERROR)


_settings = _load_settings()  # gunicorn has a setting named config

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
    # Imported here, since the process that starts the workers needs neither.
    from feedsvc.services import get_services
    from wsgi import app

    get_services(app).background.start()
