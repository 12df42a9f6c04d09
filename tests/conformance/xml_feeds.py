"""RSS 2.0 and Atom: a schema, and what a schema cannot say."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree
from lxml.isoschematron import Schematron

from tests.conformance.values import check_body, looks_like_html

_SCHEMA = Schematron(etree.parse(Path(__file__).with_suffix(".sch")), store_report=True)
_VIOLATIONS = "//*[local-name() = 'text']"
_SELF_LINKS = "/*/*[@rel = 'self']/@href | /rss/channel/*[@rel = 'self']/@href"
_BODIES = "//*[name() = 'content:encoded' or @type = 'html'] | //item/description"
_TEXTS = "//*[contains(' summary subtitle rights ', concat(' ', name(), ' '))]"


def check(document: bytes, url: str | None) -> Iterator[str]:
    """Check an RSS or Atom document."""
    root: Any = etree.fromstring(document)
    _SCHEMA.validate(root)
    for text in _SCHEMA.validation_report.xpath(_VIOLATIONS):
        yield f"{text.getparent().get('location')} {text.text}"
    links = root.xpath(_SELF_LINKS)
    if len(links) != 1 or url not in (None, links[0]):
        yield f"self links are {links}"
    for text in root.xpath("//text()"):
        if not unicodedata.is_normalized("NFC", text):
            yield f"is not in NFC: {text}"
    bodies = root.xpath(_BODIES)
    for element in bodies:
        yield from check_body(element.text or "")
    # Some readers take it for HTML all the same; titles, most show as they are.
    for element in root.xpath(_TEXTS):
        if element not in bodies and looks_like_html(element.text or ""):
            yield f"is text that looks like HTML: {element.text}"
