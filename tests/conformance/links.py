"""The link element of Atom, which RSS borrows (RFC 4287 §4.2.7; RSS Profile §namespace-elements-atom-link)."""

from __future__ import annotations

from collections import Counter

from tests.conformance.findings import Element, Report, children, text
from tests.conformance.html import VALIDATOR, check_plain
from tests.conformance.values import (
    is_language,
    is_media_type,
    is_uri,
    is_web_address,
    is_whole,
)

LINK = "RFC 4287 §4.2.7"
FEED_TYPES = ("application/atom+xml", "application/rss+xml")
ARCHIVE_RELATIONS = (
    "first",
    "last",
    "next",
    "previous",
    "current",
    "prev-archive",
    "next-archive",
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
    *("replies", "search", "service", "up", "describedby", *ARCHIVE_RELATIONS),
}


def links(element: Element, relation: str | None = None) -> list[Element]:
    """The links of a feed or entry, or those of one relation; no relation is `alternate`."""
    found = children(element, "link", "atom:link")
    found = [
        link for link in found if link.tag != "link"
    ]  # RSS has its own, in no namespace
    return [link for link in found if relation in (None, link.get("rel", "alternate"))]


def check_link(report: Report, link: Element) -> None:
    """One link; that it has a href, and what else it may have, the grammar says."""
    relation, href, media_type = (
        link.get("rel", "alternate"),
        link.get("href", ""),
        link.get("type"),
    )
    if relation not in RELATIONS and not is_uri(relation):
        report.add(link, f"{LINK}.2", "has a relation that is not registered", relation)
    if href and not is_uri(href):
        report.add(link, f"{LINK}.1", "has a href that is no absolute URI", href)
    elif (
        relation in ("self", "hub", *ARCHIVE_RELATIONS)
        and href
        and not is_web_address(href)
    ):
        report.add(link, f"{LINK}.1", "has a href that cannot be fetched", href)
    if media_type and not is_media_type(media_type):
        report.add(link, f"{LINK}.3", "has a type that is no media type", media_type)
    elif (
        relation == "self"
        and media_type
        and media_type.partition(";")[0] not in FEED_TYPES
    ):
        report.add(
            link,
            VALIDATOR + " SelfNotAtom",
            "is a self of a type that is no feed's",
            media_type,
        )
    if link.get("hreflang") and not is_language(link.get("hreflang", "")):
        report.add(
            link,
            f"{LINK}.4",
            "has a hreflang that is no language",
            link.get("hreflang", ""),
        )
    if link.get("title"):
        check_plain(report, link, link.get("title"))
    if link.get("length") and not is_whole(link.get("length", "")):
        report.add(
            link,
            f"{LINK}.6",
            "has a length that is no whole number",
            link.get("length", ""),
        )
    if len(link) or text(link).strip():
        report.add(link, VALIDATOR + " AtomLinkNotEmpty", "is a link that is not empty")


def check_feed_links(report: Report, feed: Element) -> None:
    """A feed's or channel's links: one self, which is where it was fetched from."""
    own = links(feed, "self")
    if not own:
        report.add(feed, VALIDATOR + " MissingSelf", "has no link to itself")
    elif len(own) > 1:
        report.add(feed, "WebSub §4", "has more than one link to itself")
    elif report.url and own[0].get("href") != report.url:
        report.add(
            own[0],
            VALIDATOR + " SelfDoesntMatchLocation",
            "is not where the feed is",
            str(report.url),
        )
    hubs = Counter(link.get("href") for link in links(feed, "hub"))
    for hub, count in hubs.items():
        if count > 1:
            report.add(feed, "WebSub §4", "has a hub twice", str(hub))
    check_alternates(report, feed)


def check_entry_links(report: Report, entry: Element) -> None:
    """An entry's links: none that only a feed has."""
    for link in links(entry):
        if link.get("rel") in ARCHIVE_RELATIONS:
            report.add(
                link, "RFC 5005 §3", "is a feed's link in an entry", link.get("rel", "")
            )
    check_alternates(report, entry)


def check_alternates(report: Report, element: Element) -> None:
    """One alternate a type and language (RFC 4287 §4.1.1, §4.1.2)."""
    pairs = Counter(
        (link.get("type"), link.get("hreflang")) for link in links(element, "alternate")
    )
    for (media_type, language), count in pairs.items():
        if count > 1:
            report.add(
                element,
                "RFC 4287 §4.1.1",
                "has two alternates alike",
                f"{media_type} {language}",
            )
