"""feedsvc stores a portal's articles and events and publishes them as feeds.

JSON → ingest → store → select → render → deliver → a reader. Here the stages are wired together, and
nowhere else.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from flask_smorest import Api
from werkzeug.exceptions import LengthRequired
from werkzeug.middleware.proxy_fix import ProxyFix

from feedsvc import timezones  # noqa: F401 (first: no zone may be loaded from the host)
from feedsvc.cli.commands import register_commands
from feedsvc.cli.services import Services
from feedsvc.deliver.api_docs import api_docs_blueprint
from feedsvc.deliver.caching import Answer, respond
from feedsvc.deliver.feeds import Feeds, feeds_blueprint
from feedsvc.deliver.health import health_blueprint
from feedsvc.deliver.hot import Hot
from feedsvc.deliver.kept import Kept
from feedsvc.deliver.pages import pages_blueprint
from feedsvc.deliver.problems import problems_blueprint, responses, status_of
from feedsvc.deliver.request_ids import request_ids_blueprint
from feedsvc.deliver.security_headers import forbid_sniffing
from feedsvc.errors import Unavailable
from feedsvc.ingest import urls
from feedsvc.ingest.batch_api import batch_blueprint
from feedsvc.ingest.categories_api import categories_blueprint
from feedsvc.ingest.changes_api import changes_blueprint
from feedsvc.ingest.description import declare, description
from feedsvc.ingest.door import BulkRate, Door, Rate
from feedsvc.ingest.entries_api import entries_blueprint
from feedsvc.ingest.event_schema import EventSchema
from feedsvc.ingest.preview_api import preview_blueprint
from feedsvc.ingest.schemas import CategorySchema, EntrySchema
from feedsvc.ingest.stored_markup import fingerprint
from feedsvc.metrics import COLD, Metrics, are_shared
from feedsvc.model import Clock, Site, utcnow
from feedsvc.push.hub import hub_blueprint
from feedsvc.render import renderings
from feedsvc.stamps import Stamp
from feedsvc.store import Store, keep_doing

if TYPE_CHECKING:
    from config import Config

__version__ = "0.1.0"

SUCCESSOR = "FEEDSVC_SUCCESSOR"
"""Set in the environment of a worker that takes another's place, when a newer version may have migrated."""

LATER_WORKER = "FEEDSVC_LATER_WORKER"
"""Set in the environment of all workers but the first of a start, which logs what concerns all of them."""

_log = logging.getLogger(__name__)


def create_app(config: Config, clock: Clock = utcnow, *, background: bool = False) -> Flask:
    """The WSGI application, its database brought to the newest schema.

    :param background: whether a thread lets scheduled entries appear and expired ones leave.

    :raises Unavailable: the database does not answer.
    :raises Outdated: the database is newer than this version.
    """
    site = Site(
        public_url=config.public_url,
        url=config.site_url,
        title=config.site_title,
        description=config.site_description,
        language=config.site_language,
        timezone=config.site_timezone,
        icon=config.site_icon,
        rights=config.site_rights,
        contact=config.site_contact,
        hub=f"{config.public_url}/hub" if config.hub else "",
        hubs=config.hubs,
        color=config.site_color,
        logo=config.site_logo,
    )
    store = Store(config.database_url, clock, site.timezone, config.database_connections, config.max_feed)
    kept = Kept(store.moved, clock, config.cache_entries, config.cache_bytes, always_look=not background)
    store.after_write = kept.look
    try:
        store.upgrade(or_newer=SUCCESSOR in os.environ)
        if store.markup.is_outdated(fingerprint()) and background and LATER_WORKER not in os.environ:
            _log.warning("Sanitizer rules changed: run `python -m feedsvc db sanitize`")
    except Unavailable:
        if not background:
            raise
        # A worker that starts while the database is away must not end the service; the thread tries again.
    if background:
        keep_doing(store.settle, kept.look)
        if config.metrics and are_shared():
            keep_doing(Metrics(config.metrics, kept.held, store.newest, store.subscriptions.counts).publish)

    articles, events = EntrySchema(site), EventSchema(site)
    schemas = {"news": articles, "events": events}

    lines_rate = BulkRate(config.rate_batch_lines, config.workers)
    door = Door(
        store.tokens,
        Rate(config.rate_writes, config.workers),
        Rate(config.rate_auth_failures, config.workers),
    )

    app = Flask(__name__, static_folder=None)
    if config.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.trusted_proxies, x_proto=0)  # type: ignore[method-assign]
    app.url_map.merge_slashes = False  # its redirects would go where the Host header says
    app.config.update(
        MAX_CONTENT_LENGTH=config.max_body,
        API_TITLE="feedsvc",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.after_request(forbid_sniffing)
    app.before_request(lambda: request.environ.update({COLD: True}))

    def publish(document: Any, stamp: Stamp, looked: datetime) -> Response:
        body = app.json.dumps(document).encode()
        answer = Answer(body, "application/json", stamp, looked, config.max_age)
        return respond(answer, kept.checked(answer))

    app.register_blueprint(request_ids_blueprint())
    app.before_request(_refuse_chunked)  # with a request id, so after that blueprint
    app.register_blueprint(health_blueprint(store.is_ready))
    feeds = Feeds(store.read, kept, site, clock, config.max_age, config.max_feed)
    app.register_blueprint(feeds_blueprint(feeds))
    if config.hub:
        app.register_blueprint(
            hub_blueprint(
                store.subscriptions.request,
                feeds.topic,
                urls.check,
                Rate(config.rate_hub, config.workers).count,
                status_of,
                site.public_url,
            )
        )
    app.register_blueprint(pages_blueprint(store.read, kept, site, clock, config.max_age))
    api = Api(app, spec_kwargs={"servers": [{"url": site.public_url}]})
    declare(api, schemas, CategorySchema(), responses(site.public_url))
    api.register_blueprint(entries_blueprint("articles", articles, store, door, config.require_if_match))
    api.register_blueprint(entries_blueprint("events", events, store, door, config.require_if_match))
    api.register_blueprint(categories_blueprint(store, door, publish, clock))
    api.register_blueprint(changes_blueprint(store, door, schemas, f"{__version__} {site}"))
    api.register_blueprint(batch_blueprint(store, door, schemas, status_of, config.max_batch, lines_rate))
    api.register_blueprint(preview_blueprint(store, door, schemas, partial(renderings, site=site), clock))
    app.register_blueprint(api_docs_blueprint(description(api), site, config.max_age))
    # After Api, whose error body gives way to problem documents.
    app.register_blueprint(problems_blueprint(site, config.max_age))
    register_commands(app, Services(config, store, schemas, feeds))
    app.wsgi_app = Hot(app.wsgi_app, kept)  # type: ignore[method-assign]
    return app


def _refuse_chunked() -> None:
    """Refuse a chunked body of a method that has no body here; views that read a body check its length.

    :raises LengthRequired: there is one.
    """
    if "Transfer-Encoding" in request.headers and request.method not in ("POST", "PUT", "PATCH"):
        raise LengthRequired("A chunked body is not read.")
