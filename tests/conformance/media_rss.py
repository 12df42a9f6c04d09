"""Checks of Media RSS 1.5.1, in both formats."""

from __future__ import annotations

import re

from tests.conformance.findings import Element, Report, children, name, text
from tests.conformance.html import check_body, check_plain
from tests.conformance.values import (
    is_integer,
    is_language,
    is_media_type,
    is_uri,
    is_web_address,
)

_MEDIA = "Media RSS 1.5.1"
_MEDIUMS = ("image", "audio", "video", "document", "executable")
_WHOLE = {"fileSize": 1, "width": 1, "height": 1, "channels": 0}
_DECIMAL = ("bitrate", "framerate", "samplingrate", "duration")
_NPT = re.compile(r"now|\d+(?:\.\d+)?|\d+:[0-5]\d:[0-5]\d(?:\.\d+)?")
_ROLES = set(
    "actor author composer conductor correspondent director editor illustrator interviewer musician performer "
    "photographer producer reporter singer translation".split()
) | {
    "camera operator",
    "news reader",
    "production company",
    "publishing company",
    "distribution company",
}
"""The EBU's roles that a portal may need."""


def check_media(report: Report, root: Element) -> None:
    """Check every element of Media RSS."""
    for element in root.iter("{http://search.yahoo.com/mrss/}*"):
        _check_attributes(report, element)
        match name(element):
            case "media:content":
                _check_content(report, element)
            case "media:group":
                _check_group(report, element)
            case "media:title" | "media:description":
                _check_text(report, element)
            case "media:copyright":
                check_plain(report, element)
            case "media:credit":
                _check_credit(report, element)
            case "media:rating" if element.get("scheme", "urn:simple") == "urn:simple":
                if text(element) not in ("adult", "nonadult"):
                    report.add(
                        element,
                        f"{_MEDIA} §media-rating",
                        "is not a simple rating",
                        text(element),
                    )


def _check_attributes(report: Report, element: Element) -> None:
    for key, value in element.attrib.items():
        if key in _WHOLE and value and not is_integer(str(value), _WHOLE[str(key)]):
            report.add(
                element, _MEDIA, "has a size that is not an integer", f"{key}={value}"
            )
        elif key in _DECIMAL and not re.fullmatch(r"\d+(?:\.\d+)?", str(value)):
            report.add(
                element, _MEDIA, "has a value that is not a number", f"{key}={value}"
            )
        elif key == "url" and value and not is_web_address(str(value)):
            report.add(
                element, _MEDIA, "has a url that is not http or https", str(value)
            )
        elif (
            key == "scheme"
            and not str(value).startswith("urn:")
            and not is_uri(str(value))
        ):
            report.add(
                element, _MEDIA, "has a scheme that is not an absolute URI", str(value)
            )
        elif key == "time" and not _NPT.fullmatch(str(value)):
            report.add(
                element,
                f"{_MEDIA} §media-thumbnails",
                "has an invalid play time",
                str(value),
            )


def _check_content(report: Report, content: Element) -> None:
    section = f"{_MEDIA} §media-content"
    medium, media_type = content.get("medium"), content.get("type")
    if not content.get("url") and not children(content, "media:player"):
        report.add(content, section, "has neither url nor player")
    if medium and medium not in _MEDIUMS:
        report.add(content, section, "has an unknown medium", medium)
    if media_type and not is_media_type(media_type):
        report.add(content, section, "has an invalid media type", media_type)
    elif (
        medium in _MEDIUMS[:3] and media_type and media_type.partition("/")[0] != medium
    ):
        report.add(
            content, section, "has a type that does not match its medium", media_type
        )
    if content.get("expression", "full") not in ("sample", "full", "nonstop"):
        report.add(
            content,
            section,
            "has an invalid expression",
            content.get("expression", ""),
        )
    if content.get("isDefault", "true") not in ("true", "false"):
        report.add(
            content,
            section,
            "has an isDefault other than true and false",
            content.get("isDefault", ""),
        )
    if content.get("lang") and not is_language(content.get("lang", "")):
        report.add(content, section, "has an invalid lang", content.get("lang", ""))


def _check_group(report: Report, group: Element) -> None:
    contents = children(group, "media:content")
    if len(contents) == 1:
        report.add(group, f"{_MEDIA} §media-group", "has a group of one")
    if sum(content.get("isDefault") == "true" for content in contents) > 1:
        report.add(group, f"{_MEDIA} §media-content", "has two default contents")


def _check_text(report: Report, element: Element) -> None:
    kind = element.get("type", "plain")
    if kind not in ("plain", "html"):
        report.add(element, f"{_MEDIA} §media-title", "has an unknown text type", kind)
    elif kind == "html":
        check_body(report, element, text(element))
    else:
        check_plain(report, element)


def _check_credit(report: Report, credit: Element) -> None:
    role, section = credit.get("role"), f"{_MEDIA} §media-credit"
    if role and role != role.lower():
        report.add(credit, section, "has a role that is not in lower case", role)
    elif role and credit.get("scheme", "urn:ebu") == "urn:ebu" and role not in _ROLES:
        report.add(credit, section, "has a role that is not one of the EBU's", role)
