"""Formats: a feed → bytes. Pure functions, without a database, a clock or a network.

A format is one module here and one line of FORMATS.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from feedsvc.feed_query import FeedQuery
from feedsvc.formats import atom, json_feed, rss
from feedsvc.formats.common import Format
from feedsvc.formats.html import Pages
from feedsvc.models import Entry, Feed, Site

_log = logging.getLogger(__name__)


def _render_html(feed: Feed) -> bytes:
    return PAGES.render_feed(feed)


def _render_ics(feed: Feed) -> bytes:
    # icalendar takes 0.2 s and 15 MB to import: only a worker that renders a calendar
    # needs it.
    from feedsvc.formats import ics

    return ics.render(feed)


FORMATS = {
    "rss": Format(rss.MEDIA_TYPE, "RSS", rss.render),
    "atom": Format(atom.MEDIA_TYPE, "Atom", atom.render),
    "json": Format("application/feed+json", "JSON Feed", json_feed.render),
    "ics": Format("text/calendar", "iCalendar", _render_ics, ("events",)),
    "html": Format("text/html", "HTML", _render_html),
}
"""Every format by its suffix in URLs, in the order in which pages list them."""

PAGES = Pages(FORMATS)
"""The pages, which link to the other formats."""


def render_feed(feed: Feed) -> bytes:
    """Render a feed in the format of its query.

    An entry that cannot be rendered is left out and logged, so that one damaged entry
    does not take down a feed.
    """
    render = FORMATS[feed.query.format].render
    try:
        return render(feed)
    except Exception:
        entries = tuple(entry for entry in feed.entries if _is_renderable(entry, feed))
        return render(replace(feed, entries=entries))


def _is_renderable(entry: Entry, feed: Feed) -> bool:
    try:
        FORMATS[feed.query.format].render(replace(feed, entries=(entry,)))
    except Exception:
        _log.exception("Entry %s left out of %s", entry.id, feed.query.path)
        return False
    return True


def render_all_formats(entry: Entry, site: Site) -> dict[str, str]:
    """Return a feed of one entry in each format, for the preview."""
    documents = {}
    entries = (entry.public_view(),)
    for name, form in FORMATS.items():
        if entry.kind in form.kinds:
            query = FeedQuery(entry.kind, name)
            feed = Feed(query, site, updated=entry.updated, entries=entries)
            documents[name] = render_feed(feed).decode()
    return documents


def render_event_calendar(entry: Entry, site: Site) -> bytes:
    """Return one event as an iCalendar file, to be added to a reader's calendar."""
    from feedsvc.formats import ics

    return ics.render_event(entry, site)
