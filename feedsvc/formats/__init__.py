"""Formats: a feed → bytes. Pure functions, without a database, a clock or a network.

A format is an entry of FORMATS (`feeds/query.py`) and the module of its suffix here,
whose `render` makes its documents. Equal feeds give equal bytes. A format takes an
entry as a `Shown`, so that none forgets its notice, or its state before the title.
"""

from collections.abc import Callable
from importlib import import_module

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS

_RENDERERS: dict[str, Callable[[Feed], bytes]] = {
    suffix: import_module(f"{__name__}.{suffix}").render for suffix in FORMATS
}


def render_feed(feed: Feed) -> bytes:
    """Render a feed in the format of its query."""
    return _RENDERERS[feed.query.format.suffix](feed)
