"""iCalendar (RFC 5545, RFC 7986), by icalendar."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from icalendar import Calendar, Component, prop
from icalendar import Event as VEvent

from feedsvc.formats import labels
from feedsvc.formats.content import plain_text
from feedsvc.formats.iri import iri_to_uri
from feedsvc.formats.phrases import translate
from feedsvc.formats.vtimezone import vtimezone
from feedsvc.models import Entry, Event, Feed, Recurrence, Site, Tombstone
from feedsvc.recurrence import MAX_DATETIME, series_end

MEDIA_TYPE = "text/calendar"

_REFRESH = timedelta(hours=1)
_COLOR = "teal"
_STATUSES = {"postponed": "TENTATIVE"}
_TIMEZONE_HORIZON = timedelta(days=3653)
"""Of a series without an end, for how long its zone's changes are told."""

Properties = Mapping[str, Any]
"""icalendar's values by name; those that are None are left out."""


def render(feed: Feed) -> bytes:
    """A feed as a calendar; deleted events stand in it as cancelled ones."""
    site, title, description = (
        feed.site,
        labels.feed_title(feed),
        labels.feed_description(feed),
    )
    about = {
        "NAME": prop.vText(title),
        "X-WR-CALNAME": prop.vText(title),
        "DESCRIPTION": prop.vText(description),
        "X-WR-CALDESC": prop.vText(description),
        "X-WR-TIMEZONE": prop.vText(site.timezone.key),
        "URL": prop.vUri(iri_to_uri(feed.home_url)),
        "SOURCE": prop.vUri(feed.self_url, params={"VALUE": "URI"}),
        "REFRESH-INTERVAL": prop.vDuration(_REFRESH, params={"VALUE": "DURATION"}),
        "X-PUBLISHED-TTL": prop.vDuration(_REFRESH),
        "LAST-MODIFIED": _instant(feed.updated),
        "COLOR": prop.vText(_COLOR),
        "IMAGE": prop.vUri(iri_to_uri(site.icon), params={"VALUE": "URI"})
        if site.icon
        else None,
    }
    events = feed.entries
    if feed.query.content == "summary":
        events = tuple(
            replace(entry, content_html=None, content_text=None) for entry in events
        )
    return _calendar(about, site, events, feed.tombstones)


def render_entry(entry: Entry, site: Site) -> bytes:
    """One event as a calendar, to be put into a reader's own."""
    return _calendar({}, site, [entry])


def _calendar(
    about: Properties,
    site: Site,
    entries: Iterable[Entry],
    deleted: Iterable[Tombstone] = (),
) -> bytes:
    """A calendar with the zones that its events need."""
    years: dict[str, set[int]] = defaultdict(set)
    events = []
    for entry in entries:
        events.append(_event(entry, site).to_ical())
        if entry.event and not entry.event.all_day:
            years[entry.event.timezone.key] |= _years(entry, entry.event)
    for tombstone in deleted:
        if tombstone.event is not None:
            events.append(_deleted_event(tombstone, tombstone.event, site.language))
            if not tombstone.event.all_day:
                years[tombstone.event.timezone.key].add(tombstone.event.starts.year)
    years.pop("UTC", None)
    calendar = Calendar()
    _set_properties(
        calendar,
        {
            "VERSION": prop.vText("2.0"),
            "PRODID": prop.vText("-//feedsvc//feedsvc"),
            **about,
        },
    )
    calendar.subcomponents = [
        vtimezone(key, min(years[key]), max(years[key])) for key in sorted(years)
    ]
    head, end, _ = calendar.to_ical().rpartition(b"END:VCALENDAR\r\n")
    return b"".join((head, *events, end)).replace(
        b"\x7f", b""
    )  # XML lets it through, RFC 5545 §3.1 does not


