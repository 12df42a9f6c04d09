"""iCalendar (RFC 5545), by icalendar: its events, series with their exceptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from feedsvc import timezones
from feedsvc.errors import BadRequest
from feedsvc.importers.base import ImportedEntry, ImportWarning, guess_media_type
from feedsvc.importers.series import delay_to_first_match, with_until
from feedsvc.importers.zones import CalendarZones
from feedsvc.timezones import zone_names

_EVENT = re.compile(rb"BEGIN:VEVENT.*?END:VEVENT\r?\n?", re.DOTALL)
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATUSES = ("confirmed", "tentative", "cancelled")
_OLDER = "another with its UID has a higher SEQUENCE, or follows"
PARSE_ERRORS = (
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
)  # a property twice, or of another kind

Component = Any
"""One of icalendar's, of whose properties the types know too little."""


def read(data: bytes, site_zone: ZoneInfo) -> Iterator[ImportedEntry | ImportWarning]:
    """The events of a calendar, and what is wrong with it.

    An occurrence of a series that has been changed is an entry of its own, and left out of the series.

    Of events with one UID the one with the highest SEQUENCE counts (RFC 5546 §2.1.5).

    :param site_zone: of times that name no zone.
    :raises Malformed: it is no calendar.
    """
    try:
        calendar: Component = Calendar.from_ical(data)
        events: list[Component] = calendar.walk("VEVENT")
    except PARSE_ERRORS as error:
        yield ImportWarning(
            f"The file is broken, and was read as far as that goes: {error}"
        )
        calendar, events = Calendar(), []
        for block in _EVENT.findall(data):
            alone = b"BEGIN:VCALENDAR\r\n" + block + b"END:VCALENDAR\r\n"
            try:
                events += Calendar.from_ical(alone).walk("VEVENT")
            except PARSE_ERRORS as wrong:
                yield ImportWarning(f"An event is left out: {wrong}")
        if not events:
            raise BadRequest("The file holds no event that can be read.") from None
    own_zone = str(calendar.get("X-WR-TIMEZONE", ""))
    reader = _Reader(
        CalendarZones(calendar.walk("VTIMEZONE")),
        timezones.zone(own_zone) if own_zone in zone_names() else site_zone,
        _changed(events),
    )
    newest = _newest(events)
    for event in events:
        try:
            if newest.get(_identity(event), event) is not event:
                yield ImportedEntry(
                    str(event.get("UID")),
                    {"title": str(event.get("SUMMARY", ""))},
                    skip_reason=_OLDER,
                )
                continue
            item = reader.item(event)
        except PARSE_ERRORS as wrong:
            yield ImportWarning(
                f"The event “{event.get('SUMMARY', '')}” is left out: {wrong}"
            )
        else:
            yield from reader.remarks
            yield item


def _identity(event: Component) -> tuple[str, str]:
    """Return what makes two components the same event: the UID, and the occurrence that is changed."""
    changed = event["RECURRENCE-ID"].dt.isoformat() if "RECURRENCE-ID" in event else ""
    return str(event.get("UID", "")), changed


def _newest(events: Iterable[Component]) -> dict[tuple[str, str], Component]:
    """Return the events with a UID, of several the last one with the highest SEQUENCE."""
    newest: dict[tuple[str, str], Component] = {}
    for event in events:
        with suppress(*PARSE_ERRORS):
            key = _identity(event)
            other = newest.get(key)
            if key[0] and (other is None or _sequence(event) >= _sequence(other)):
                newest[key] = event
    return newest


def _sequence(event: Component) -> int:
    return int(event.get("SEQUENCE", 0))


def _changed(events: Iterable[Component]) -> dict[str, list[date]]:
    """Return the occurrences of series that are changed, by UID."""
    changed: dict[str, list[date]] = {}
    for event in events:
        if "RECURRENCE-ID" in event:
            with suppress(*PARSE_ERRORS):
                changed.setdefault(str(event.get("UID")), []).append(
                    event["RECURRENCE-ID"].dt
                )
    return changed


