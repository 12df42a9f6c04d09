"""Feeds as values, and the cache of their responses."""

from feedsvc.feeds.builder import build_feed

__all__ = ["build_feed"]
