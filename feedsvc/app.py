"""The composition root: builds the components and connects them.

Not in `feedsvc/__init__.py`: importing the package must need no library, so that
`python3 -m feedsvc` outside the virtual environment can say what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import LengthRequired

from feedsvc import timezones  # noqa: F401 (first, before a zone is read from the host)
from feedsvc.api.batch import batch_blueprint
from feedsvc.api.categories import categories_blueprint
from feedsvc.api.changes import changes_blueprint
from feedsvc.api.entries import entries_blueprint
from feedsvc.api.openapi import docs_blueprint
from feedsvc.cli.commands import register_commands
from feedsvc.errors import Gone
from feedsvc.http.client_network import trust_proxies
from feedsvc.http.headers import headers_blueprint
from feedsvc.models import Clock, utcnow
from feedsvc.services import EXTENSION, Services
from feedsvc.web import feeds, health, pages
from feedsvc.web.errors import errors_blueprint
from feedsvc.web.static_files import static_blueprint

if TYPE_CHECKING:
    from config import Config


def create_app(config: Config, clock: Clock = utcnow) -> Flask:
    """Return the WSGI application.

    It opens no database and starts no thread: `Background.start` does, in each process
    that serves.
    """
    services = Services(config, clock)
    app = Flask(__name__, static_folder=None)
    _configure(app, config)
    app.register_blueprint(headers_blueprint())
    app.before_request(_refuse_chunked)  # after the blueprint that gives request ids
    app.register_blueprint(health.blueprint)
    app.register_blueprint(feeds.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(static_blueprint(config.site_color, config.site_font))
    app.add_url_rule("/hub", view_func=_hub, methods=["GET", "POST"])
    api_blueprints = [
        entries_blueprint(services, "news"),
        entries_blueprint(services, "events"),
        categories_blueprint(services),
        changes_blueprint(services),
        batch_blueprint(services),
    ]
    for blueprint in api_blueprints:
        app.register_blueprint(blueprint)
    app.register_blueprint(docs_blueprint(services, api_blueprints))
    app.register_blueprint(errors_blueprint(services.site))
    app.extensions[EXTENSION] = services
    register_commands(app)
    app.wsgi_app = trust_proxies(  # type: ignore[assignment, method-assign]
        app.wsgi_app, config.trusted_proxies
    )
    return app


def _configure(app: Flask, config: Config) -> None:
    # Werkzeug's redirects for double slashes would lead where the Host header says.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = config.max_body
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]


def _hub() -> Response:
    """Answer subscribers of the hub that version 1 was.

    :raises Gone: always.
    """
    raise Gone("This service is no longer a WebSub hub. Poll the feed.")


def _refuse_chunked() -> None:
    """Refuse a chunked body, which neither server would read.

    :raises LengthRequired: the request has one.
    """
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired("A chunked body is not read.")
