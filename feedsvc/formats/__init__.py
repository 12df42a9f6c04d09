"""Formats: a feed → bytes. Pure functions, without a database, a clock or a network.

A format is an entry of FORMATS (`feeds/query.py`) and the module of its suffix here,
whose `render` makes its documents. Equal feeds give equal bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS, Format
from feedsvc.models import Entry, Site

_log = logging.getLogger(__name__)


def _renderer(format: Format) -> Callable[[Feed], bytes]:
    """Return the function `render` of a format's module."""
    module = import_module(f"{__name__}.{format.suffix}")
    render: Callable[[Feed], bytes] = module.render
    return render


for _format in FORMATS.values():
    # icalendar takes 0.2 s and 15 MB to import: only a worker that renders a calendar
    # needs it.
    if not _format.is_calendar:
        _renderer(_format)


def render_feed(feed: Feed) -> bytes:
    """Render a feed in the format of its query.

    An entry that cannot be rendered is left out and logged, so that one damaged entry
    does not take down a feed.
    """
    render = _renderer(feed.query.format)
    try:
        return render(feed)
    except Exception:
        entries = tuple(entry for entry in feed.entries if _is_renderable(entry, feed))
        return render(replace(feed, entries=entries))


def _is_renderable(entry: Entry, feed: Feed) -> bool:
    try:
        _renderer(feed.query.format)(replace(feed, entries=(entry,)))
    except Exception:
        _log.exception("Entry %s left out of %s", entry.id, feed.query.path)
        return False
    return True


def render_event_calendar(entry: Entry, site: Site) -> bytes:
    """Return one event as an iCalendar file, to be added to a reader's calendar."""
    from feedsvc.formats import ics

    return ics.render_event(entry, site)
