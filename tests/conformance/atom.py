"""Atom 1.0 (RFC 4287)."""

from __future__ import annotations

import re
from collections import Counter

from tests.conformance.elements import (
    ENTRY_EXTENSIONS,
    EXTENSIONS,
    FEED_EXTENSIONS,
    Grammar,
    Rule,
    check_elements,
)
from tests.conformance.extensions import check_extensions
from tests.conformance.findings import Element, Report, children, name, text
from tests.conformance.html import VALIDATOR, check_body, check_plain, check_xhtml
from tests.conformance.links import (
    check_alternates,
    check_entry_links,
    check_feed_links,
    check_link,
)
from tests.conformance.media_rss import check_media
from tests.conformance.values import (
    EARLIEST,
    is_base64,
    is_canonical,
    is_email,
    is_media_type,
    is_uri,
    rfc_3339,
)
from tests.conformance.xml_document import XML_NAMESPACE, parse

ROOT = "{http://www.w3.org/2005/Atom}feed"
XHTML_DIV = "{http://www.w3.org/1999/xhtml}div"

_FEED = "id! title! updated! author* category* contributor* generator? icon? link* logo? rights? subtitle? "
_PERSON = "name! uri? email?"
GRAMMAR: Grammar = {
    **EXTENSIONS,
    "feed": Rule("RFC 4287 §4.1.1", _FEED + "entry* " + FEED_EXTENSIONS),
    "entry": Rule(
        "RFC 4287 §4.1.2",
        "id! title! updated! author* category* content? contributor* link* published? rights? source? summary? "
        + ENTRY_EXTENSIONS,
    ),
    "content": Rule("RFC 4287 §4.1.3", "xhtml:div?", "type? src?", "any"),
    "author": Rule("RFC 4287 §3.2", _PERSON),
    "contributor": Rule("RFC 4287 §3.2", _PERSON),
    "name": Rule("RFC 4287 §3.2.1"),
    "uri": Rule("RFC 4287 §3.2.2"),
    "email": Rule("RFC 4287 §3.2.3"),
    "category": Rule("RFC 4287 §4.2.2", "", "term! scheme? label?", "none"),
    "generator": Rule("RFC 4287 §4.2.4", attributes="uri? version?"),
    "icon": Rule("RFC 4287 §4.2.5"),
    "id": Rule("RFC 4287 §4.2.6"),
    "link": Rule(
        "RFC 4287 §4.2.7", "", "href! rel? type? hreflang? title? length?", "any"
    ),
    "logo": Rule("RFC 4287 §4.2.8"),
    "published": Rule("RFC 4287 §4.2.9"),
    "source": Rule("RFC 4287 §4.2.11", _FEED),
    "updated": Rule("RFC 4287 §4.2.15"),
    **{
        key: Rule("RFC 4287 §3.1", "xhtml:div?", "type?", "any")
        for key in ("rights", "subtitle", "summary", "title")
    },
}


def check(report: Report, media_type: str) -> None:
    """Check an Atom feed document."""
    feed = parse(report, media_type, ROOT)
    if feed is None:
        return
    check_elements(report, feed, GRAMMAR)
    for element in feed.iter("{http://www.w3.org/2005/Atom}*"):
        _check_value(report, element)
    _check_feed(report, feed)
    for entry in children(feed, "entry"):
        _check_entry(report, entry)
    check_extensions(report, feed)
    check_media(report, feed)


def _check_feed(report: Report, feed: Element) -> None:
    entries = children(feed, "entry")
    authors = children(feed, "author")
    for entry in entries:
        if (
            not authors
            and not children(entry, "author")
            and not entry.findall("{*}source/{*}author")
        ):
            report.add(entry, "RFC 4287 §4.1.2", "has no author, and its feed has none")
        if entry.findtext("{*}id") == feed.findtext("{*}id"):
            report.add(
                entry,
                "RFC 4287 §4.2.6",
                "has the id of its feed",
                entry.findtext("{*}id") or "",
            )
    if not feed.get(XML_NAMESPACE + "lang"):
        report.add(feed, VALIDATOR + " MissingDCLanguage", "has no language")
    first = feed.find("{*}entry")
    if first is not None:
        for late in first.itersiblings("{http://www.w3.org/2005/Atom}*"):
            if name(late) != "entry":
                report.add(
                    late,
                    VALIDATOR + " MisplacedMetadata",
                    "is after the first entry",
                )
    for id_, count in Counter(entry.findtext("{*}id") for entry in entries).items():
        if id_ and count > 1:
            report.add(feed, "RFC 4287 §4.1.1", "has a duplicate entry id", id_)
    check_feed_links(report, feed)


