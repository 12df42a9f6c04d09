"""A feed → bytes, pure: same in, same out. One file a format, and one line for it here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from feedsvc.formats import atom, html, ics, json_feed, rss
from feedsvc.formats.html import Pages
from feedsvc.models import Entry, Feed, Site
from feedsvc.query import KINDS, FeedQuery

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Format:
    """A format: its media type, its name for people, its renderer, and the kinds that it is for."""

    media_type: str
    label: str
    render: Callable[[Feed], bytes]
    kinds: tuple[str, ...] = KINDS


FORMATS = {
    "rss": Format(rss.MEDIA_TYPE, "RSS", rss.render),
    "atom": Format(atom.MEDIA_TYPE, "Atom", atom.render),
    "json": Format(json_feed.MEDIA_TYPE, "JSON Feed", json_feed.render),
    "ics": Format(ics.MEDIA_TYPE, "iCalendar", ics.render, ("events",)),
}
PAGES = Pages(FORMATS)
FORMATS["html"] = Format(html.MEDIA_TYPE, "HTML", PAGES.feed)


def render_feed(feed: Feed) -> bytes:
    """A feed in the format of its query. An entry that cannot be written is left out and logged."""
    form = FORMATS[feed.query.format]
    try:
        return form.render(feed)
    except Exception:
        sound = tuple(
            entry
            for entry in feed.entries
            if _is_renderable(replace(feed, entries=(entry,)), form)
        )
        return form.render(replace(feed, entries=sound))


def _is_renderable(feed: Feed, form: Format) -> bool:
    try:
        form.render(feed)
    except Exception:
        _log.exception(
            "entry %s is left out of %s", feed.entries[0].id, feed.query.path
        )
        return False
    return True


def render_all_formats(entry: Entry, site: Site) -> dict[str, str]:
    """A feed of one entry in each format."""
    names = [name for name, form in FORMATS.items() if entry.kind in form.kinds]
    feed = Feed(
        FeedQuery(entry.kind, "html"),
        site,
        updated=entry.updated,
        entries=(entry.public_view(),),
    )
    return {
        name: render_feed(replace(feed, query=FeedQuery(entry.kind, name))).decode()
        for name in names
    }
