"""Formats: a feed → bytes. Pure functions, without a database, a clock or a network.

A format is an entry of FORMATS (`feeds/query.py`) and the module of its suffix here:
its `part` shows an entry, given as a `Shown` and nothing else, so that none forgets its
notice, or its state before the title; its `render` makes the document of a feed and its
parts. Pages show entries themselves. Equal feeds give equal bytes.
"""

from importlib import import_module
from typing import Any

from feedsvc.feeds.feed import Feed, FeedHead
from feedsvc.feeds.query import FORMATS
from feedsvc.formats.shown import show

_MODULES: dict[str, Any] = {
    suffix: import_module(f"{__name__}.{suffix}") for suffix in FORMATS
}


def render_feed(feed: Feed) -> bytes:
    """Render a feed in the format of its query."""
    module = _MODULES[feed.query.format.suffix]
    document: bytes
    if feed.query.format.is_page:
        document = module.render(feed)
    else:
        view = FeedHead(feed.query.view, feed.site)
        parts = (module.part(show(entry, view)) for entry in feed.entries)
        document = module.render(feed, parts)
    return document
