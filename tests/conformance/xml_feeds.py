"""RSS 2.0, with the RSS Advisory Board's profile, and Atom (RFC 4287)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lxml import etree

from tests.conformance.values import check_body, is_uri, looks_like_html

Element = Any
"""An lxml element; lxml's stubs lack too many of its methods."""

REQUIRED = {
    "feed": {"id", "title", "updated", "author"},
    "entry": {"id", "title", "updated", "published"},
    "channel": {"title", "link", "description", "language", "lastBuildDate"},
    "item": {"title", "link", "guid", "pubDate"},
}
REPEATABLE = set(
    "entry item author category link atom:link dc:creator".split()
)
"""Other elements are at most once in these parents."""

SAME_VALUES = (
    ("author", "dc:creator"),
    ("source", "dc:source"),
    ("copyright", "dc:rights"),
    ("pubDate", "dc:date"),
)
"""Elements of RSS of which readers would show both."""

# Fractions of a second: ROME and podcastparser read wrong times.
_RFC_3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"
_RFC_822 = r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
_W3CDTF = rf"\d{{4}}-\d\d-\d\d|{_RFC_3339}"
_LANGUAGE = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*"
PATTERNS = {
    "updated": _RFC_3339,
    "published": _RFC_3339,
    "pubDate": _RFC_822,
    "lastBuildDate": _RFC_822,
    "ev:startdate": _W3CDTF,
    "ev:enddate": _W3CDTF,
    "language": _LANGUAGE,
    "dc:language": _LANGUAGE,
    "managingEditor": r"\S+@\S+ \(.+\)",
    "georss:point": r"-?\d{1,2}\.\d+ -?\d{1,3}\.\d+",
}
ADDRESSES = set("id uri icon logo url docs dcterms:license".split())
ADDRESS_ATTRIBUTES = ("href", "url", "scheme", "domain")


def check(document: bytes, url: str | None) -> Iterator[str]:
    """Check an RSS or Atom document."""
    root: Element = etree.fromstring(document)
    for element in root.iter(etree.Element):
        place = "/".join(
            name(parent)
            for parent in [*list(element.iterancestors())[::-1], element]
        )
        for finding in _check_element(element):
            yield f"{place} {finding}"
    yield from _check_links(root, url)
    ids = Counter(
        child.text
        for entry in _entries(root)
        for child in _named(entry, "id", "guid")
    )
    yield from (
        f"duplicate id: {id}" for id, count in ids.items() if count > 1
    )


def name(element: Element) -> str:
    """Return the name of an element with its prefix; Atom's own has none."""
    local_name = etree.QName(element).localname
    return f"{element.prefix}:{local_name}" if element.prefix else local_name


def _named(element: Element, *names: str) -> list[Element]:
    return [child for child in element if name(child) in names]


def _entries(root: Element) -> list[Element]:
    return list(root.iter("{*}entry", "{*}item"))


def _check_element(element: Element) -> Iterator[str]:
    own_name, text = name(element), element.text or ""
    if own_name in REQUIRED:
        yield from _check_children(element)
    pattern = PATTERNS.get(own_name)
    if pattern and not re.fullmatch(pattern, text):
        yield f"has a wrong value: {text}"
    # The link of RSS is a text, and that of Atom has an attribute.
    is_address = own_name in ADDRESSES or (own_name == "link" and text)
    if is_address and not is_uri(text):
        yield f"is no absolute URI: {text}"
    for key in ADDRESS_ATTRIBUTES:
        if key in element.attrib and not is_uri(element.get(key)):
            yield f"has no absolute URI: {element.get(key)}"
    if not unicodedata.is_normalized("NFC", text):
        yield f"is not in NFC: {text}"
    is_body = own_name == "content:encoded" or element.get("type") == "html"
    in_item = (
        element.getparent() is not None and name(element.getparent()) == "item"
    )
    if is_body or (own_name == "description" and in_item):
        yield from check_body(text)
    # Some readers take it for HTML all the same; titles, most show as they are.
    elif own_name in ("summary", "subtitle", "rights") and looks_like_html(
        text
    ):
        yield f"is text that looks like HTML: {text}"


def _check_children(parent: Element) -> Iterator[str]:
    counts = Counter(map(name, parent))
    for missing in REQUIRED[name(parent)] - counts.keys():
        yield f"lacks {missing}"
    for child, count in counts.items():
        if count > 1 and child not in REPEATABLE:
            yield f"has more than one {child}"
    for own, borrowed in SAME_VALUES:
        if own in counts and borrowed in counts:
            yield f"has the same value in {own} and {borrowed}"
    texts = [
        child
        for child in counts
        if child in ("description", "content:encoded")
    ]
    if texts[:1] == ["content:encoded"]:
        yield "has its content before its description"


def _check_links(root: Element, url: str | None) -> Iterator[str]:
    feed = root if name(root) == "feed" else root[0]
    own = [link.get("href") for link in feed if link.get("rel") == "self"]
    if len(own) != 1 or url not in (None, own[0]):
        yield f"self links are {own}"
    for parent in (feed, *_entries(root)):
        alternates = Counter(
            (link.get("type"), link.get("hreflang"))
            for link in parent
            if link.get("rel") == "alternate"
        )
        if any(count > 1 for count in alternates.values()):
            yield f"two alternate links of one type and language: {alternates}"
