"""A feed → bytes, pure: same in, same out. One file a format, and one line for it here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from feedsvc.model import KINDS, Entry, Feed, FeedQuery, Site
from feedsvc.render import atom, ics, rss


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
    "ics": Format(ics.MEDIA_TYPE, "iCalendar", ics.render, ("events",)),
}


def renderings(entry: Entry, site: Site) -> dict[str, str]:
    """A feed of one entry in each format."""
    return {
        name: form.render(
            Feed(FeedQuery(entry.kind, name), site, None, entry.updated, None, (entry.as_seen(),))
        ).decode()
        for name, form in FORMATS.items()
        if entry.kind in form.kinds
    }
