"""iCalendar (RFC 5545, RFC 7986), by icalendar."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dateutil.tz import datetime_ambiguous
from icalendar import Calendar, Component, prop
from icalendar import Event as VEvent

from feedsvc.feeds.feed import Feed
from feedsvc.formats import labels
from feedsvc.formats.common import iri_to_uri, place_text
from feedsvc.formats.content import plain_text
from feedsvc.formats.vtimezone import vtimezone
from feedsvc.models import NEVER_MODIFIED, Entry, Event, Site
from feedsvc.recurrence import MAX_DATETIME, series_end

MAX_BYTES = 1_000_000
"""The length of a calendar: Google stops at about 1 MB."""

_COLOR = "teal"
_END = b"END:VCALENDAR\r\n"
_STATUSES = {
    "confirmed": "CONFIRMED",
    "tentative": "TENTATIVE",
    # iCalendar has no such status.
    "postponed": "TENTATIVE",
    "cancelled": "CANCELLED",
}
_TIMEZONE_HORIZON = timedelta(days=3653)
"""For how long the changes of a zone are written for an unbounded series."""

Properties = Mapping[str, Any]
"""icalendar's values by property name; those that are None are left out."""


def render(feed: Feed) -> bytes:
    """Render a feed as a calendar."""
    entries = feed.entries
    if feed.is_summary:
        # Without a body, the description is the summary.
        entries = tuple(
            replace(entry, content_html=None, content_text=None) for entry in entries
        )
    return _calendar(_calendar_properties(feed), feed.site, entries)


def render_event(entry: Entry, site: Site) -> bytes:
    """Render one event as a calendar, to be added to a reader's own."""
    return _calendar({}, site, [entry])


def _calendar_properties(feed: Feed) -> Properties:
    # Half of the programs read the properties of RFC 7986, the others the older X-
    # ones.
    site = feed.site
    title = labels.calendar_title(feed)
    description = labels.feed_description(feed)
    duration_params = {"VALUE": "DURATION"}
    interval = timedelta(minutes=site.poll_minutes)
    uri_params = {"VALUE": "URI"}
    image = prop.vUri(iri_to_uri(site.icon), params=uri_params) if site.icon else None
    return {
        "NAME": prop.vText(title),
        "X-WR-CALNAME": prop.vText(title),
        "DESCRIPTION": prop.vText(description),
        "X-WR-CALDESC": prop.vText(description),
        "X-WR-TIMEZONE": prop.vText(site.timezone.key),
        "URL": prop.vUri(iri_to_uri(feed.home_url)),
        "SOURCE": prop.vUri(feed.self_url, params=uri_params),
        "REFRESH-INTERVAL": prop.vDuration(interval, params=duration_params),
        "X-PUBLISHED-TTL": prop.vDuration(interval),
        "COLOR": prop.vText(_COLOR),
        "IMAGE": image,
    }


def _calendar(properties: Properties, site: Site, entries: Iterable[Entry]) -> bytes:
    """Return a calendar of the first entries for which MAX_BYTES have room, by guid.

    It has the time zones that they need.
    """
    calendar = Calendar()
    header = {
        "VERSION": prop.vText("2.0"),
        "PRODID": prop.vText("-//feedsvc//feedsvc"),
        "LAST-MODIFIED": _utc(NEVER_MODIFIED),
    }
    _set_properties(calendar, {**header, **properties})
    size = len(calendar.to_ical())
    updated = NEVER_MODIFIED
    years: dict[str, set[int]] = defaultdict(set)
    zones: list[bytes] = []
    events: dict[str, bytes] = {}
    for entry in entries:
        event = _event(entry, site).to_ical()
        size += len(event)
        if entry.event and not entry.event.all_day:
            years[entry.event.timezone.key] |= _years(entry, entry.event)
        needed_zones = _zones(years)
        if size + sum(map(len, needed_zones)) > MAX_BYTES:
            break
        zones = needed_zones
        events[entry.guid] = event
        updated = max(updated, entry.updated)
    calendar["LAST-MODIFIED"] = _utc(updated)
    head = calendar.to_ical().removesuffix(_END)
    parts = [head, *zones, *(events[guid] for guid in sorted(events)), _END]
    # XML allows DEL, so the API does; RFC 5545 §3.1 does not.
    return b"".join(parts).replace(b"\x7f", b"")


def _zones(years: Mapping[str, set[int]]) -> list[bytes]:
    """Return the time zones of events that take place in some years of each."""
    # Times in UTC end with Z and have no TZID.
    keys = sorted(years.keys() - {"UTC"})
    return [vtimezone(key, min(years[key]), max(years[key])) for key in keys]


