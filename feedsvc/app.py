"""The composition root: builds the components and connects them."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

# First, before a zone is read from the host.
from feedsvc.text import timezones  # noqa: F401  # isort: skip
from feedsvc.api import documentation
from feedsvc.api.routes import api_blueprint
from feedsvc.cli.commands import register_commands
from feedsvc.config import Config
from feedsvc.extension import extensions
from feedsvc.models import Clock, utcnow
from feedsvc.pages import static_files, views
from feedsvc.pages.errors import error_page
from feedsvc.services import EXTENSION, Services
from feedsvc.web import feeds, health
from feedsvc.web.errors import register_error_handlers
from feedsvc.web.responses import add_common_headers, answer_preflight


def create_app(config: Config, clock: Clock = utcnow) -> Flask:
    """Return the WSGI application.

    It opens no database and starts no thread: `Background.start` does, in each process
    that serves.
    """
    app = Flask(__name__, static_folder=None)
    app.extensions[EXTENSION] = Services(config, clock)
    # Werkzeug's redirects for double slashes would lead where the Host header says.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = config.max_body
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.before_request(answer_preflight)
    app.after_request(add_common_headers)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(feeds.blueprint)
    app.register_blueprint(views.blueprint)
    app.register_blueprint(static_files.blueprint)
    app.register_blueprint(api_blueprint())
    app.register_blueprint(documentation.blueprint)
    for extension in extensions():
        extension.init_app(app)
    register_error_handlers(app, error_page)
    register_commands(app)
    # URLs begin with FEEDSVC_PUBLIC_URL, so the other headers of proxies do not count.
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=config.trusted_proxies, x_proto=0
    )
    return app