def _check_entry(report: Report, entry: Element) -> None:
    content, summary = entry.find("{*}content"), entry.find("{*}summary")
    if content is None and summary is None:
        report.add(
            entry,
            VALIDATOR + " MissingTextualContent",
            "has neither summary nor content",
        )
    if content is None and not entry.xpath(
        "a:link[not(@rel) or @rel='alternate']", namespaces={"a": ROOT[1:-5]}
    ):
        report.add(
            entry, "RFC 4287 §4.1.2", "has neither content nor an alternate link"
        )
    if (
        content is not None
        and summary is None
        and (content.get("src") or _is_binary(content))
    ):
        report.add(
            entry,
            "RFC 4287 §4.1.2",
            "has remote or Base64 content without a summary",
        )
    check_entry_links(report, entry)


def _is_binary(content: Element) -> bool:
    kind = content.get("type", "text")
    return (
        "/" in kind
        and not kind.startswith("text/")
        and not kind.endswith(("+xml", "/xml"))
    )


def _check_value(report: Report, element: Element) -> None:
    value, key = text(element), name(element)
    match key:
        case "source":
            check_alternates(report, element)
        case "link":
            check_link(report, element)
        case "title" | "subtitle" | "summary" | "rights" | "content":
            _check_text(report, element)
        case "name":
            check_plain(report, element)
            if re.search(r"<\S+@\S+>", value):
                report.add(
                    element,
                    "RFC 4287 §3.2.1",
                    "is a name with an e-mail address",
                    value,
                )
        case "email" if value and not is_email(value):
            report.add(element, "RFC 4287 §3.2.3", "is not an e-mail address", value)
        case "category":
            if element.get("scheme") and not is_uri(element.get("scheme", "")):
                report.add(
                    element,
                    "RFC 4287 §4.2.2.2",
                    "has a scheme that is not an absolute URI",
                    value,
                )
            check_plain(report, element, element.get("label", ""))
        case "generator":
            check_plain(report, element)
            if element.get("uri") and not is_uri(element.get("uri", "")):
                report.add(
                    element,
                    "RFC 4287 §4.2.4",
                    "has an invalid uri",
                    element.get("uri", ""),
                )
        case "updated" | "published":
            _check_date(report, element, value)
        case "id" | "icon" | "logo" | "uri":
            if value.strip() != value:
                report.add(
                    element, "RFC 4287 §2", "has white space around its value", value
                )
            elif value and not is_uri(value):
                report.add(element, "RFC 4287 §2", "is not an absolute URI", value)
            elif key == "id" and not is_canonical(value):
                report.add(
                    element,
                    "RFC 4287 §4.2.6.1",
                    "is an id that is not in canonical form",
                    value,
                )


def _check_date(report: Report, element: Element, value: str) -> None:
    moment = rfc_3339(value)
    if moment is None:
        if value.strip():
            report.add(element, "RFC 4287 §3.3", "is not an RFC 3339 date", value)
    elif moment < EARLIEST:
        report.add(element, VALIDATOR + " ImplausibleDate", "is before 1990", value)
    elif report.now and moment > report.now:
        report.add(element, VALIDATOR + " ImplausibleDate", "is in the future", value)


def _check_text(report: Report, element: Element) -> None:
    kind, inside = element.get("type", "text"), children(element)
    if "src" in element.attrib:
        _check_source(report, element)
    elif not text(element).strip() and not inside:
        report.add(element, VALIDATOR + " NotBlank", "is empty text")
    elif kind == "xhtml":
        if [str(child.tag) for child in inside] != [XHTML_DIV] or text(element).strip():
            report.add(element, "RFC 4287 §3.1.1.3", "is XHTML that is not in one div")
        for div in inside:
            check_xhtml(report, div)
    elif "/" in kind and name(element) == "content":
        _check_media(report, element, kind)
    elif kind not in ("text", "html"):
        report.add(element, "RFC 4287 §3.1.1", "has a type that is not allowed", kind)
    elif inside:
        report.add(
            element, "RFC 4287 §3.1.1", "contains elements where only text is allowed"
        )
    elif kind == "html":
        check_body(report, element, text(element))
    else:
        check_plain(report, element)


def _check_media(report: Report, content: Element, kind: str) -> None:
    if not is_media_type(kind) or kind.startswith(("multipart/", "message/")):
        report.add(content, "RFC 4287 §4.1.3.1", "has a type of several files", kind)
    elif kind in ("text/html", "application/xhtml+xml"):
        report.add(
            content,
            VALIDATOR + " HtmlFragment",
            "has a type of whole documents",
            kind,
        )
    elif _is_binary(content) and not is_base64(text(content)):
        report.add(content, "RFC 4287 §4.1.3.3", "is a file that is not in Base64")


def _check_source(report: Report, content: Element) -> None:
    if not is_uri(content.get("src", "")):
        report.add(
            content,
            "RFC 4287 §4.1.3.2",
            "has a src that is not an absolute URI",
            content.get("src", ""),
        )
    if not is_media_type(content.get("type", "")):
        report.add(
            content,
            "RFC 4287 §4.1.3.2",
            "has a src without a media type",
            content.get("type", ""),
        )
    if text(content).strip() or children(content):
        report.add(content, "RFC 4287 §4.1.3.2", "has a src and content")
