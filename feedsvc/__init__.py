"""feedsvc stores a portal's articles and events and publishes them as feeds."""

__version__ = "1.0.1"
