"""Checks of HTML and of plain text in feeds."""

from __future__ import annotations

import re
from html.entities import name2codepoint

import html5lib

from tests.conformance.findings import Element, Report, name, text
from tests.conformance.values import is_uri, is_web_address

VALIDATOR = "W3C feed validator"
XHTML = "{http://www.w3.org/1999/xhtml"

_SAFE = set(
    "a abbr address area article aside audio b bdi blockquote br button caption cite code col colgroup data "
    "datalist dd del details dfn dialog div dl dt em fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hgroup hr i img input ins kbd label legend li main map mark menu meter nav noscript ol optgroup "
    "option output p picture pre progress q rp rt ruby s samp section select small source span strong sub "
    "summary sup table tbody td template textarea tfoot th thead time tr track u ul var video wbr".split()
)
_OBSOLETE = set("acronym big center dir font strike tt".split())
_RISKY = set(
    "applet base basefont bdo body canvas embed frame frameset head html iframe link math meta noembed noframes "
    "object param plaintext script slot style svg title xmp".split()
)
_ADDRESSES = ("href", "src", "poster", "cite")
_END_TAG = re.compile(r"</([A-Za-z][A-Za-z0-9]*)>")
_START_TAG = re.compile(r"<[/A-Za-z]")
_REFERENCE = re.compile(r"&(#?\w+)")


def check_body(report: Report, where: Element | str, value: str) -> None:
    """Check the HTML of a body or a summary: valid, safe, with absolute URLs."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    fragment = parser.parseFragment(value)
    for _, error, _ in parser.errors:
        report.add(where, VALIDATOR + " NotHtml", "is HTML with errors", error)
    for element in fragment.iter():
        if isinstance(element.tag, str) and element.tag != "DOCUMENT_FRAGMENT":
            _check_tag(
                report, where, element.tag.rpartition("}")[2].lower(), element.attrib
            )


def check_xhtml(report: Report, div: Element) -> None:
    """Check the XHTML of a body or a summary."""
    for element in div.iter("*"):
        namespace, _, tag = element.tag.rpartition("}")
        _check_tag(
            report,
            element,
            tag if namespace == XHTML else f"other {element.tag}",
            element.attrib,
        )
        if looks_like_html(text(element)):
            report.add(
                element,
                VALIDATOR + " NotInline",
                "is XHTML with escaped HTML",
                text(element),
            )


def _check_tag(
    report: Report, where: Element | str, tag: str, attributes: dict[str, str]
) -> None:
    if tag in _RISKY:
        report.add(
            where,
            VALIDATOR + " SecurityRisk",
            "contains a tag that readers consider unsafe",
            tag,
        )
    elif tag in _OBSOLETE:
        report.add(where, "HTML §16.2", "contains an obsolete tag", tag)
    elif tag not in _SAFE:
        report.add(where, VALIDATOR + " NotHtml", "contains an unknown HTML tag", tag)
    for key, value in attributes.items():
        if key.startswith("on"):
            report.add(
                where,
                VALIDATOR + " SecurityRiskAttr",
                "contains an attribute that runs a script",
                key,
            )
        elif key == "style":
            report.add(
                where,
                VALIDATOR + " DangerousStyleAttr",
                "contains a style attribute",
                value,
            )
        elif key in _ADDRESSES:
            _check_address(report, where, key, value.strip())
        elif key == "srcset":
            for candidate in re.split(r",\s+", value.strip()):
                _check_address(
                    report,
                    where,
                    key,
                    candidate.split()[0] if candidate.split() else "",
                )


def _check_address(report: Report, where: Element | str, key: str, value: str) -> None:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value):
        report.add(
            where,
            VALIDATOR + " ContainsRelRef",
            "contains a relative URL",
            f"{key}={value}",
        )
    elif not (is_web_address(ascii_only(value)) or is_uri(value)):
        report.add(
            where,
            VALIDATOR + " InvalidUriChar",
            "contains an invalid URL",
            f"{key}={value}",
        )


def ascii_only(address: str) -> str:
    """Return a URL with x for characters of IRIs, which HTML allows."""
    return re.sub(r"[^\x00-\x7f]", "x", address)


def looks_like_html(value: str) -> bool:
    """Tell if plain text would read differently as HTML: an end tag, or a character reference."""
    if any(
        tag.lower() in _SAFE | _OBSOLETE | _RISKY for tag in _END_TAG.findall(value)
    ):
        return True
    return any(
        reference in name2codepoint or reference == "apos" or not reference.isalpha()
        for reference in _REFERENCE.findall(value)
    )


def check_plain(report: Report, element: Element, value: str | None = None) -> None:
    """Plain text in an element, or in one of its attributes, that has no HTML.

    RSS has no types for text, so there a start tag counts too, and the profile's way out: & and < as
    hexadecimal references, which the W3C's validator looks for in the element's line.
    """
    plain = text(element) if value is None else value
    root = element.getroottree().getroot()
    if name(root) == "rss":
        if (
            looks_like_html(plain) or _START_TAG.search(plain)
        ) and not report.has_hexadecimal(element):
            report.add(
                element,
                "RSS Profile §data-types-characterdata",
                "is plain text with HTML",
                plain,
            )
    elif looks_like_html(plain):
        report.add(
            element,
            VALIDATOR + " ContainsUndeclaredHTML",
            "is plain text that looks like HTML",
            plain,
        )
