"""RSS 2.0, with the RSS Advisory Board's profile, and Atom (RFC 4287)."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from tests.conformance.values import check_body, is_uri, looks_like_html

Element = Any
"""An lxml element; lxml's stubs lack too many of its methods."""

RULES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


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
    if own_name in RULES["required"]:
        yield from _check_children(element)
    pattern = RULES["patterns"].get(own_name)
    if pattern and not re.fullmatch(pattern, text):
        yield f"has a wrong value: {text}"
    # The link of RSS is a text, and that of Atom has an attribute.
    is_address = own_name in RULES["addresses"] or (
        own_name == "link" and text
    )
    if is_address and not is_uri(text):
        yield f"is no absolute URI: {text}"
    for key in RULES["address_attributes"]:
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
    for required in RULES["required"][name(parent)]:
        if required not in counts:
            yield f"lacks {required}"
    for child, count in counts.items():
        if count > 1 and child not in RULES["repeatable"]:
            yield f"has more than one {child}"
    for own, borrowed in RULES["same_values"]:
        if own in counts and borrowed in counts:
            yield f"has the same value in {own} and {borrowed}"
    texts = _named(parent, "description", "content:encoded")
    if texts and name(texts[0]) == "content:encoded":
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
