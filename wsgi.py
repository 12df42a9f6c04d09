"""The WSGI entry point, for `flask run` and any WSGI server.

With gunicorn, feedsvc/asgi.py is in front of it. Importing it opens no database and
starts no thread. gunicorn's hook does, in each worker; under another server the first
request does.
"""

import sys

from config import Config, SettingError
from feedsvc.app import create_app
from feedsvc.services import get_services

# gunicorn ends at once, instead of starting workers again and again.
_APP_LOAD_ERROR = 4

try:
    app = create_app(Config.from_env())
except SettingError as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(_APP_LOAD_ERROR)

app.before_request(get_services(app).background.start)
