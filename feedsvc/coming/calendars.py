"""iCalendar (RFC 5545), by icalendar: its events, series with their exceptions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from icalendar import Calendar

from feedsvc.coming.item import Item, Remark, type_of
from feedsvc.errors import Malformed
from feedsvc.timezones import zone_names

_EVENT = re.compile(rb"BEGIN:VEVENT.*?END:VEVENT\r?\n?", re.DOTALL)
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATUSES = ("confirmed", "tentative", "cancelled")
_ZONES = zone_names() - {"UTC"}
_BROKEN = (ValueError, LookupError, AttributeError, TypeError)  # a property twice, or of another kind

Component = Any
"""One of icalendar's, of whose properties the types know too little."""


def read(data: bytes) -> Iterator[Item | Remark]:
    """The events of a calendar, and what is wrong with it.

    An occurrence of a series that has been changed is an entry of its own, and left out of the series.

    :raises Malformed: it is no calendar.
    """
    try:
        calendar: Component = Calendar.from_ical(data)
        events: list[Component] = calendar.walk("VEVENT")
    except _BROKEN as error:
        yield Remark(f"The file is broken, and was read as far as that goes: {error}")
        calendar, events = Calendar(), []
        for block in _EVENT.findall(data):
            alone = b"BEGIN:VCALENDAR\r\n" + block + b"END:VCALENDAR\r\n"
            try:
                events += Calendar.from_ical(alone).walk("VEVENT")
            except _BROKEN as wrong:
                yield Remark(f"An event is left out: {wrong}")
        if not events:
            raise Malformed("The file holds no event that can be read.") from None
    zone = str(calendar.get("X-WR-TIMEZONE", ""))
    changed: dict[str, list[date]] = {}
    for event in events:
        if "RECURRENCE-ID" in event:
            with suppress(*_BROKEN):
                changed.setdefault(str(event.get("UID")), []).append(event["RECURRENCE-ID"].dt)
    for event in events:
        try:
            yield _item(event, zone, changed.get(str(event.get("UID")), []))
        except _BROKEN as wrong:
            yield Remark(f"The event “{event.get('SUMMARY', '')}” is left out: {wrong}")


def _item(event: Component, zone: str, changed: list[date]) -> Item:
    guid = str(event.get("UID", ""))
    if _UUID.fullmatch(guid):  # as this service shows the guids that it mints
        guid = f"urn:uuid:{guid}"
    if "RECURRENCE-ID" in event:
        guid = f"{guid}/{event['RECURRENCE-ID'].dt.isoformat()}"
    skip = "" if "DTSTART" in event else "it has no start"
    if str(event.get("CLASS", "PUBLIC")).upper() != "PUBLIC":
        skip = "it is not public"
    start = None if skip else event["DTSTART"].dt
    key = getattr(getattr(start, "tzinfo", None), "key", "UTC")
    status = str(event.get("STATUS", "")).lower()
    place = str(event.get("LOCATION", ""))
    members = {
        "title": str(event.get("SUMMARY", "")),
        "url": str(event["URL"]) if "URL" in event else None,
        "date_published": _instant(event, "CREATED"),
        "date_modified": _instant(event, "LAST-MODIFIED") or _instant(event, "DTSTAMP"),
        "start": start and start.isoformat(),
        "end": start and _end(event, start),
        "timezone": next((name for name in (key, zone) if name in _ZONES), None),
        "event_status": status if status in _STATUSES else None,
        "location": {"name": place, **_degrees(event)} if place else None,
        "organizer": _organizer(event),
        "recurrence": _recurrence(event, changed),
        **_body(event),
        **_files(event),
    }
    titles = tuple(str(title) for one in _all(event, "CATEGORIES") for title in one.cats if title)
    return Item(guid, members, titles, skip)


def _all(event: Component, name: str) -> list[Any]:
    """The values of a property that may stand there more than once."""
    found = event.get(name, [])
    return found if isinstance(found, list) else [found]


def _end(event: Component, start: date) -> str | None:
    if "DTEND" in event:
        end: date = event["DTEND"].dt
        return end.isoformat()
    return (start + event["DURATION"].dt).isoformat() if "DURATION" in event else None


def _instant(event: Component, name: str) -> str | None:
    """Return the time in a property; Google says 1900 of what it does not know."""
    moment = event[name].dt if name in event else None
    return moment.isoformat() if isinstance(moment, datetime) and moment.year >= 1970 else None


def _degrees(event: Component) -> dict[str, float]:
    geo = event.get("GEO")
    return {"latitude": geo.latitude, "longitude": geo.longitude} if geo else {}


def _organizer(event: Component) -> dict[str, str] | None:
    found = event.get("ORGANIZER")
    if found is None or not found.params.get("CN"):
        return None
    address = re.sub("(?i)^mailto:", "", str(found))
    return {"name": str(found.params["CN"]), **({"email": address} if "@" in address else {})}


def _recurrence(event: Component, changed: list[date]) -> dict[str, Any] | None:
    rules = _all(event, "RRULE")
    if not rules or "RECURRENCE-ID" in event:
        return None
    left_out, added = (
        [moment.dt for one in _all(event, name) for moment in one.dts] for name in ("EXDATE", "RDATE")
    )
    days = {"exdates": [*left_out, *changed], "rdates": added}
    texts = {name: [day.isoformat() for day in found] for name, found in days.items() if found}
    return {"rrule": rules[0].to_ical().decode(), **texts}


def _body(event: Component) -> dict[str, str]:
    """The description: HTML where it has tags, as Google's have."""
    text = str(event.get("DESCRIPTION", ""))
    if not text:
        return {}
    return {"content_html" if re.search(r"<(?:[a-z]|/[a-z])", text) else "content_text": text}


def _files(event: Component) -> dict[str, Any]:
    files = [
        {"url": str(file), "mime_type": type_of(str(file), file.params.get("FMTTYPE"))}
        for file in _all(event, "ATTACH")
        if str(file).startswith("http")
    ]
    pictures = [file["url"] for file in files if file["mime_type"].startswith("image/")]
    rest = [file for file in files if not file["mime_type"].startswith("image/")]
    return {"image": pictures[0] if pictures else None, "attachments": rest}
