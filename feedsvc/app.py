"""The composition root: builds the components and connects them.

Not in `feedsvc/__init__.py`: importing the package must need no library, so that
`python3 -m feedsvc` outside the virtual environment can say what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response

from feedsvc import timezones  # noqa: F401 (first, before a zone is read from the host)
from feedsvc.api.batch import batch_blueprint
from feedsvc.api.blueprint import FeedsApi, swagger_ui_blueprint
from feedsvc.api.categories import categories_blueprint
from feedsvc.api.changes import changes_blueprint
from feedsvc.api.entries import entries_blueprint
from feedsvc.cli.commands import register_commands
from feedsvc.errors import Gone
from feedsvc.http.client_network import trust_proxies
from feedsvc.models import Clock, utcnow
from feedsvc.services import EXTENSION, Services
from feedsvc.web import feeds, health, pages, static_files
from feedsvc.web.errors import register_error_handlers
from feedsvc.web.headers import add_nosniff

if TYPE_CHECKING:
    from config import Config


def create_app(config: Config, clock: Clock = utcnow) -> Flask:
    """Return the WSGI application.

    It opens no database and starts no thread: `Background.start` does, in each process
    that serves.
    """
    services = Services(config, clock)
    app = Flask(__name__, static_folder=None)
    app.extensions[EXTENSION] = services
    # Werkzeug's redirects for double slashes would lead where the Host header says.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = config.max_body
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.after_request(add_nosniff)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(feeds.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(static_files.blueprint)
    app.add_url_rule("/hub", view_func=_hub, methods=["GET", "POST"])
    api = FeedsApi(app, services.site)
    api.register_blueprint(entries_blueprint(services, "news"))
    api.register_blueprint(entries_blueprint(services, "events"))
    api.register_blueprint(categories_blueprint(services))
    api.register_blueprint(changes_blueprint(services))
    api.register_blueprint(batch_blueprint(services))
    app.register_blueprint(swagger_ui_blueprint(services.site))
    register_error_handlers(app)
    register_commands(app)
    app.wsgi_app = trust_proxies(  # type: ignore[assignment, method-assign]
        app.wsgi_app, config.trusted_proxies
    )
    return app


def _hub() -> Response:
    """Answer subscribers of the hub that version 1 was.

    :raises Gone: always.
    """
    raise Gone("This service is no longer a WebSub hub. Poll the feed.")
