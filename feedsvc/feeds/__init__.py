"""Which entries make a feed."""

from feedsvc.feeds.builder import Snapshot, build_feed

__all__ = ["Snapshot", "build_feed"]
