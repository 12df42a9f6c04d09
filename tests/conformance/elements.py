"""Grammars: the elements, attributes and text that an element may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from tests.conformance.findings import PREFIXES, Element, Report, children, name, text

Once = Literal["!", "+", "?", "*"]


@dataclass(frozen=True)
class Rule:
    """The content of an element.

    Each name of a child or attribute ends with its number: `!` one, `+` one or more, `?` at most
    one, `*` any.
    """

    section: str
    children: str = ""
    attributes: str = ""
    text: Literal["some", "any", "none"] = "some"


Grammar = Mapping[str, Rule]


def occurrences(names: str) -> dict[str, str]:
    """Return the signs by name: {"title": "!"}."""
    return {word[:-1]: word[-1] for word in names.split()}


def check_elements(report: Report, element: Element, grammar: Grammar) -> None:
    """Check an element and its descendants against a grammar."""
    rule = grammar[name(element)]
    _check_attributes(report, element, rule)
    _check_children(report, element, rule)
    _check_text(report, element, rule)
    for child in children(element):
        if name(child) in occurrences(rule.children) and name(child) in grammar:
            check_elements(report, child, grammar)


def _check_attributes(report: Report, element: Element, rule: Rule) -> None:
    allowed = occurrences(rule.attributes)
    for key in map(str, element.attrib):
        if (
            key not in allowed
            and etree.QName(key).namespace != "http://www.w3.org/XML/1998/namespace"
        ):
            report.add(element, rule.section, "has an unknown attribute", key)
    for key, sign in allowed.items():
        if sign == "!" and key not in element.attrib:
            report.add(element, rule.section, "lacks an attribute", key)
        elif key in element.attrib and not str(element.get(key)).strip():
            report.add(element, rule.section, "has an empty attribute", key)


def _check_children(report: Report, element: Element, rule: Rule) -> None:
    allowed = occurrences(rule.children)
    for child in children(element):
        namespace = etree.QName(child).namespace
        if name(child) not in allowed and (namespace in PREFIXES or namespace is None):
            report.add(child, rule.section, "is not allowed here")
    for child_name, sign in allowed.items():
        count = len(children(element, child_name))
        if not count and sign in "!+":
            report.add(element, rule.section, "lacks an element", child_name)
        elif count > 1 and sign in "!?":
            report.add(element, rule.section, "has a duplicate element", child_name)


def _check_text(report: Report, element: Element, rule: Rule) -> None:
    has_text = bool(text(element).strip())
    if has_text and (rule.text == "none" or (rule.children and rule.text == "some")):
        report.add(
            element,
            rule.section,
            "contains text where none is allowed",
            text(element).strip(),
        )
    elif not has_text and not rule.children and rule.text == "some":
        report.add(element, rule.section, "is empty")


_DC = (
    "dc:title? dc:creator* dc:subject* dc:description? dc:publisher* dc:contributor* dc:date? dc:type? dc:format? "
    "dc:identifier* dc:source? dc:language? dc:relation* dc:coverage* dc:rights? "
    "dcterms:abstract? dcterms:alternative* dcterms:audience* dcterms:created? dcterms:issued? dcterms:license? "
    "dcterms:modified? dcterms:spatial* dcterms:temporal* dcterms:valid? "
)
_MEDIA_DETAILS = (
    "media:title? media:description? media:thumbnail* media:credit* media:copyright? media:keywords* "
    "media:category* media:rating* media:player* "
)
FEED_EXTENSIONS = _DC + (
    "sy:updatePeriod? sy:updateFrequency? sy:updateBase? "
    "media:title? media:description? media:thumbnail* media:credit* media:copyright? media:category*"
)
ENTRY_EXTENSIONS = (
    _DC
    + _MEDIA_DETAILS
    + (
        "media:content* media:group* ev:startdate? ev:enddate? ev:location* ev:organizer* ev:type? "
        "georss:point* georss:featureName*"
    )
)

_MEDIA = "Media RSS 1.5.1"
EXTENSIONS: Grammar = {
    **{word[:-1]: Rule("DCMI Elements 1.1") for word in _DC.split()},
    **{
        f"sy:{key}": Rule("RSS Syndication 1.0")
        for key in ("updatePeriod", "updateFrequency", "updateBase")
    },
    **{
        f"ev:{key}": Rule("RSS Event 1.0")
        for key in "startdate enddate location organizer type".split()
    },
    "georss:point": Rule("GeoRSS Simple"),
    "georss:featureName": Rule("GeoRSS Simple"),
    "media:content": Rule(
        f"{_MEDIA} §media-content",
        _MEDIA_DETAILS,
        "url? fileSize? type? medium? isDefault? expression? bitrate? framerate? samplingrate? channels? duration? "
        "height? width? lang?",
    ),
    "media:group": Rule(f"{_MEDIA} §media-group", "media:content+ " + _MEDIA_DETAILS),
    "media:title": Rule(f"{_MEDIA} §media-title", attributes="type?"),
    "media:description": Rule(f"{_MEDIA} §media-description", attributes="type?"),
    "media:thumbnail": Rule(
        f"{_MEDIA} §media-thumbnails", "", "url! width? height? time?", "none"
    ),
    "media:credit": Rule(f"{_MEDIA} §media-credit", attributes="role? scheme?"),
    "media:copyright": Rule(f"{_MEDIA} §media-copyright", attributes="url?"),
    "media:keywords": Rule(f"{_MEDIA} §media-keywords"),
    "media:category": Rule(f"{_MEDIA} §media-category", attributes="scheme? label?"),
    "media:rating": Rule(f"{_MEDIA} §media-rating", attributes="scheme?"),
    "media:player": Rule(f"{_MEDIA} §media-player", "", "url! width? height?", "none"),
}
