"""The components of an application: made here, connected to Flask by create_app."""

from datetime import timedelta
from functools import cached_property

from flask import Flask, current_app
from itsdangerous import BadSignature, URLSafeSerializer
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy.orm import Session

from feedsvc.background import Background
from feedsvc.config import Config
from feedsvc.feeds.cache import ResponseCache
from feedsvc.formats.fragments import FragmentCache
from feedsvc.input.schemas import create_entry_schemas
from feedsvc.models import Clock
from feedsvc.storage.database import Database, installation_row
from feedsvc.storage.migrations.runner import check_schema

#: The key of the components in Flask's extensions.
EXTENSION = "feedsvc"

#: Time for which the link to a preview is valid.
PREVIEW_PERIOD = timedelta(days=7)


class Services:
    """The components of one application. None of them touches the database yet."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.site = config.site
        self.database = Database(config.database_url, clock)
        self.cache = ResponseCache(self.database)
        self.fragments = FragmentCache()
        self.background = Background(self.database, config)
        self.entry_schemas = create_entry_schemas(self.site)
        self.rate_writes = parse(config.rate_writes)

    @cached_property
    def rate_limiter(self) -> MovingWindowRateLimiter:
        """The counters of writes and failed authentications, of this process alone."""
        # Not before the first request, because MemoryStorage starts a thread.
        return MovingWindowRateLimiter(MemoryStorage())

    def preview_url(self, session: Session, entry_id: str) -> str:
        """Return the signed link to the page of an entry that is not public."""
        expires = self.clock() + PREVIEW_PERIOD
        members = [entry_id, int(expires.timestamp())]
        signature = self._preview_signer(session).dumps(members)
        return f"{self.site.permalink(entry_id)}?preview={signature}"

    def is_valid_preview(self, session: Session, entry_id: str, signature: str) -> bool:
        """Tell if a signature is that of a link to an entry, and still valid."""
        try:
            signed_id, expires = self._preview_signer(session).loads(signature)
        except BadSignature:
            return False
        is_valid: bool = self.clock().timestamp() < expires
        return is_valid and signed_id == entry_id

    def _preview_signer(self, session: Session) -> URLSafeSerializer:
        secret = self.config.secret_key or installation_row(session).secret
        # The salt of version 2, "preview", was that of links without an end.
        return URLSafeSerializer(secret, salt="preview until")


def get_services(app: Flask) -> Services:
    """Return the components of an application that create_app has made."""
    services: Services = app.extensions[EXTENSION]
    return services


def current_services() -> Services:
    """Return the components of the current application."""
    return get_services(current_app)


def checked_database() -> Database:
    """Return the database of the current application, for a command.

    :raises Unavailable: the database needs an upgrade, or is of a newer version.
    """
    database = current_services().database
    check_schema(database)
    return database
