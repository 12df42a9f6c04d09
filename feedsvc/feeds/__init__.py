"""Feeds: their URLs, their entries, the cache of responses."""
