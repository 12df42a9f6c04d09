"""What an entry's page tells search engines: schema.org's Event or NewsArticle, as JSON-LD 1.1."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from feedsvc.formats.iri import iri_to_uri
from feedsvc.formats.json_feed import Json, drop_empty
from feedsvc.formats.times import iso
from feedsvc.models import Entry, Event, Person, Place, Site
from feedsvc.recurrence import WEEKDAYS, display_occurrence

_SCHEMA = "https://schema.org"
_STATUS = {"postponed": "EventPostponed", "cancelled": "EventCancelled"}
_LISTS = ("BYDAY", "BYMONTH", "BYMONTHDAY")
_UNITS = {"DAILY": "D", "WEEKLY": "W", "MONTHLY": "M", "YEARLY": "Y"}
_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS = dict(zip(WEEKDAYS, _NAMES, strict=True))


def json_ld(entry: Entry, site: Site) -> str:
    """An entry as JSON that can stand in a script element: no title ends that."""
    thing = _event(entry, site) if entry.event else _article(entry, site)
    thing |= {
        "description": entry.summary,
        "url": iri_to_uri(entry.url or site.permalink(entry.id)),
        "image": [iri_to_uri(entry.image.url)] if entry.image else None,
        "inLanguage": entry.language,
    }
    return json.dumps(
        drop_empty({"@context": _SCHEMA, **thing}), ensure_ascii=False
    ).replace("<", "\\u003c")


def _article(entry: Entry, site: Site) -> Json:
    publisher = {
        "@type": "Organization",
        "name": site.title,
        "url": iri_to_uri(site.url),
    }
    return {
        "@type": "NewsArticle",
        "headline": entry.title,
        "datePublished": iso(entry.date.astimezone(site.timezone)),
        "dateModified": iso(entry.updated.astimezone(site.timezone)),
        "author": [_agent("Person", author) for author in entry.authors] or publisher,
        "publisher": {**publisher, "logo": site.icon and iri_to_uri(site.icon)},
        "articleSection": [category.title for category in entry.categories],
    }


def _event(entry: Entry, site: Site) -> Json:
    """An event; of a series the occurrence that is current or next, and the schedule of all."""
    event, now = entry.event, display_occurrence(entry)
    assert event is not None
    assert now is not None
    status = _STATUS.get(event.status, "EventScheduled")
    if event.previous_start and event.status != "cancelled":
        status = "EventRescheduled"
    return {
        "@type": "Event",
        "name": entry.title,
        "startDate": iso(now.start),
        "endDate": _last(now),
        "eventStatus": f"{_SCHEMA}/{status}",
        "previousStartDate": event.previous_start and iso(event.previous_start),
        "eventAttendanceMode": event.location
        and f"{_SCHEMA}/OfflineEventAttendanceMode",
        "location": event.location and _place(event.location),
        "organizer": event.organizer and _agent("Organization", event.organizer),
        "eventSchedule": _schedule(event),
    }


def _schedule(event: Event) -> Json | None:
    if event.recurrence is None:
        return None
    rule, start, end = event.recurrence.rule_parts, event.start, event.end
    until = rule.get("UNTIL")
    days, months, dates = (
        rule[name].split(",") if name in rule else [] for name in _LISTS
    )
    found: Json = {
        "@type": "Schedule",
        "repeatFrequency": f"P{rule.get('INTERVAL', '1')}{_UNITS[rule['FREQ']]}",
        "repeatCount": int(rule["COUNT"]) if "COUNT" in rule else None,
        "byDay": [f"{_SCHEMA}/{_DAYS[day]}" if day in _DAYS else day for day in days],
        "byMonth": [int(month) for month in months],
        "byMonthDay": [int(day) for day in dates],
        "startDate": start.isoformat()[:10],
        "endDate": until and f"{until[:4]}-{until[4:6]}-{until[6:8]}",
        "exceptDate": [iso(moment) for moment in event.recurrence.exdates],
        "scheduleTimezone": event.timezone.key,
    }
    if isinstance(start, datetime):
        found["startTime"] = start.time().isoformat(timespec="seconds")
        found["endTime"] = (
            end.time().isoformat(timespec="seconds")
            if isinstance(end, datetime)
            else None
        )
    return found


def _place(place: Place) -> Json:
    geo = {
        "@type": "GeoCoordinates",
        "latitude": place.latitude,
        "longitude": place.longitude,
    }
    return {
        "@type": "Place",
        "name": place.name,
        "address": place.address or place.name,
        "url": place.url and iri_to_uri(place.url),
        "geo": geo if place.latitude is not None else None,
    }


def _agent(kind: str, person: Person) -> Json:
    url = person.url and iri_to_uri(person.url)
    return {"@type": kind, "name": person.name, "url": url, "email": person.email}


def _last(event: Event) -> str | None:
    """The end; of an all-day event its last day, for schema.org's endDate is inclusive."""
    if event.end is None:
        return None
    return iso(event.end if not event.all_day else event.end - timedelta(days=1))
