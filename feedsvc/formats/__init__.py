"""Formats: a feed → bytes. Pure functions, without a database, a clock or a network.

A format is an entry of FORMATS (`feeds/query.py`) and the module of its suffix here,
whose `render` makes its documents. Equal feeds give equal bytes. A format with the
body or the summary of an entry shows its notice too, and before the title its state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS
from feedsvc.models import Entry

_log = logging.getLogger(__name__)

_RENDERERS: dict[str, Callable[[Feed], bytes]] = {
    suffix: import_module(f"{__name__}.{suffix}").render for suffix in FORMATS
}


def render_feed(feed: Feed) -> bytes:
    """Render a feed in the format of its query.

    An entry that cannot be rendered is left out and logged, so that one damaged entry
    does not take down a feed.
    """
    render = _RENDERERS[feed.query.format.suffix]
    try:
        return render(feed)
    except Exception:
        entries = tuple(entry for entry in feed.entries if _is_renderable(entry, feed))
        return render(replace(feed, entries=entries))


def _is_renderable(entry: Entry, feed: Feed) -> bool:
    render = _RENDERERS[feed.query.format.suffix]
    try:
        render(replace(feed, entries=(entry,)))
    except Exception:
        _log.exception("Entry %s left out of %s", entry.id, feed.query.path)
        return False
    return True
