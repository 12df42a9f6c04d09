"""Formats: a feed → bytes. Pure functions, without a database, a clock or a network.

A format is an entry of FORMATS (`feeds/query.py`) and the module of its suffix here:
its `part` shows an entry, which it takes as a `Shown`, so that none forgets its notice,
or its state before the title; its `render` makes the document of a feed and its parts.
Pages are in `pages/`. Equal feeds give equal bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from feedsvc.feeds.feed import Feed, FeedHead
from feedsvc.feeds.query import FORMATS
from feedsvc.formats.parts import Part, PartCache, part_key
from feedsvc.formats.shown import show
from feedsvc.models import Entry, Stamp

#: Entries that are read at once: the rest may have no room in a calendar.
_BATCH = 100

#: Reads the entries of stamps, in their order.
ReadEntries = Callable[[Sequence[Stamp]], Sequence[Entry]]

_MODULES: dict[str, Any] = {
    suffix: import_module(f"{__name__}.{suffix}")
    for suffix, format in FORMATS.items()
    if not format.is_page
}


def render_feed(feed: Feed, cache: PartCache, read: ReadEntries) -> bytes:
    """Render a feed in the format of its query.

    :param read: for the entries whose parts are not cached.
    """
    render: Callable[..., bytes] = _MODULES[feed.query.format.suffix].render
    return render(feed, _parts(feed, cache, read))


def _parts(feed: Feed, cache: PartCache, read: ReadEntries) -> Iterator[Part]:
    view = FeedHead(feed.query.view, feed.site)
    show_part = _MODULES[feed.query.format.suffix].part
    for begin in range(0, len(feed.stamps), _BATCH):
        stamps = feed.stamps[begin : begin + _BATCH]
        keys = {part_key(view.query, stamp): stamp for stamp in stamps}
        parts = {key: cache.get(key) for key in keys}
        missing = [stamp for key, stamp in keys.items() if parts[key] is None]
        entries = iter(read(missing))
        for key, part in parts.items():
            if part is None:
                part = show_part(show(next(entries), view))
                # A crawl of further pages must not displace what subscribers need.
                if feed.query.page == 1:
                    cache.store(key, part)
            yield part
