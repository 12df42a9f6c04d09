"""Calendars (RFC 5545), read by icalendar."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event
from icalendar.timezone import tzp
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from feedsvc.errors import BadRequest
from feedsvc.formats import titles
from feedsvc.importers import ImportedEntry
from feedsvc.input import sanitize

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read(data: bytes, site_zone: ZoneInfo) -> Iterator[ImportedEntry]:
    """Yield the events of a calendar.

    An overridden occurrence of a recurring event becomes an entry of its own, and an
    exception of the series.

    :param site_zone: the zone of times without one.
    :raises BadRequest: the file cannot be read.
    """
    # icalendar keeps the first zone of a name. So Outlook's names stand for IANA zones
    # also where the file defines them, and the API has no other zones.
    for name in WINDOWS_TO_OLSON:
        tzp.timezone(name)
    overridden: dict[str, list[date]] = defaultdict(list)
    try:
        events: list[Any] = Calendar.from_ical(data).walk("VEVENT")
        for event in events:
            if event.RECURRENCE_ID:
                overridden[event.uid].append(event.RECURRENCE_ID)
    # icalendar raises anything on damaged files.
    except Exception as error:
        raise BadRequest(f"The calendar cannot be read: {error}") from error
    for event in events:
        try:
            yield _to_entry(event, overridden[event.uid], site_zone)
        # icalendar raises anything on a property of another form than it expects.
        except Exception as error:
            fields = {"title": event.summary}
            yield ImportedEntry(event.uid, fields, skip_reason=str(error))


def _to_entry(
    event: Event, overridden: Sequence[date], site_zone: ZoneInfo
) -> ImportedEntry:
    """Return an event of a calendar as an entry.

    :raises ValueError: it has no start, is private, or cannot be read.
    """
    if event.classification != "PUBLIC":
        raise ValueError("it is not public")
    # Our calendars have the property URL in the text too.
    description = (
        (event.description or "").removesuffix(event.url or "").rstrip()
    )
    # RFC 5545 has plain text, but Google writes HTML.
    has_tags = sanitize.has_tags(description)
    organizer = event.organizer
    geo = event.get("GEO")
    fields = {
        **_title_and_status(event),
        "content_html" if has_tags else "content_text": description,
        "url": event.url,
        "date_published": event.CREATED and event.CREATED.isoformat(),
        "location": {
            "name": event.location,
            "latitude": geo and geo.latitude,
            "longitude": geo and geo.longitude,
        },
        "organizer": organizer
        and {"name": organizer.CN, "email": organizer.email},
        **_times(event, overridden, site_zone),
        **_conference(event),
        **_files(event),
    }
    return ImportedEntry(
        _guid(event), fields, event.last_modified, tuple(event.categories)
    )


def _title_and_status(event: Event) -> dict[str, Any]:
    """Return title, language and status; our calendars write the status twice."""
    summary: Any = event.summary
    status = event.status.lower()
    title = summary or ""
    if status in ("cancelled", "tentative"):
        state, title = titles.split_state(title)
        # iCalendar has no such status.
        if state == "postponed":
            status = state
    return {
        "title": title,
        "language": summary and summary.params.get("LANGUAGE"),
        "event_status": status,
    }


def _times(
    event: Event, overridden: Sequence[date], site_zone: ZoneInfo
) -> dict[str, Any]:
    """Return the fields that say when an event takes place."""
    start = event.start
    has_end = "DTEND" in event or "DURATION" in event
    zone = _zone(event, site_zone)
    recurrence = None
    if event.rrules:
        rule: Any = event.rrules[0]
        if "UNTIL" in rule:
            rule["UNTIL"] = [_until(rule["UNTIL"][0], start, zone)]
        exdates = [*event.exdates, *overridden]
        recurrence = {
            "rrule": rule.to_ical().decode(),
            "exdates": [moment.isoformat() for moment in exdates],
            "rdates": [moment.isoformat() for moment, _ in event.rdates],
        }
    return {
        "start": start.isoformat(),
        "end": event.end.isoformat() if has_end else None,
        "timezone": zone.key,
        "recurrence": recurrence,
    }


def _zone(event: Event, site_zone: ZoneInfo) -> ZoneInfo:
    """Return the zone in which an event takes place.

    It is the site's zone for a time without a zone, in a zone that only the calendar
    knows, or in one with the same offsets, such as Asia/Bangkok in Hanoi.
    """
    zone = getattr(event.start, "tzinfo", None)
    if not isinstance(zone, ZoneInfo):
        return site_zone
    # Readers want the local time, but a series would move with daylight saving time, or
    # to another weekday.
    if zone.key == "UTC" and not event.rrules:
        return site_zone
    is_same = _have_same_offsets(zone, site_zone, event.start.year)
    return site_zone if is_same else zone


@cache
def _have_same_offsets(zone: ZoneInfo, other: ZoneInfo, year: int) -> bool:
    """Tell if two zones agree in each hour of ten years."""
    begin = datetime.combine(date(year, 1, 1), time())
    hours = (
        begin + timedelta(hours=number) for number in range(10 * 365 * 24)
    )
    return all(zone.utcoffset(hour) == other.utcoffset(hour) for hour in hours)


def _until(until: date, start: date, zone: ZoneInfo) -> date:
    """Return the end of a rule as the start requires: a date, or a time in UTC.

    RFC 5545 §3.3.10 requires it. Google writes the other type too, and Nextcloud a
    local time.
    """
    # A date includes the occurrences of that day.
    moment = datetime.combine(until, time(23, 59, 59), zone)
    if isinstance(until, datetime):
        moment = until if until.tzinfo else until.replace(tzinfo=zone)
    if isinstance(start, datetime):
        return moment.astimezone(UTC)
    return moment.astimezone(zone).date()


def _guid(event: Event) -> str:
    # This service writes the UUIDs that it mints without "urn:uuid:" in calendars.
    guid = f"urn:uuid:{event.uid}" if _UUID.fullmatch(event.uid) else event.uid
    if event.RECURRENCE_ID:
        guid = f"{guid}/{event.RECURRENCE_ID.isoformat()}"
    return guid


def _conference(event: Event) -> dict[str, str]:
    """Return the fields of an online event (RFC 7986 §5.11); phones are left out."""
    for conference in event.conferences:
        if conference.uri.startswith(("https:", "http:")):
            attendance = "mixed" if event.location else "online"
            return {"online_url": conference.uri, "attendance": attendance}
    return {}


def _files(event: Event) -> dict[str, Any]:
    """Return the image and the attachments."""
    attached: Any = event.get("ATTACH", [])
    # icalendar has a list only for several.
    if not isinstance(attached, list):
        attached = [attached]
    return {
        "image": next((image.uri for image in event.images), None),
        "attachments": [
            {"url": str(file), "mime_type": file.params.get("FMTTYPE")}
            for file in attached
        ],
    }
