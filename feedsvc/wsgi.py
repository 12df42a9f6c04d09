"""The WSGI entry point, for `flask run` and any WSGI server.

With `feedsvc serve`, asgi.py is in front of it. Importing it opens no database and
starts no thread. gunicorn's hook does, in each worker; under another server the first
request does.
"""

from feedsvc.app import create_app
from feedsvc.config import Config
from feedsvc.services import get_services

app = create_app(Config.from_env())
app.before_request(get_services(app).background.start)
