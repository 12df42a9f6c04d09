"""Parsers of RSS and Atom that are not of the service."""

from typing import Any

import feedparser
from lxml import etree


def read_xml(document: bytes) -> tuple[int, Any]:
    """Return the number of entries and the root element of a feed."""
    parsed = feedparser.parse(
        document, resolve_relative_uris=False, sanitize_html=False
    )
    assert not parsed.bozo
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root: Any = etree.fromstring(document, parser)
    assert root.getroottree().docinfo.internalDTD is None
    assert not root.xpath("//processing-instruction() | //comment()")
    return len(parsed.entries), root