def _event(entry: Entry, site: Site) -> VEvent:
    event = entry.event
    assert event is not None
    component = VEvent()
    status = "cancelled" if entry.status == "withdrawn" else event.status
    updated = _utc(entry.updated)
    _set_properties(
        component,
        {
            "UID": _uid(entry.guid),
            "DTSTAMP": updated,
            "LAST-MODIFIED": updated,
            "CREATED": _utc(entry.date),
            # Changes of time or recurrence raise it (RFC 5546).
            "SEQUENCE": prop.vInt(entry.sequence),
            "STATUS": prop.vText(_STATUSES[status]),
            # Nobody is busy during a fair because of a subscription.
            "TRANSP": prop.vText("TRANSPARENT"),
            **_text_properties(entry, site),
            **_time_properties(event),
            **_link_properties(entry, site),
            **_place_properties(event),
        },
    )
    return component


def _text_properties(entry: Entry, site: Site) -> Properties:
    is_foreign = entry.language != site.language
    language = {"LANGUAGE": entry.language} if is_foreign else {}
    title = labels.entry_title(entry, site.language)
    description = plain_text(entry, site)
    categories = [category.title for category in entry.categories]
    return {
        "SUMMARY": prop.vText(title, params=language),
        "DESCRIPTION": prop.vText(description, params=language),
        "CATEGORIES": prop.vCategory(categories) if categories else None,
    }


def _time_properties(event: Event) -> Properties:
    properties: dict[str, Any] = {"DTSTART": _date_or_time(event.start, event)}
    # RFC 5545 §3.8.2.2: an end must be later than the start, in whole seconds.
    whole_start = event.starts.replace(microsecond=0)
    if event.end and event.ends.replace(microsecond=0) > whole_start:
        properties["DTEND"] = _date_or_time(event.end, event)
    if event.recurrence:
        properties |= {
            "RRULE": prop.vRecur.from_ical(event.recurrence.rrule),
            "EXDATE": _dates_or_times(event.recurrence.exdates),
            "RDATE": _dates_or_times(event.recurrence.rdates),
        }
    return properties


def _link_properties(entry: Entry, site: Site) -> Properties:
    properties: dict[str, Any] = {"URL": prop.vUri(iri_to_uri(site.entry_url(entry)))}
    if entry.image:
        params = {"VALUE": "URI"}
        if entry.image.type:
            params["FMTTYPE"] = entry.image.type
        properties["IMAGE"] = prop.vUri(iri_to_uri(entry.image.url), params=params)
    if entry.attachments:
        properties["ATTACH"] = [
            prop.vUri(iri_to_uri(file.url), params={"FMTTYPE": file.type})
            for file in entry.attachments
        ]
    return properties


def _place_properties(event: Event) -> Properties:
    properties: dict[str, Any] = {}
    place = event.location
    if place:
        properties["LOCATION"] = prop.vText(place_text(place))
        if place.latitude is not None and place.longitude is not None:
            properties["GEO"] = prop.vGeo((place.latitude, place.longitude))
    if event.online_url:
        # RFC 7986 §5.11 requires the parameter.
        url = iri_to_uri(event.online_url)
        properties["CONFERENCE"] = prop.vUri(url, params={"VALUE": "URI"})
    organizer = event.organizer
    if organizer and organizer.email:
        # RFC 5545 has no escapes in parameters, but some programs interpret them.
        params = {"CN": organizer.name.replace("\\", "/")}
        address = prop.vCalAddress(f"mailto:{organizer.email}", params=params)
        properties["ORGANIZER"] = address
    return properties


def _uid(guid: str) -> prop.vText:
    # RFC 7986 §5.3 recommends a bare UUID.
    return prop.vText(guid.removeprefix("urn:uuid:"))


def _set_properties(component: Component, properties: Properties) -> None:
    component.update(
        {name: value for name, value in properties.items() if value is not None}
    )


def _utc(moment: datetime) -> prop.vDatetime:
    return prop.vDatetime(moment.astimezone(UTC))


def _date_or_time(moment: date, event: Event) -> prop.vDDDTypes:
    """Return a date, or a time in its zone.

    In an hour that the end of daylight saving time repeats, programs take a local time
    for either pass, so times there are in UTC. But a series needs the local time of its
    start, which is in the first pass.
    """
    if not isinstance(moment, datetime):
        return prop.vDDDTypes(moment)
    is_second_pass = moment.fold
    if datetime_ambiguous(moment) and (is_second_pass or not event.recurrence):
        moment = moment.astimezone(UTC)
    return prop.vDDDTypes(moment)


def _dates_or_times(moments: tuple[date, ...]) -> prop.vDDDLists | None:
    if not moments:
        return None
    params = {} if isinstance(moments[0], datetime) else {"VALUE": "DATE"}
    return prop.vDDDLists(moments, params=params)


def _years(entry: Entry, event: Event) -> set[int]:
    """Return the first and last year of an event, for which its zone is written."""
    end = series_end(event)
    if end == MAX_DATETIME:
        latest = max(entry.updated, event.starts, entry.starts or event.starts)
        end = latest + _TIMEZONE_HORIZON
    return {event.starts.year, end.year}
