"""feedsvc stores a portal's articles and events and publishes them as feeds."""

__version__ = "2.0.0"
