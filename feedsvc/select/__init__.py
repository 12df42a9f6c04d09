"""Which entries make a feed."""

from feedsvc.select.feed import Snapshot, feed

__all__ = ["Snapshot", "feed"]
