"""Findings, and paths to elements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lxml import etree

Element = Any
"""An lxml element; lxml's stubs lack too many of its methods."""

PREFIXES = {
    "http://www.w3.org/2005/Atom": "atom",
    "http://www.w3.org/1999/xhtml": "xhtml",
    "http://www.w3.org/XML/1998/namespace": "xml",
    "http://purl.org/rss/1.0/modules/content/": "content",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://purl.org/rss/1.0/modules/syndication/": "sy",
    "http://purl.org/rss/1.0/modules/event/": "ev",
    "http://www.georss.org/georss": "georss",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://search.yahoo.com/mrss/": "media",
}
"""The namespaces that these rules know, with the prefixes that everyone uses."""


@dataclass(frozen=True)
class Finding:
    """A violation of a rule.

    :param section: the specification and section of the rule.
    :param location: an XPath or a JSON pointer.
    :param value: the wrong value, if there is one.
    """

    section: str
    location: str
    message: str
    value: str = ""

    def __str__(self) -> str:
        value = f": {self.value!r}" if self.value else ""
        return f"{self.section}: {self.location} {self.message}{value}"


@dataclass
class Report:
    """The findings in one document, and the facts that checks need.

    :param url: the URL that the document was fetched from, if known.
    :param now: the time after which dates are in the future, if they must not be.
    """

    document: bytes = b""
    url: str | None = None
    now: datetime | None = None
    findings: list[Finding] = field(default_factory=list)

    def add(
        self, where: Element | str, section: str, message: str, value: str = ""
    ) -> None:
        """Add a finding at an element, or at a JSON pointer."""
        location = where if isinstance(where, str) else path(where)
        self.findings.append(Finding(section, location, message, value))

    def has_hexadecimal(self, element: Element) -> bool:
        """Tell if the line in which an element begins has a hexadecimal character reference."""
        return b"&#x" in self.document.split(b"\n")[(element.sourceline or 1) - 1]


def name(element: Element) -> str:
    """Return the name of an element with the usual prefix; none in the root's namespace."""
    tag = etree.QName(element)
    home = etree.QName(element.getroottree().getroot()).namespace
    if tag.namespace in (None, home):
        return tag.localname
    return f"{PREFIXES.get(tag.namespace or '', tag.namespace)}:{tag.localname}"


def children(element: Element, *names: str) -> list[Element]:
    """Return the child elements, or those with these names, without comments."""
    elements = [child for child in element if isinstance(child.tag, str)]
    if not names:
        return elements
    return [child for child in elements if name(child) in names]


def text(element: Element) -> str:
    """Return the text directly in an element."""
    return "".join(
        str(part or "") for part in (element.text, *(child.tail for child in element))
    )


def path(element: Element) -> str:
    """Return the XPath of an element, with an index if siblings have its name."""
    parent = element.getparent()
    if parent is None:
        return name(element)
    same = children(parent, name(element))
    number = f"[{same.index(element) + 1}]" if len(same) > 1 else ""
    return f"{path(parent)}/{name(element)}{number}"
