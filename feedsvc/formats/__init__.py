"""Formats: a feed → bytes. Pure functions, without a database, a clock or a network.

A format is an entry of FORMATS (`feeds/query.py`) and the module of its suffix here:
its `make_fragment` renders an entry, which it takes as a `Shown`, so that none forgets
its notice, or its state before the title; its `render` makes the document of a feed and
the fragments of its entries. Pages are in `pages/`. Equal feeds give equal bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from feedsvc.feeds.feed import Feed, FeedHead
from feedsvc.feeds.query import FORMATS
from feedsvc.formats.fragments import Fragment, FragmentCache, fragment_key
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


def render_feed(feed: Feed, cache: FragmentCache, read: ReadEntries) -> bytes:
    """Render a feed in the format of its query.

    :param read: for the entries whose fragments are not cached.
    """
    render: Callable[..., bytes] = _MODULES[feed.query.format.suffix].render
    return render(feed, _fragments(feed, cache, read))


def _fragments(
    feed: Feed, cache: FragmentCache, read: ReadEntries
) -> Iterator[Fragment]:
    presentation = FeedHead(feed.query.presentation, feed.site)
    make_fragment = _MODULES[feed.query.format.suffix].make_fragment
    for begin in range(0, len(feed.stamps), _BATCH):
        stamps = feed.stamps[begin : begin + _BATCH]
        keys = {fragment_key(presentation.query, stamp): stamp for stamp in stamps}
        fragments = {key: cache.get(key) for key in keys}
        missing = [stamp for key, stamp in keys.items() if fragments[key] is None]
        entries = iter(read(missing))
        for key, fragment in fragments.items():
            if fragment is None:
                fragment = make_fragment(show(next(entries), presentation))
                # A crawl of further pages must not displace what subscribers need.
                if feed.query.page == 1:
                    cache.store(key, fragment)
            yield fragment
