"""A validator of feed documents, independent of the service.

Its rules are those that readers stumbled over, or that the W3C's feed validator
reports. What the parsers in tests/formats notice needs no rule.
"""

from tests.conformance import json_feed, xml_feeds

CHECKS = {
    "application/atom+xml": xml_feeds.check,
    "application/rss+xml": xml_feeds.check,
    "application/feed+json": json_feed.check,
}


def findings(document: bytes, media_type: str, *, url: str | None = None) -> list[str]:
    """Return the violations in a feed document.

    :param media_type: its Content-Type, with parameters or without.
    :param url: the URL that it was fetched from, to compare with its self link.
    """
    return list(CHECKS[media_type.partition(";")[0]](document, url))
