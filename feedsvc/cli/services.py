"""What create_app hands to the commands."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from config import Config
from feedsvc.api.schemas import EntrySchema
from feedsvc.storage import Storage
from feedsvc.web.feeds import FeedService


@dataclass(frozen=True)
class Services:
    """The components that commands use."""

    config: Config
    store: Storage
    schemas: dict[str, EntrySchema]
    feeds: FeedService


def services_of(app: Flask) -> Services:
    """What create_app has handed over."""
    found: Services = app.extensions["feedsvc"]
    return found


def services() -> Services:
    """That of the current app."""
    return services_of(current_app)
