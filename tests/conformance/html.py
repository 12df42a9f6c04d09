"""HTML in feeds: bodies that a reader can show safely, and plain text that has none."""

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
    """HTML that stands for an entry's body or summary: sound, safe, and with absolute addresses."""
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
    """The same of XHTML."""
    for element in div.iter("*"):
        namespace, _, tag = element.tag.rpartition("}")
        _check_tag(
            report,
            element,
            tag if namespace == XHTML else f"other {element.tag}",
            element.attrib,
        )
        if holds_html(text(element)):
            report.add(
                element,
                VALIDATOR + " NotInline",
                "is XHTML that spells out HTML",
                text(element),
            )


def _check_tag(
    report: Report, where: Element | str, tag: str, attributes: dict[str, str]
) -> None:
    if tag in _RISKY:
        report.add(
            where,
            VALIDATOR + " SecurityRisk",
            "holds a tag that readers take for a risk",
            tag,
        )
    elif tag in _OBSOLETE:
        report.add(where, "HTML §16.2", "holds a tag that is obsolete", tag)
    elif tag not in _SAFE:
        report.add(where, VALIDATOR + " NotHtml", "holds a tag that HTML has not", tag)
    for key, value in attributes.items():
        if key.startswith("on"):
            report.add(
                where,
                VALIDATOR + " SecurityRiskAttr",
                "holds an attribute that runs a script",
                key,
            )
        elif key == "style":
            report.add(
                where,
                VALIDATOR + " DangerousStyleAttr",
                "holds a style attribute",
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
            "holds a relative address",
            f"{key}={value}",
        )
    elif not (is_web_address(ascii_only(value)) or is_uri(value)):
        report.add(
            where,
            VALIDATOR + " InvalidUriChar",
            "holds an address that is none",
            f"{key}={value}",
        )


def ascii_only(address: str) -> str:
    """An address with x for what only an IRI may hold: HTML's addresses may be IRIs."""
    return re.sub(r"[^\x00-\x7f]", "x", address)


def holds_html(value: str) -> bool:
    """Whether plain text would read differently as HTML: an end tag, or a character reference."""
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
            holds_html(plain) or _START_TAG.search(plain)
        ) and not report.has_hexadecimal(element):
            report.add(
                element,
                "RSS Profile §data-types-characterdata",
                "is plain text that holds HTML",
                plain,
            )
    elif holds_html(plain):
        report.add(
            element,
            VALIDATOR + " ContainsUndeclaredHTML",
            "is plain text that spells out HTML",
            plain,
        )