class _Reader:
    """Makes items of a calendar's events; `remarks` are those on the last one."""

    def __init__(
        self, zones: CalendarZones, zone: ZoneInfo, changed: Mapping[str, list[date]]
    ) -> None:
        self._zones, self._zone, self._changed = zones, zone, changed
        self.remarks: list[ImportWarning] = []

    def item(self, event: Component) -> ImportedEntry:
        """Return an event as an item."""
        self.remarks = []
        guid = str(event.get("UID", ""))
        changed = self._changed.get(guid, [])
        if _UUID.fullmatch(guid):  # as this service shows the guids that it mints
            guid = f"urn:uuid:{guid}"
        if "RECURRENCE-ID" in event:
            guid = f"{guid}/{event['RECURRENCE-ID'].dt.isoformat()}"
        skip = "" if "DTSTART" in event else "it has no start"
        if str(event.get("CLASS", "PUBLIC")).upper() != "PUBLIC":
            skip = "it is not public"
        status = str(event.get("STATUS", "")).lower()
        place = str(event.get("LOCATION", ""))
        members = {
            "title": str(event.get("SUMMARY", "")),
            "url": str(event["URL"]) if "URL" in event else None,
            "date_published": _instant(event, "CREATED"),
            "date_modified": _instant(event, "LAST-MODIFIED")
            or _instant(event, "DTSTAMP"),
            "event_status": status if status in _STATUSES else None,
            "location": {"name": place, **_coordinates(event)} if place else None,
            "organizer": _organizer(event),
            **({} if skip else self._times(event, changed)),
            **_body(event),
            **_files(event),
        }
        titles = tuple(
            str(title)
            for one in _values(event, "CATEGORIES")
            for title in one.cats
            if title
        )
        return ImportedEntry(guid, members, titles, skip)

    def _times(self, event: Component, changed: list[date]) -> dict[str, Any]:
        """Return the members that say when an event takes place."""
        start = event["DTSTART"].dt
        zone = self._zone_of(event, start)
        end, recurrence = _end(event, start), None
        rules = _values(event, "RRULE")
        if rules and "RECURRENCE-ID" not in event:
            utc = UTC if isinstance(start, datetime) and _is_utc(start) else None
            rule = with_until(
                rules[0].to_ical().decode(), start, zone or utc or self._zone
            )
            start, end = self._from_first_match(event, rule, start, end)
            recurrence = {"rrule": rule, **_exceptions(event, changed, zone)}
        return {
            "start": _text(start, zone),
            "end": end and _text(end, zone),
            "timezone": (zone or self._zone).key,
            "recurrence": recurrence,
        }

    def _zone_of(self, event: Component, start: date) -> ZoneInfo | None:
        """Return the zone that a start names; None where it names none, or an unknown one, with a remark."""
        tzid = str(event["DTSTART"].params.get("TZID", ""))
        if not tzid or not isinstance(start, datetime) or tzid == "UTC":
            return None
        zone = self._zones.find(tzid, start)
        if zone is None:
            title = event.get("SUMMARY", "")
            self.remarks.append(
                ImportWarning(
                    f"The event “{title}” is in {self._zone.key}: its zone “{tzid}” is not known."
                )
            )
        return zone

    def _from_first_match(
        self, event: Component, rule: str, start: date, end: date | None
    ) -> tuple[date, date | None]:
        """Return the start and the end of the first occurrence that a rule has."""
        delay = delay_to_first_match(rule, start)
        if not delay:
            return start, end
        later = start + delay
        title = event.get("SUMMARY", "")
        self.remarks.append(
            ImportWarning(
                f"The series “{title}” starts on {later:%Y-%m-%d}: its start does not match its rule."
            )
        )
        return later, end and end + delay


def _text(moment: date, zone: ZoneInfo | None) -> str:
    """Return a date or time as text, by the clocks of the zone that it names."""
    if zone and isinstance(moment, datetime) and moment.tzinfo and not _is_utc(moment):
        moment = moment.replace(tzinfo=zone)
    return moment.isoformat()


def _is_utc(moment: datetime) -> bool:
    return moment.tzinfo is UTC or getattr(moment.tzinfo, "key", "") == "UTC"


def _exceptions(
    event: Component, changed: list[date], zone: ZoneInfo | None
) -> dict[str, list[str]]:
    """Return the members of a recurrence that leave dates out or add some."""
    left_out, added = (
        [moment.dt for one in _values(event, name) for moment in one.dts]
        for name in ("EXDATE", "RDATE")
    )
    days = {"exdates": [*left_out, *changed], "rdates": added}
    return {
        name: [_text(day, zone) for day in found]
        for name, found in days.items()
        if found
    }


def _values(event: Component, name: str) -> list[Any]:
    """The values of a property that may stand there more than once."""
    found = event.get(name, [])
    return found if isinstance(found, list) else [found]


def _end(event: Component, start: date) -> date | None:
    if "DTEND" in event:
        end: date = event["DTEND"].dt
        return end
    return start + event["DURATION"].dt if "DURATION" in event else None


def _instant(event: Component, name: str) -> str | None:
    """Return the time in a property; Google says 1900 of what it does not know."""
    moment = event[name].dt if name in event else None
    return (
        moment.isoformat()
        if isinstance(moment, datetime) and moment.year >= 1970
        else None
    )


def _coordinates(event: Component) -> dict[str, float]:
    geo = event.get("GEO")
    return {"latitude": geo.latitude, "longitude": geo.longitude} if geo else {}


def _organizer(event: Component) -> dict[str, str] | None:
    found = event.get("ORGANIZER")
    if found is None or not found.params.get("CN"):
        return None
    address = re.sub("(?i)^mailto:", "", str(found))
    return {
        "name": str(found.params["CN"]),
        **({"email": address} if "@" in address else {}),
    }


def _body(event: Component) -> dict[str, str]:
    """The description: HTML where it has tags, as Google's have."""
    text = str(event.get("DESCRIPTION", ""))
    if not text:
        return {}
    return {
        "content_html"
        if re.search(r"<(?:[a-z]|/[a-z])", text)
        else "content_text": text
    }


def _files(event: Component) -> dict[str, Any]:
    files = [
        {
            "url": str(file),
            "mime_type": guess_media_type(str(file), file.params.get("FMTTYPE")),
        }
        for file in _values(event, "ATTACH")
        if str(file).startswith("http")
    ]
    pictures = [file["url"] for file in files if file["mime_type"].startswith("image/")]
    rest = [file for file in files if not file["mime_type"].startswith("image/")]
    return {"image": pictures[0] if pictures else None, "attachments": rest}
