"""The components of an application: made here, connected to Flask by create_app."""

from __future__ import annotations

import logging

from flask import Flask, current_app

from config import Config
from feedsvc.api.auth import Authenticator
from feedsvc.api.derived_schemas import create_entry_schemas
from feedsvc.api.schemas import EntrySchema
from feedsvc.errors import Unavailable
from feedsvc.feeds.response_cache import ResponseCache
from feedsvc.http.rate_limits import RateLimiter
from feedsvc.models import Clock, Site
from feedsvc.storage import Storage, run_periodically
from feedsvc.web.feeds import FeedService

EXTENSION = "feedsvc"
"""The key of the components in Flask's extensions."""

_log = logging.getLogger(__name__)


class Services:
    """The components of one application. None of them touches the database yet."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.site = site = _create_site(config)
        self.storage = storage = Storage(
            config.database_url,
            clock,
            site.timezone,
            config.database_connections,
            config.max_feed,
        )
        self.cache = cache = ResponseCache(
            storage,
            clock,
            config.cache_entries,
            config.cache_bytes,
            sync_on_read=True,
        )
        # A client that has written reads its change, at least from the same worker.
        storage.on_commit = cache.sync
        self.feeds = FeedService(
            storage, cache, site, clock, config.max_age, config.max_feed
        )
        self.entry_schemas = create_entry_schemas(site)
        self.authenticator = Authenticator(
            storage.tokens,
            RateLimiter(config.rate_writes, config.workers),
            RateLimiter(config.rate_auth_failures, config.workers),
        )

    @property
    def schemas(self) -> dict[str, EntrySchema]:
        """Return the schema of requests by kind."""
        return {kind: each.request for kind, each in self.entry_schemas.items()}

    def start(self, *, is_replacement: bool = False, is_first: bool = True) -> None:
        """Migrate the database, and start the threads of a server's worker.

        gunicorn's hook calls this after the fork; another server must do so too.

        :param is_replacement: accept a newer schema. A worker that replaces another
            may find one during a rolling upgrade, and must not end its service.
        :param is_first: log what concerns all workers.
        :raises SchemaTooNew: the database is newer than this version.
        """
        self.storage.outage_log.is_enabled = True
        try:
            self.storage.upgrade(or_newer=is_replacement)
        except Unavailable:
            # The service must survive a start without its database. The scheduler
            # tries again; the OutageLog has logged the reason.
            _log.warning("Started without a database, retrying")
        # The thread keeps the cache current within half a second.
        self.cache.sync_on_read = False
        run_periodically(self.storage.apply_scheduled_changes, self.cache.sync)


def get_services(app: Flask) -> Services:
    """Return the components of an application that create_app has made."""
    services: Services = app.extensions[EXTENSION]
    return services


def find_services(app: object) -> Services | None:
    """Return the components of a WSGI application, None for another one."""
    return app.extensions.get(EXTENSION) if isinstance(app, Flask) else None


def current_services() -> Services:
    """Return the components of the current application."""
    return get_services(current_app)


def current_storage() -> Storage:
    """Return the storage of the current application, for a command.

    :raises Unavailable: the database does not answer, or needs an upgrade.
    :raises SchemaTooNew: the database is newer than this version.
    """
    storage = current_services().storage
    storage.check_schema()
    return storage


def _create_site(config: Config) -> Site:
    return Site(
        public_url=config.public_url,
        url=config.site_url,
        title=config.site_title,
        description=config.site_description,
        language=config.site_language,
        timezone=config.site_timezone,
        icon=config.site_icon,
        rights=config.site_rights,
        contact=config.site_contact,
        hubs=config.hubs,
        color=config.site_color,
        logo=config.site_logo,
        poll_minutes=config.poll_minutes,
    )
