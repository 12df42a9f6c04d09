"""feedsvc stores a portal's articles and events and publishes them as feeds.

JSON → ingest → store → select → render → deliver → a reader. Here the stages are wired together, and
nowhere else.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import LengthRequired
from werkzeug.middleware.proxy_fix import ProxyFix

from feedsvc import timezones  # noqa: F401 (first: no zone may be loaded from the host)
from feedsvc.api.auth import Authenticator, BulkRateLimiter, RateLimiter
from feedsvc.api.batch import BatchLimits, batch_blueprint
from feedsvc.api.categories import categories_blueprint
from feedsvc.api.changes import changes_blueprint
from feedsvc.api.derived_schemas import create_entry_schemas
from feedsvc.api.entries import entries_blueprint
from feedsvc.api.openapi import create_api, docs_blueprint, openapi_document
from feedsvc.api.preview import preview_blueprint
from feedsvc.api.sanitize import fingerprint
from feedsvc.cli.commands import register_commands
from feedsvc.errors import Unavailable
from feedsvc.feeds.cache import ResponseCache
from feedsvc.http.headers import headers_blueprint
from feedsvc.models import Clock, Site, utcnow
from feedsvc.server.metrics import CACHE_MISS_KEY, Metrics, is_multiprocess
from feedsvc.services import Services
from feedsvc.storage import Storage, run_periodically
from feedsvc.web.cache_middleware import CacheMiddleware
from feedsvc.web.feeds import FeedService, feeds_blueprint
from feedsvc.web.health import health_blueprint
from feedsvc.web.pages import pages_blueprint
from feedsvc.web.problems import problems_blueprint
from feedsvc.web.static_files import static_blueprint
from feedsvc.websub import is_hub_available
from feedsvc.websub.hub import hub_blueprint

if TYPE_CHECKING:
    from config import Config

__version__ = "0.1.0"

SKIP_SCHEMA_CHECK = "FEEDSVC_SUCCESSOR"
"""Set in the environment of a worker that takes another's place, when a newer version may have migrated."""

LATER_WORKER = "FEEDSVC_LATER_WORKER"
"""Set in the environment of all workers but the first of a start, which logs what concerns all of them."""

_log = logging.getLogger(__name__)


def create_app(
    config: Config, clock: Clock = utcnow, *, background: bool = False
) -> Flask:
    """The WSGI application, its database brought to the newest schema.

    :param background: whether a thread lets scheduled entries appear and expired ones leave.

    :raises Unavailable: the database does not answer.
    :raises Outdated: the database is newer than this version.
    """
    has_hub = config.hub and is_hub_available()
    if config.hub and not has_hub and LATER_WORKER not in os.environ:
        _log.warning("No WebSub hub: install feedsvc[websub]")
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
        hub=f"{config.public_url}/hub" if has_hub else "",
        hubs=config.hubs,
        color=config.site_color,
        logo=config.site_logo,
    )
    store = Storage(
        config.database_url,
        clock,
        site.timezone,
        config.database_connections,
        config.max_feed,
    )
    kept = ResponseCache(
        store,
        clock,
        config.cache_entries,
        config.cache_bytes,
        sync_on_read=not background,
    )
    store.on_commit = kept.sync
    try:
        store.upgrade(or_newer=SKIP_SCHEMA_CHECK in os.environ)
        if (
            store.markup.is_outdated(fingerprint())
            and background
            and LATER_WORKER not in os.environ
        ):
            _log.warning("Sanitizer rules changed: run `python -m feedsvc db sanitize`")
    except Unavailable:
        if not background:
            raise
        # A worker that starts while the database is away must not end the service; the thread tries again.
    if background:
        run_periodically(store.apply_scheduled_changes, kept.sync)
        if config.metrics and is_multiprocess():
            run_periodically(
                Metrics(
                    config.metrics,
                    kept.stats,
                    store.latest_published,
                    store.subscriptions.stats,
                ).publish
            )

    schemas = create_entry_schemas(site)
    authenticator = Authenticator(
        store.tokens,
        RateLimiter(config.rate_writes, config.workers),
        RateLimiter(config.rate_auth_failures, config.workers),
    )

    app = Flask(__name__, static_folder=None)
    if config.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.trusted_proxies, x_proto=0)  # type: ignore[method-assign]
    app.url_map.merge_slashes = (
        False  # its redirects would go where the Host header says
    )
    app.config.update(
        MAX_CONTENT_LENGTH=config.max_body,
        API_TITLE="feedsvc",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.1.0",
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.before_request(lambda: request.environ.update({CACHE_MISS_KEY: True}))

    app.register_blueprint(headers_blueprint())
    app.before_request(_refuse_chunked)  # with a request id, so after that blueprint
    app.register_blueprint(health_blueprint(store))
    feeds = FeedService(store, kept, site, clock, config.max_age, config.max_feed)
    app.register_blueprint(feeds_blueprint(feeds))
    if has_hub:
        app.register_blueprint(
            hub_blueprint(
                store.subscriptions,
                feeds,
                RateLimiter(config.rate_hub, config.workers),
                site,
            )
        )
    app.register_blueprint(pages_blueprint(store, kept, site, clock, config.max_age))
    app.register_blueprint(static_blueprint(site.color))
    api = create_api(app, site, schemas)
    for collection, kind in (("articles", "news"), ("events", "events")):
        api.register_blueprint(
            entries_blueprint(
                collection,
                schemas[kind],
                store,
                authenticator,
                require_if_match=config.require_if_match,
            )
        )
    api.register_blueprint(
        categories_blueprint(store, authenticator, kept, clock, config.max_age)
    )
    fingerprint_of_documents = f"{__version__} {site}"
    api.register_blueprint(
        changes_blueprint(store, authenticator, schemas, fingerprint_of_documents)
    )
    batch_limits = BatchLimits(
        ndjson_bytes=config.max_batch,
        array_bytes=config.max_body,
        items=BulkRateLimiter(config.rate_batch_lines, config.workers),
    )
    api.register_blueprint(batch_blueprint(store, authenticator, schemas, batch_limits))
    api.register_blueprint(preview_blueprint(store, authenticator, schemas, clock))
    app.register_blueprint(docs_blueprint(openapi_document(api), site, config.max_age))
    # After Api, whose error body gives way to problem documents.
    app.register_blueprint(problems_blueprint(site, config.max_age))
    register_commands(app)
    request_schemas = {kind: schemas[kind].request for kind in schemas}
    Services(config, store, request_schemas, feeds).register(app)
    app.wsgi_app = CacheMiddleware(app.wsgi_app, kept)  # type: ignore[method-assign]
    return app


def _refuse_chunked() -> None:
    """Refuse a chunked body of a method that has no body here; views that read a body check its length.

    :raises LengthRequired: there is one.
    """
    if "Transfer-Encoding" in request.headers and request.method not in (
        "POST",
        "PUT",
        "PATCH",
    ):
        raise LengthRequired("A chunked body is not read.")
