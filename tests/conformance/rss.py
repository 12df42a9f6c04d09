"""RSS 2.0, with the RSS Advisory Board's best-practices profile."""

from __future__ import annotations

import re
from collections import Counter
from email.utils import parseaddr

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
from tests.conformance.html import VALIDATOR, check_body, check_plain
from tests.conformance.links import check_entry_links, check_feed_links, check_link
from tests.conformance.media_rss import check_media
from tests.conformance.values import (
    EARLIEST,
    is_email,
    is_integer,
    is_language,
    is_media_type,
    is_uri,
    is_web_address,
    rfc_822,
)
from tests.conformance.xml_document import parse

_CHANNEL, _ITEM = "RSS 2.0 §requiredChannelElements", "RSS 2.0 §hrelementsOfLtitemgt"
_PROFILE = "RSS Profile"
_PODCASTS = "Apple Podcasts RSS"
GRAMMAR: Grammar = {
    **EXTENSIONS,
    "rss": Rule("RSS 2.0 §whatIsRss", "channel!", "version!"),
    "channel": Rule(
        _CHANNEL,
        "title! link! description! language? copyright? managingEditor? webMaster? pubDate? lastBuildDate? category* "
        "generator? docs? cloud? ttl? image? skipHours? skipDays? item* atom:link* itunes:category? itunes:explicit? itunes:owner? "
        + FEED_EXTENSIONS,
    ),
    "item": Rule(
        _ITEM,
        "title? link? description? author? category* comments? enclosure? guid! pubDate? source? content:encoded? "
        "atom:link* itunes:duration? " + ENTRY_EXTENSIONS,
    ),
    "image": Rule(
        "RSS 2.0 §ltimagegtSubelementOfLtchannelgt",
        "url! title! link! width? height? description?",
    ),
    "skipHours": Rule(f"{_PROFILE} §element-channel-skiphours", "hour+"),
    "skipDays": Rule(f"{_PROFILE} §element-channel-skipdays", "day+"),
    "category": Rule(
        f"{_PROFILE} §element-channel-item-category", attributes="domain?"
    ),
    "cloud": Rule(
        "RSS 2.0 §ltcloudgtSubelementOfLtchannelgt",
        "",
        "domain! port! path! registerProcedure! protocol!",
        "none",
    ),
    "enclosure": Rule(
        "RSS 2.0 §ltenclosuregtSubelementOfLtitemgt", "", "url! length! type!", "none"
    ),
    "guid": Rule("RSS 2.0 §ltguidgtSubelementOfLtitemgt", attributes="isPermaLink?"),
    "source": Rule("RSS 2.0 §ltsourcegtSubelementOfLtitemgt", attributes="url!"),
    "atom:link": Rule(
        "RFC 4287 §4.2.7", "", "href! rel? type? hreflang? title? length?", "any"
    ),
    "itunes:category": Rule(_PODCASTS, "", "text!", "none"),
    "itunes:owner": Rule(_PODCASTS, "itunes:name? itunes:email!"),
    **{
        f"itunes:{key}": Rule(_PODCASTS)
        for key in ("duration", "email", "explicit", "name")
    },
    "content:encoded": Rule(f"{_PROFILE} §namespace-elements-content-encoded"),
    **{
        key: Rule("RSS 2.0 §optionalChannelElements")
        for key in (
            "title link description language copyright managingEditor webMaster pubDate lastBuildDate generator docs "
            "ttl author comments url width height hour day"
        ).split()
    },
}
DUPLICATE_VALUES = (
    *(
        ("author", "dc:creator"),
        ("managingEditor", "dc:creator"),
        ("pubDate", "dc:date"),
        ("source", "dc:source"),
    ),
    *(
        ("category", "dc:subject"),
        ("language", "dc:language"),
        ("copyright", "dc:rights"),
    ),
    ("webMaster", "dc:publisher"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LETTERBOX = re.compile(r"\S+@\S+ \(.+\)")


def check(report: Report, media_type: str) -> None:
    """Check an RSS 2.0 document."""
    rss = parse(report, media_type, "rss")
    if rss is None:
        return
    check_elements(report, rss, GRAMMAR)
    if rss.get("version") not in ("2.0", None):
        report.add(
            rss, "RSS 2.0 §whatIsRss", "is not version 2.0", rss.get("version", "")
        )
    for element in rss.iter("*"):
        _check_value(report, element)
    for channel in children(rss, "channel"):
        _check_channel(report, channel)
        for item in children(channel, "item"):
            _check_item(report, item)
    check_extensions(report, rss)
    check_media(report, rss)


def _check_channel(report: Report, channel: Element) -> None:
    if not children(channel, "language", "dc:language"):
        report.add(channel, VALIDATOR + " MissingDCLanguage", "has no language")
    first = channel.find("item")
    if first is not None:
        for late in first.itersiblings("*"):
            if name(late) != "item":
                report.add(
                    late, VALIDATOR + " MisplacedItem", "is after the first item"
                )
    for guid, count in Counter(
        item.findtext("guid") for item in children(channel, "item")
    ).items():
        if guid and count > 1:
            report.add(
                channel,
                "RSS 2.0 §ltguidgtSubelementOfLtitemgt",
                "has a duplicate guid",
                guid,
            )
    for image in children(channel, "image"):
        for key in ("title", "link"):
            if channel.findtext(key) not in (None, image.findtext(key)):
                report.add(
                    image,
                    f"{_PROFILE} §element-channel-image",
                    "differs from its channel",
                    key,
                )
        if not re.search(
            r"\.(?:gif|jpe?g|png)$", image.findtext("url") or "", re.IGNORECASE
        ):
            report.add(
                image,
                VALIDATOR + " ImageUrlFormat",
                "is not a GIF, JPEG or PNG",
                image.findtext("url") or "",
            )
    check_feed_links(report, channel)
    _check_podcast(report, channel)
    _check_duplicate_values(report, channel)


def _check_podcast(report: Report, channel: Element) -> None:
    """Check a channel with iTunes elements: validators then require more of them."""
    episodes = [
        item for item in children(channel, "item") if children(item, "itunes:duration")
    ]
    if not episodes:
        return
    for missing in ("itunes:category", "itunes:explicit", "itunes:owner"):
        if not children(channel, missing):
            report.add(
                channel,
                VALIDATOR + " MissingItunesElement",
                "lacks a required podcast element",
                missing,
            )
    for item in episodes:
        if not re.fullmatch(
            r"\d+(:[0-5]\d(:[0-5]\d)?)?", item.findtext("{*}duration") or ""
        ):
            report.add(item, VALIDATOR + " InvalidDuration", "has an invalid duration")
        for enclosure in children(item, "enclosure"):
            if not re.search(
                r"\.(?:m4a|mp3|mov|mp4|m4v|pdf|epub)$", enclosure.get("url", "")
            ):
                report.add(
                    enclosure,
                    VALIDATOR + " UnsupportedItunesFormat",
                    "is a file type that podcasts may not have",
                )


def _check_item(report: Report, item: Element) -> None:
    names = [name(child) for child in children(item)]
    if "title" not in names and "description" not in names:
        report.add(item, _ITEM, "has neither title nor description")
    if (
        "content:encoded" in names
        and "description" not in names[: names.index("content:encoded")]
    ):
        report.add(
            item,
            VALIDATOR + " NeedDescriptionBeforeContent",
            "has its content before its description",
        )
    check_entry_links(report, item)
    _check_duplicate_values(report, item)


def _check_duplicate_values(report: Report, parent: Element) -> None:
    for own, borrowed in DUPLICATE_VALUES:
        if children(parent, own) and children(parent, borrowed):
            report.add(
                parent,
                VALIDATOR + " DuplicateSemantics",
                "has the same value in two elements",
                borrowed,
            )


def _check_value(report: Report, element: Element) -> None:
    value, parent = text(element), element.getparent()
    stripped = value.strip()
    match name(element):
        case "atom:link":
            check_link(report, element)
        case "description" if parent is not None and name(parent) == "item":
            check_body(report, element, value)
        case "content:encoded":
            check_body(report, element, value)
        case (
            "title" | "description" | "copyright" | "generator" | "category" | "source"
        ):
            check_plain(report, element)
            _check_address(report, element, element.get("url"))
        case "link" | "url" | "docs" | "comments":
            _check_address(report, element, value)
        case "pubDate" | "lastBuildDate":
            _check_date(report, element, value)
        case "managingEditor" | "webMaster" | "author" if stripped:
            if _LETTERBOX.fullmatch(value) and is_email(parseaddr(value)[1]):
                check_plain(report, element)
            else:
                report.add(
                    element,
                    f"{_PROFILE} §data-types-email",
                    "is not an e-mail address with a name in brackets",
                    value,
                )
        case "language" if stripped and not is_language(value):
            report.add(
                element, "RSS 2.0 §optionalChannelElements", "is not a language", value
            )
        case "ttl" if stripped and not is_integer(value, 1):
            report.add(
                element,
                f"{_PROFILE} §element-channel-ttl",
                "is not a positive number of minutes",
                value,
            )
        case "hour" if stripped and not is_integer(value, 0, 23):
            report.add(
                element,
                f"{_PROFILE} §element-channel-skiphours",
                "is not an hour",
                value,
            )
        case "day" if stripped and value not in _DAYS:
            report.add(
                element,
                f"{_PROFILE} §element-channel-skipdays",
                "is not a weekday",
                value,
            )
        case "width" | "height" if stripped and not is_integer(
            value, 1, 144 if name(element) == "width" else 400
        ):
            report.add(
                element,
                f"{_PROFILE} §element-channel-image",
                "is not the size of a small image",
                value,
            )
        case "skipHours" | "skipDays":
            if len({child.text for child in children(element)}) < len(
                children(element)
            ):
                report.add(
                    element,
                    f"{_PROFILE} §element-channel-skiphours",
                    "has a duplicate value",
                )
        case "enclosure":
            _check_enclosure(report, element)
        case "guid":
            _check_guid(report, element, value)


def _check_address(report: Report, element: Element, value: str | None) -> None:
    if value and not is_uri(value):
        report.add(
            element, f"{_PROFILE} §data-types-url", "is not an absolute URI", value
        )


def _check_date(report: Report, element: Element, value: str) -> None:
    moment = rfc_822(value)
    if moment is None:
        if value.strip():
            report.add(
                element,
                f"{_PROFILE} §data-types-datetime",
                "is not a full RFC 822 date",
                value,
            )
    elif moment < EARLIEST:
        report.add(element, VALIDATOR + " ImplausibleDate", "is before 1990", value)
    elif report.now and moment > report.now:
        report.add(element, VALIDATOR + " ImplausibleDate", "is in the future", value)


def _check_enclosure(report: Report, enclosure: Element) -> None:
    section = "RSS 2.0 §ltenclosuregtSubelementOfLtitemgt"
    url, length, media_type = (enclosure.get(key) for key in ("url", "length", "type"))
    if url and not is_web_address(url):
        report.add(enclosure, section, "has a url that is not http or https", url)
    if length and not is_integer(length):
        report.add(enclosure, section, "has a length that is not an integer", length)
    if media_type and not is_media_type(media_type):
        report.add(enclosure, section, "has an invalid media type", media_type)


def _check_guid(report: Report, guid: Element, value: str) -> None:
    section, permanent = (
        "RSS 2.0 §ltguidgtSubelementOfLtitemgt",
        guid.get("isPermaLink", "true"),
    )
    if permanent not in ("true", "false"):
        report.add(
            guid,
            section,
            "has an isPermaLink other than true and false",
            permanent,
        )
    elif permanent == "true" and value.strip() and not is_web_address(value):
        report.add(guid, section, "is a permalink that is not a URL", value)
    elif value.isdigit() and len(value) < 9:
        report.add(
            guid,
            VALIDATOR + " NotSufficientlyUnique",
            "is a guid that is not globally unique",
            value,
        )
    elif value != value.strip():
        report.add(guid, section, "has white space around its value", value)