def _event(entry: Entry, site: Site) -> VEvent:
    details = entry.event
    assert details is not None
    organizer, place, image = details.organizer, details.location, entry.image
    titles, description = (
        [category.title for category in entry.categories],
        plain_text(entry, site),
    )
    language = {"LANGUAGE": entry.language} if entry.language != site.language else {}
    recurrence, edited = details.recurrence or Recurrence(""), _instant(entry.updated)
    status = "cancelled" if entry.status == "withdrawn" else details.status
    image_type = {"FMTTYPE": image.type} if image and image.type else {}
    files = [
        prop.vUri(iri_to_uri(file.url), params={"FMTTYPE": file.type})
        for file in entry.attachments
    ]
    properties: dict[str, Any] = {
        "UID": _uid(entry.guid),
        "DTSTAMP": edited,
        "LAST-MODIFIED": edited,
        "CREATED": _instant(entry.date),
        "SEQUENCE": prop.vInt(entry.sequence),
        "STATUS": prop.vText(_STATUSES.get(status, status.upper())),
        "SUMMARY": prop.vText(
            labels.entry_title(entry, site.language), params=language
        ),
        "DESCRIPTION": prop.vText(description, params=language)
        if description
        else None,
        "DTSTART": _moment(details.start),
        # RFC 5545 §3.8.2.2: an end must be later than the start.
        "DTEND": _moment(details.end)
        if details.end and details.ends > details.starts
        else None,
        "RRULE": prop.vRecur.from_ical(recurrence.rrule) if recurrence.rrule else None,
        "EXDATE": _moments(recurrence.exdates),
        "RDATE": _moments(recurrence.rdates),
        "CATEGORIES": prop.vCategory(titles) if titles else None,
        "URL": prop.vUri(iri_to_uri(entry.url or site.permalink(entry.id))),
        "IMAGE": image
        and prop.vUri(iri_to_uri(image.url), params={"VALUE": "URI", **image_type}),
        "ATTACH": files or None,
    }
    if place:
        properties["LOCATION"] = prop.vText(
            ", ".join(part for part in (place.name, place.address) if part)
        )
        if place.latitude is not None and place.longitude is not None:
            properties["GEO"] = prop.vGeo((place.latitude, place.longitude))
    if organizer and organizer.email:
        name = organizer.name.replace(
            "\\", "/"
        )  # there are no escapes in parameters, but readers see some
        properties["ORGANIZER"] = prop.vCalAddress(
            f"mailto:{organizer.email}", params={"CN": name}
        )
    event = VEvent()
    _set_properties(event, properties)
    return event


@lru_cache(maxsize=10_000)
def _deleted_event(tombstone: Tombstone, details: Event, language: str) -> bytes:
    """Return a deleted event as a cancelled one, with nothing of its content (RFC 5546 §3.2.5).

    Cached, since a calendar may list 10,000 of them, which takes a second.
    """
    event = VEvent()
    _set_properties(
        event,
        {
            "UID": _uid(tombstone.guid),
            "DTSTAMP": _instant(tombstone.deleted_at),
            "SEQUENCE": prop.vInt(tombstone.sequence),
            "STATUS": prop.vText("CANCELLED"),
            "SUMMARY": prop.vText(translate(language, "deleted event")),
            "DTSTART": _moment(details.start),
        },
    )
    written: bytes = event.to_ical()
    return written


def _uid(guid: str) -> prop.vText:
    return prop.vText(guid.removeprefix("urn:uuid:"))


def _set_properties(component: Component, properties: Properties) -> None:
    component.update(
        {name: value for name, value in properties.items() if value is not None}
    )


def _instant(moment: datetime) -> prop.vDatetime:
    return prop.vDatetime(moment.astimezone(UTC))


def _moment(moment: date) -> prop.vDDDTypes:
    """A date; or a time in its zone, but in UTC where the zone's clocks show it for the second time."""
    if (
        isinstance(moment, datetime)
        and moment.replace(fold=0).utcoffset() != moment.utcoffset()
    ):
        moment = moment.astimezone(UTC)
    return prop.vDDDTypes(moment)


def _moments(moments: tuple[date, ...]) -> prop.vDDDLists | None:
    if not moments:
        return None
    return prop.vDDDLists(
        moments, params={} if isinstance(moments[0], datetime) else {"VALUE": "DATE"}
    )


def _years(entry: Entry, details: Event) -> set[int]:
    """The first and the last year of an event, which its zone must be told for."""
    end = series_end(details)
    if end == MAX_DATETIME:
        end = (
            max(entry.updated, details.starts, entry.starts or details.starts)
            + _TIMEZONE_HORIZON
        )
    return {details.starts.year, end.year}
