"""Checks of the link element of Atom, which RSS uses too (RFC 4287 §4.2.7)."""

from __future__ import annotations

from collections import Counter

from tests.conformance.findings import Element, Report, children, text
from tests.conformance.html import VALIDATOR, check_plain
from tests.conformance.values import (
    is_integer,
    is_language,
    is_media_type,
    is_uri,
    is_web_address,
)

LINK = "RFC 4287 §4.2.7"
FEED_TYPES = ("application/atom+xml", "application/rss+xml")
PAGE_RELATIONS = (
    "first",
    "last",
    "next",
    "previous",
)
RELATIONS = {
    *(
        "alternate",
        "enclosure",
        "related",
        "self",
        "via",
        "edit",
        "edit-media",
        "hub",
        "license",
        "payment",
    ),
    *("replies", "search", "service", "up", "describedby", *PAGE_RELATIONS),
}


def links(element: Element, relation: str | None = None) -> list[Element]:
    """Return the links of a feed or entry, or those of one relation."""
    found = children(element, "link", "atom:link")
    found = [
        link for link in found if link.tag != "link"
    ]  # RSS has its own, in no namespace
    return [link for link in found if relation in (None, link.get("rel", "alternate"))]


def check_link(report: Report, link: Element) -> None:
    """Check the attributes of a link; the grammar has those that are required."""
    relation, href, media_type = (
        link.get("rel", "alternate"),
        link.get("href", ""),
        link.get("type"),
    )
    if relation not in RELATIONS and not is_uri(relation):
        report.add(link, f"{LINK}.2", "has an unregistered relation", relation)
    if href and not is_uri(href):
        report.add(link, f"{LINK}.1", "has a href that is not an absolute URI", href)
    elif (
        relation in ("self", "hub", *PAGE_RELATIONS)
        and href
        and not is_web_address(href)
    ):
        report.add(link, f"{LINK}.1", "has a href that is not http or https", href)
    if media_type and not is_media_type(media_type):
        report.add(link, f"{LINK}.3", "has an invalid media type", media_type)
    elif (
        relation == "self"
        and media_type
        and media_type.partition(";")[0] not in FEED_TYPES
    ):
        report.add(
            link,
            VALIDATOR + " SelfNotAtom",
            "has a self link whose type is not a feed's",
            media_type,
        )
    if link.get("hreflang") and not is_language(link.get("hreflang", "")):
        report.add(
            link,
            f"{LINK}.4",
            "has an invalid hreflang",
            link.get("hreflang", ""),
        )
    if link.get("title"):
        check_plain(report, link, link.get("title"))
    if link.get("length") and not is_integer(link.get("length", "")):
        report.add(
            link,
            f"{LINK}.6",
            "has a length that is not an integer",
            link.get("length", ""),
        )
    if len(link) or text(link).strip():
        report.add(link, VALIDATOR + " AtomLinkNotEmpty", "is a link that is not empty")


def check_feed_links(report: Report, feed: Element) -> None:
    """Check the links of a feed: one self link, with its URL."""
    own = links(feed, "self")
    if not own:
        report.add(feed, VALIDATOR + " MissingSelf", "has no self link")
    elif len(own) > 1:
        report.add(feed, "WebSub §4", "has several self links")
    elif report.url and own[0].get("href") != report.url:
        report.add(
            own[0],
            VALIDATOR + " SelfDoesntMatchLocation",
            "does not match the URL of the feed",
            str(report.url),
        )
    hubs = Counter(link.get("href") for link in links(feed, "hub"))
    for hub, count in hubs.items():
        if count > 1:
            report.add(feed, "WebSub §4", "has a duplicate hub", str(hub))
    check_alternates(report, feed)


def check_entry_links(report: Report, entry: Element) -> None:
    """Check the links of an entry."""
    for link in links(entry):
        if link.get("rel") in PAGE_RELATIONS:
            report.add(
                link,
                "RFC 5005 §3",
                "has a link of a feed in an entry",
                link.get("rel", ""),
            )
    check_alternates(report, entry)


def check_alternates(report: Report, element: Element) -> None:
    """Check for one alternate link a type and language (RFC 4287 §4.1.1, §4.1.2)."""
    pairs = Counter(
        (link.get("type"), link.get("hreflang")) for link in links(element, "alternate")
    )
    for (media_type, language), count in pairs.items():
        if count > 1:
            report.add(
                element,
                "RFC 4287 §4.1.1",
                "has two alternate links of one type and language",
                f"{media_type} {language}",
            )
