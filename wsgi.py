"""The WSGI entry point: `gunicorn -c python:feedsvc.server.gunicorn_conf wsgi:app`.

Importing it opens no database and starts no thread. gunicorn's hook does, in each
worker; another server must call `feedsvc.services.get_services(app).start()`.
"""

import sys

from config import Config, SettingError
from feedsvc.app import create_app
from feedsvc.errors import FeedsvcError

# gunicorn ends at once, instead of starting workers again and again.
_APP_LOAD_ERROR = 4

try:
    app = create_app(Config.from_env())
except (SettingError, FeedsvcError) as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(_APP_LOAD_ERROR)
