"""Calendars (RFC 5545), read by icalendar."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from feedsvc import timezones
from feedsvc.errors import BadRequest
from feedsvc.formats import labels
from feedsvc.importers.base import ImportedEntry, guess_media_type
from feedsvc.models import EVENT_STATUSES

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# icalendar raises these for values of a wrong type, and where a property that should
# occur once occurs twice and so has become a list.
_READ_ERRORS = (ValueError, LookupError, AttributeError, TypeError)

Component = Any
"""A component of icalendar, whose properties have no useful types."""


def read(data: bytes, site_zone: ZoneInfo) -> Iterator[ImportedEntry]:
    """Yield the events of a calendar.

    An overridden occurrence of a recurring event becomes an entry of its own, and an
    exception of the series.

    :param site_zone: the zone of times without one.
    :raises BadRequest: the file cannot be read.
    """
    try:
        events: list[Component] = Calendar.from_ical(data).walk("VEVENT")
    except _READ_ERRORS as error:
        raise BadRequest(f"The calendar cannot be read: {error}") from error
    overridden = _overridden_occurrences(events)
    for event in events:
        try:
            yield _to_entry(event, overridden, site_zone)
        except _READ_ERRORS as error:
            uid = str(event.get("UID", ""))
            title = str(event.get("SUMMARY", ""))
            yield ImportedEntry(uid, {"title": title}, skip_reason=str(error))


def _overridden_occurrences(events: Iterable[Component]) -> dict[str, list[date]]:
    """Return the overridden occurrences of each recurring event, by UID."""
    overridden: dict[str, list[date]] = defaultdict(list)
    for event in events:
        if "RECURRENCE-ID" in event:
            # An event that cannot be read is reported when it is converted.
            with suppress(*_READ_ERRORS):
                occurrence = event["RECURRENCE-ID"].dt
                overridden[str(event.get("UID"))].append(occurrence)
    return overridden


def _to_entry(
    event: Component, overridden: dict[str, list[date]], site_zone: ZoneInfo
) -> ImportedEntry:
    uid = str(event.get("UID", ""))
    if str(event.get("CLASS", "PUBLIC")).upper() != "PUBLIC":
        raise ValueError("it is not public")
    if "DTSTART" not in event:
        raise ValueError("it has no start")
    created = _timestamp(event, "CREATED")
    fields = {
        **_title_and_status(event),
        "url": str(event["URL"]) if "URL" in event else None,
        "date_published": created and created.isoformat(),
        "location": _location(event),
        "organizer": _organizer(event),
        **_times(event, overridden.get(uid, []), site_zone),
        **_conference(event),
        **_body(event),
        **_media(event),
    }
    titles = tuple(
        str(category)
        for categories in _values(event, "CATEGORIES")
        for category in categories.cats
        if category
    )
    updated = _timestamp(event, "LAST-MODIFIED") or _timestamp(event, "DTSTAMP")
    return ImportedEntry(_guid(uid, event), fields, updated, titles)


def _title_and_status(event: Component) -> dict[str, Any]:
    """Return title, language and status; our calendars write the status twice."""
    summary = event.get("SUMMARY", "")
    status = str(event.get("STATUS", "")).lower()
    title = str(summary)
    if status in ("cancelled", "tentative"):
        state, title = labels.split_state(title)
        # iCalendar has no such status.
        if state == "postponed":
            status = state
    return {
        "title": title,
        "language": summary.params.get("LANGUAGE") if summary else None,
        "event_status": status if status in EVENT_STATUSES else None,
    }


def _times(
    event: Component, overridden: list[date], site_zone: ZoneInfo
) -> dict[str, Any]:
    """Return the fields that say when an event takes place."""
    start: date = event["DTSTART"].dt
    end: date | None = None
    if "DTEND" in event:
        end = event["DTEND"].dt
    elif "DURATION" in event:
        end = start + event["DURATION"].dt
    # Times in UTC, and in a zone that only the calendar knows, are shown in the site's.
    zone = site_zone
    key = getattr(getattr(start, "tzinfo", None), "key", "UTC")
    if key != "UTC" and key in timezones.zone_names():
        zone = timezones.zone(key)
    recurrence = None
    rules = _values(event, "RRULE")
    # An overridden occurrence is an entry of its own, which does not recur.
    if rules and "RECURRENCE-ID" not in event:
        rule = rules[0]
        if "UNTIL" in rule:
            rule["UNTIL"] = [_until(rule["UNTIL"][0], start, zone)]
        recurrence = {
            "rrule": rule.to_ical().decode(),
            "exdates": _isoformat([*_dates(event, "EXDATE"), *overridden]),
            "rdates": _isoformat(_dates(event, "RDATE")),
        }
    return {
        "start": start.isoformat(),
        "end": end and end.isoformat(),
        "timezone": zone.key,
        "recurrence": recurrence,
    }


def _until(until: date, start: date, zone: ZoneInfo) -> date:
    """Return the end of a rule as the start requires: a date, or a time in UTC.

    RFC 5545 §3.3.10 requires it; Outlook and Google write the other type too.
    """
    # A date includes the occurrences of that day.
    moment = datetime.combine(until, time(23, 59, 59), zone)
    if isinstance(until, datetime):
        moment = until if until.tzinfo else until.replace(tzinfo=zone)
    if isinstance(start, datetime):
        return moment.astimezone(UTC)
    return moment.astimezone(zone).date()


def _dates(event: Component, name: str) -> list[date]:
    return [item.dt for values in _values(event, name) for item in values.dts]


def _isoformat(dates: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in dates]


def _values(event: Component, name: str) -> list[Any]:
    """Return all values of a property; icalendar has a list only for several."""
    values = event.get(name, [])
    return values if isinstance(values, list) else [values]


def _guid(uid: str, event: Component) -> str:
    # This service writes the UUIDs that it mints without "urn:uuid:" in calendars.
    guid = f"urn:uuid:{uid}" if _UUID.fullmatch(uid) else uid
    if "RECURRENCE-ID" in event:
        guid = f"{guid}/{event['RECURRENCE-ID'].dt.isoformat()}"
    return guid


def _timestamp(event: Component, name: str) -> datetime | None:
    moment = event[name].dt if name in event else None
    # Google writes the year 1900 for an unknown time.
    if not isinstance(moment, datetime) or moment.year < 1970:
        return None
    return moment.astimezone(UTC)


def _location(event: Component) -> dict[str, Any]:
    location = {"name": str(event.get("LOCATION", ""))}
    geo = event.get("GEO")
    # The API requires a name.
    if geo and location["name"]:
        location |= {"latitude": geo.latitude, "longitude": geo.longitude}
    return location


def _conference(event: Component) -> dict[str, str]:
    """Return the fields of an online event (RFC 7986 §5.11); phones are left out."""
    for value in _values(event, "CONFERENCE"):
        if re.match("(?i)https?://", str(value)):
            attendance = "mixed" if event.get("LOCATION") else "online"
            return {"online_url": str(value), "attendance": attendance}
    return {}


def _organizer(event: Component) -> dict[str, str]:
    organizer = event.get("ORGANIZER")
    # The API requires a name.
    if organizer is None or not organizer.params.get("CN"):
        return {}
    address = re.sub("(?i)^mailto:", "", str(organizer))
    return {
        "name": str(organizer.params["CN"]),
        "email": address if "@" in address else "",
    }


def _body(event: Component) -> dict[str, str]:
    text = str(event.get("DESCRIPTION", ""))
    # The RFC has plain text, but Google writes HTML.
    has_tags = re.search(r"<(?:[a-z]|/[a-z])", text)
    return {"content_html" if has_tags else "content_text": text}


def _media(event: Component) -> dict[str, Any]:
    """Return image and attachments; the first picture is the image."""
    images = []
    attachments = []
    for file in [*_values(event, "IMAGE"), *_values(event, "ATTACH")]:
        url = str(file)
        # Files may be in the calendar itself, or in a mail (cid:).
        if not url.startswith("http"):
            continue
        media_type = guess_media_type(url, file.params.get("FMTTYPE"))
        if media_type.startswith("image/"):
            images.append(url)
        else:
            attachments.append({"url": url, "mime_type": media_type})
    return {"image": next(iter(images), None), "attachments": attachments}
