"""The components of an application, for commands, gunicorn's hooks and tests."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from config import Config
from feedsvc.api.schemas import EntrySchema
from feedsvc.storage import Storage
from feedsvc.web.feeds import FeedService

_EXTENSION = "feedsvc"


@dataclass(frozen=True)
class Services:
    """The components that create_app has connected."""

    config: Config
    storage: Storage
    schemas: dict[str, EntrySchema]
    feeds: FeedService

    def register(self, app: Flask) -> None:
        """Make `get_services` find them."""
        app.extensions[_EXTENSION] = self


def get_services(app: Flask) -> Services:
    """Return the components of an application that create_app has made."""
    services: Services = app.extensions[_EXTENSION]
    return services


def current_services() -> Services:
    """Return the components of the current application."""
    return get_services(current_app)
