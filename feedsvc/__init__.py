"""feedsvc stores a portal's articles and events and publishes them as feeds."""

__version__ = "3.2.1"
