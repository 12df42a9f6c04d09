"""What is wrong with a feed document, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lxml import etree

Element = Any
"""An lxml element; lxml's stubs know too few of them."""

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
    "http://purl.org/syndication/history/1.0": "fh",
    "http://purl.org/atompub/tombstones/1.0": "at",
}
"""The namespaces that these rules know, with the prefixes that everyone uses."""


@dataclass(frozen=True)
class Finding:
    """One breach of a rule: the text that has the rule, where in the document (an XPath or a JSON pointer),
    what is wrong there, and the value that is wrong, where there is one."""

    section: str
    where: str
    what: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.section}: {self.where} {self.what}" + (
            f": {self.value!r}" if self.value else ""
        )


@dataclass
class Report:
    """The findings of one document, in the order found, and what its checks must know."""

    document: bytes = b""
    url: str | None = None
    now: datetime | None = None
    found: list[Finding] = field(default_factory=list)

    def add(
        self, where: Element | str, section: str, what: str, value: str = ""
    ) -> None:
        place = where if isinstance(where, str) else path(where)
        self.found.append(Finding(section, place, what, value))

    def has_hexadecimal(self, element: Element) -> bool:
        """Whether the line in which an element begins has a hexadecimal character reference."""
        return b"&#x" in self.document.split(b"\n")[(element.sourceline or 1) - 1]


def name(element: Element) -> str:
    """An element's name with its usual prefix; in a document of Atom, Atom's own names have none."""
    tag = etree.QName(element)
    home = etree.QName(element.getroottree().getroot()).namespace
    if tag.namespace in (None, home):
        return tag.localname
    return f"{PREFIXES.get(tag.namespace or '', tag.namespace)}:{tag.localname}"


def children(element: Element, *names: str) -> list[Element]:
    """The child elements, or those of some names; comments and the like are none."""
    found = [child for child in element if isinstance(child.tag, str)]
    return [child for child in found if name(child) in names] if names else found


def text(element: Element) -> str:
    """The text that stands directly in an element."""
    return "".join(
        str(part or "") for part in (element.text, *(child.tail for child in element))
    )


def path(element: Element) -> str:
    """An XPath in the usual prefixes, numbered where there are several of a name."""
    parent = element.getparent()
    if parent is None:
        return name(element)
    same = children(parent, name(element))
    number = f"[{same.index(element) + 1}]" if len(same) > 1 else ""
    return f"{path(parent)}/{name(element)}{number}"
