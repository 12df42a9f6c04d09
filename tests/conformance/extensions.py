"""Checks of small vocabularies: Dublin Core, syndication, events, places."""

from __future__ import annotations

import re

from tests.conformance.findings import Element, Report, name, text
from tests.conformance.html import check_plain
from tests.conformance.values import is_integer, is_language, is_w3cdtf

_POINT = re.compile(r"[+-]?\d+(?:\.\d*)? [+-]?\d+(?:\.\d*)?")
_PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")


def check_extensions(report: Report, root: Element) -> None:
    """Check every element of these vocabularies."""
    for element in root.iter("*"):
        value = text(element)
        match name(element):
            case "dc:date" | "sy:updateBase" if not is_w3cdtf(value):
                report.add(element, "W3C note-datetime", "is not a W3CDTF date", value)
            case "ev:startdate" | "ev:enddate" if not is_w3cdtf(value):
                report.add(element, "RSS Event 1.0", "is not a W3CDTF date", value)
            case "dc:language" if not is_language(value):
                report.add(
                    element, "DCMI Elements 1.1 §language", "is not a language", value
                )
            case "sy:updatePeriod" if value not in _PERIODS:
                report.add(element, "RSS Syndication 1.0", "is not a period", value)
            case "sy:updateFrequency" if not is_integer(value, 1):
                report.add(
                    element, "RSS Syndication 1.0", "is not a positive integer", value
                )
            case "georss:point":
                _check_point(report, element, value)
            case tag if tag.startswith(("dc:", "dcterms:")):
                check_plain(report, element)
        _check_span(report, element)


def _check_point(report: Report, element: Element, value: str) -> None:
    if not _POINT.fullmatch(value):
        report.add(
            element,
            "GeoRSS Simple",
            "is not a latitude and a longitude",
            value,
        )
        return
    latitude, longitude = map(float, value.split(" "))
    if abs(latitude) > 90 or abs(longitude) > 180:
        report.add(element, "GeoRSS Simple", "is a point that is not on Earth", value)


def _check_span(report: Report, element: Element) -> None:
    """Check that an event ends after its start, if both have the same form and zone."""
    start, end = element.findtext("{*}startdate"), element.findtext("{*}enddate")
    if (
        start
        and end
        and len(start) == len(end)
        and start[19:] == end[19:]
        and end < start
    ):
        report.add(
            element,
            "RSS Event 1.0",
            "has an event that ends before it starts",
            f"{start} {end}",
        )
