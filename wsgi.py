"""The WSGI entry point: `gunicorn wsgi:app`, `flask --app wsgi`."""

import sys

from config import Config, SettingError
from feedsvc import create_app
from feedsvc.errors import FeedsvcError

try:
    app = create_app(Config.from_env(), background=True)
except (SettingError, FeedsvcError) as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(4)  # by which gunicorn knows that another try is in vain
