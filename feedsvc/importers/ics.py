"""iCalendar (RFC 5545): events, recurring events with exceptions, foreign time zones.

Calendars of Outlook, Exchange and Google break the RFC in known ways. Their rules and
zones are brought into the form that the API takes, with a warning where an event
changes by that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar
from icalendar.timezone import tzp
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from feedsvc import timezones
from feedsvc.errors import BadRequest
from feedsvc.formats import labels
from feedsvc.importers.base import ImportedEntry, guess_media_type
from feedsvc.models import EVENT_STATUSES, Recurrence
from feedsvc.recurrence import rule_since, shift_to_last_years


def _block_pattern(name: str) -> re.Pattern[bytes]:
    """Return the pattern of a component, such as VEVENT, from BEGIN to END."""
    # Not beyond the next BEGIN, or many without an END would take quadratic time.
    pattern = rf"BEGIN:{name}(?:(?!BEGIN:{name}).)*?END:{name}\r?\n?"
    return re.compile(pattern.encode(), re.DOTALL)


_EVENT = _block_pattern("VEVENT")
_ZONE = _block_pattern("VTIMEZONE")
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNTIL = re.compile("UNTIL=([0-9]{8})(?:T([0-9]{6})(Z?))?")
_SUPERSEDED = "another version of it has a higher SEQUENCE, or follows in the file"
_MONTHS_COMPARED = 36
_YEARS_COMPARED = 10
_TIME_PARTS = ("BYHOUR", "BYMINUTE", "BYSECOND")
# icalendar raises these for values of a wrong type, and where a property that should
# occur once occurs twice and so has become a list.
PARSE_ERRORS = (ValueError, LookupError, AttributeError, TypeError)

Component = Any
"""A component of icalendar, whose properties have no useful types."""

Identity = tuple[str, str]
"""UID and RECURRENCE-ID of a component, or "" for the whole series."""


def read(data: bytes, site_zone: ZoneInfo) -> Iterator[ImportedEntry | str]:
    """Yield the events of a calendar, and warnings.

    An overridden occurrence of a recurring event becomes an entry of its own, and an
    exception of the series. Of several versions of one event the one with the highest
    SEQUENCE is imported (RFC 5546 §2.1.5).

    :param data: the file in UTF-8.
    :param site_zone: the zone of times without one.
    :raises BadRequest: the file has no event that can be read, or as
        `_check_zone_rules`.
    """
    tzp.use_default()  # forget the zones of other files
    try:
        calendar: Component = Calendar.from_ical(data)
        _check_zone_rules(calendar)
        events: list[Component] = calendar.walk("VEVENT")
    except PARSE_ERRORS as error:
        yield f"The file is damaged. Events are read one by one: {error}"
        calendar, events = _read_zones(data), []
        for block in _EVENT.findall(data):
            try:
                events += _parse_blocks(block).walk("VEVENT")
            except PARSE_ERRORS as event_error:
                yield f"skipped: a damaged event: {event_error}"
        if not events:
            raise BadRequest("The file has no event that can be read.") from None
    reader = _EventReader(calendar, events, site_zone)
    for event in events:
        yield from reader.to_entry(event)


def _parse_blocks(*blocks: bytes) -> Component:
    document = b"BEGIN:VCALENDAR\r\n" + b"".join(blocks) + b"END:VCALENDAR\r\n"
    return Calendar.from_ical(document)


def _read_zones(data: bytes) -> Component:
    """Return a calendar with the time zones of a damaged one, unless one is damaged.

    :raises BadRequest: as `_check_zone_rules`.
    """
    tzp.use_default()  # forget the zones before the damage, which were not checked
    try:
        calendar = _parse_blocks(*_ZONE.findall(data))
        _check_zone_rules(calendar)
    except PARSE_ERRORS:
        tzp.use_default()
        return Calendar()
    return calendar


def _check_zone_rules(calendar: Component) -> None:
    """Check that the zones of a calendar change once a day at most.

    To find an offset, dateutil computes all changes since the zone began, and keeps
    them: with one each second, these are hundreds of millions.

    :raises BadRequest: a zone changes more often.
    """
    for definition in calendar.walk("VTIMEZONE"):
        for observance in definition.subcomponents:
            if any(map(_is_too_frequent, _values(observance, "RRULE"))):
                zone = definition.get("TZID", "")
                raise BadRequest(f"The time zone “{zone}” changes too often.")


def _is_too_frequent(rule: Mapping[str, list[Any]]) -> bool:
    """Tell if a rule may have more than one time a day."""
    return (
        rule["FREQ"] not in (["YEARLY"], ["MONTHLY"])
        or rule.get("INTERVAL") == [0]
        # One time of day is no reason: HCL Notes states it.
        or any(len(rule.get(part, [])) > 1 for part in _TIME_PARTS)
    )


class _EventReader:
    """Converts the events of one calendar."""

    def __init__(
        self, calendar: Component, events: list[Component], site_zone: ZoneInfo
    ) -> None:
        # Google and Apple write the default zone of a calendar here.
        calendar_zone = str(calendar.get("X-WR-TIMEZONE", ""))
        if calendar_zone in timezones.zone_names():
            self._zone = timezones.zone(calendar_zone)
        else:
            self._zone = site_zone
        self._zone_definitions: dict[str, Component] = {
            str(definition.get("TZID", "")): definition
            for definition in calendar.walk("VTIMEZONE")
        }
        self._current_versions = _current_versions(events)
        self._overridden = _overridden_occurrences(events)

    def to_entry(self, event: Component) -> Iterator[ImportedEntry | str]:
        """Yield the entry of an event, after its warnings."""
        title = str(event.get("SUMMARY", ""))
        warnings: list[str] = []
        try:
            if self._current_versions.get(_identity(event), event) is not event:
                yield ImportedEntry(
                    str(event.get("UID")), {"title": title}, skip_reason=_SUPERSEDED
                )
                return
            entry = self._convert(event, warnings)
        except PARSE_ERRORS as error:
            yield f"skipped: “{title}”: {error}"
            return
        yield from warnings
        yield entry

    def _convert(self, event: Component, warnings: list[str]) -> ImportedEntry:
        uid = str(event.get("UID", ""))
        skip_reason = _skip_reason(event)
        fields = {
            **_title_and_status(event),
            "url": str(event["URL"]) if "URL" in event else None,
            "date_published": _timestamp(event, "CREATED"),
            "date_modified": _timestamp(event, "LAST-MODIFIED")
            or _timestamp(event, "DTSTAMP"),
            "location": _location(event),
            "organizer": _organizer(event),
            **_conference(event),
            **_body(event),
            **_media(event),
        }
        if not skip_reason:
            overridden = self._overridden.get(uid, [])
            fields |= self._times(event, overridden, warnings)
        titles = tuple(
            str(category)
            for categories in _values(event, "CATEGORIES")
            for category in categories.cats
            if category
        )
        return ImportedEntry(_guid(uid, event), fields, titles, skip_reason)

    def _times(
        self, event: Component, overridden: list[date], warnings: list[str]
    ) -> dict[str, Any]:
        """Return the fields that say when an event takes place."""
        start: date = event["DTSTART"].dt
        end = _end(event, start)
        zone = self._start_zone(event, start, warnings)
        recurrence = None
        rules = _values(event, "RRULE")
        # An overridden occurrence is an entry of its own, which does not recur.
        if rules and "RECURRENCE-ID" not in event:
            rule = rules[0].to_ical().decode()
            rule = normalize_until(rule, start, self._until_zone(start, zone))
            delay = delay_to_first_match(rule, start)
            if delay:
                start += delay
                end = end and end + delay
                warnings.append(
                    f"“{event.get('SUMMARY', '')}” starts on {start:%Y-%m-%d}: "
                    "its first date does not match its rule."
                )
            recurrence = {"rrule": rule, **_exceptions(event, overridden, zone)}
        return {
            "start": _isoformat(start, zone),
            "end": end and _isoformat(end, zone),
            "timezone": (zone or self._zone).key,
            "recurrence": recurrence,
        }

    def _start_zone(
        self, event: Component, start: date, warnings: list[str]
    ) -> ZoneInfo | None:
        """Return the zone that a start names; None for no zone, UTC or an unknown one.

        An unknown zone adds a warning.
        """
        tzid = str(event["DTSTART"].params.get("TZID", ""))
        if not tzid or not isinstance(start, datetime) or tzid == "UTC":
            return None
        zone = _find_zone(tzid, start, self._zone_definitions)
        if zone is None:
            warnings.append(
                f"“{event.get('SUMMARY', '')}” is set to {self._zone.key}: "
                f"unknown time zone “{tzid}”."
            )
        return zone

    def _until_zone(self, start: date, zone: ZoneInfo | None) -> tzinfo:
        if zone:
            return zone
        return UTC if isinstance(start, datetime) and _is_utc(start) else self._zone


def _current_versions(events: Iterable[Component]) -> dict[Identity, Component]:
    """Return of all events with a UID the last one with the highest SEQUENCE."""
    current: dict[Identity, Component] = {}
    for event in events:
        # An event that cannot be read is reported when it is converted.
        with suppress(*PARSE_ERRORS):
            identity = _identity(event)
            other = current.get(identity, event)
            if identity[0] and _sequence(event) >= _sequence(other):
                current[identity] = event
    return current


def _identity(event: Component) -> Identity:
    occurrence = ""
    if "RECURRENCE-ID" in event:
        occurrence = event["RECURRENCE-ID"].dt.isoformat()
    return str(event.get("UID", "")), occurrence


def _sequence(event: Component) -> int:
    return int(event.get("SEQUENCE", 0))


def _overridden_occurrences(events: Iterable[Component]) -> dict[str, list[date]]:
    """Return the overridden occurrences of each recurring event, by UID."""
    overridden: dict[str, list[date]] = {}
    for event in events:
        if "RECURRENCE-ID" in event:
            with suppress(*PARSE_ERRORS):
                occurrence = event["RECURRENCE-ID"].dt
                overridden.setdefault(str(event.get("UID")), []).append(occurrence)
    return overridden


def _guid(uid: str, event: Component) -> str:
    # This service writes the UUIDs that it mints without "urn:uuid:" in calendars.
    guid = f"urn:uuid:{uid}" if _UUID.fullmatch(uid) else uid
    if "RECURRENCE-ID" in event:
        guid = f"{guid}/{event['RECURRENCE-ID'].dt.isoformat()}"
    return guid


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


def _skip_reason(event: Component) -> str:
    if str(event.get("CLASS", "PUBLIC")).upper() != "PUBLIC":
        return "it is not public"
    return "" if "DTSTART" in event else "it has no start"


def normalize_until(rule: str, start: date, zone: tzinfo) -> str:
    """Write UNTIL of a rule as the start requires: as a date, or as a time in UTC.

    RFC 5545 §3.3.10 requires it; Outlook and Google write the other type too.

    :param zone: of a local UNTIL, and of one in UTC that ends an all-day event.
    """

    def replace(match: re.Match[str]) -> str:
        day, clock, is_utc = match[1], match[2], bool(match[3])
        is_all_day = not isinstance(start, datetime)
        if is_all_day and clock is None:
            return match[0]
        # A date as UNTIL includes the occurrences of that day.
        until = datetime.fromisoformat(f"{day}T{clock or '235959'}")
        if is_all_day:
            # Midnight in UTC stands for the date itself, any other time for the
            # midnight of a zone.
            if is_utc and until.time() != time():
                until = until.replace(tzinfo=UTC).astimezone(zone)
            return f"UNTIL={until:%Y%m%d}"
        until = until.replace(tzinfo=UTC if is_utc else zone)
        return f"UNTIL={until.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    return _UNTIL.sub(replace, rule)


def delay_to_first_match(rule: str, start: date) -> timedelta | None:
    """Return the time from the start to the first occurrence that matches the rule.

    The API refuses a start that its rule does not produce (RFC 5545 §3.8.5.3). Return
    None where no occurrence matches, or the rule is invalid: the API says why.
    """
    # dateutil refuses UNTIL in UTC for a start without a zone.
    unbounded = _UNTIL.sub("", rule).replace(";;", ";").strip(";")
    clock = start.time() if isinstance(start, datetime) else time()
    begin = shift_to_last_years(datetime.combine(start, clock))
    try:
        if Recurrence(unbounded).rule_parts.get("INTERVAL") == "0":
            return None  # dateutil would look for ever
        first = next(iter(rule_since(unbounded, begin, begin)), None)
    except (ValueError, LookupError):
        return None
    return first - begin if first else None


def _isoformat(moment: date, zone: ZoneInfo | None) -> str:
    """Return a date or time in ISO 8601.

    :param zone: replaces a zone of the same clocks that icalendar made of a VTIMEZONE.
    """
    if zone and isinstance(moment, datetime) and moment.tzinfo and not _is_utc(moment):
        moment = moment.replace(tzinfo=zone)
    return moment.isoformat()


def _is_utc(moment: datetime) -> bool:
    return moment.tzinfo is UTC or getattr(moment.tzinfo, "key", "") == "UTC"


def _exceptions(
    event: Component, overridden: list[date], zone: ZoneInfo | None
) -> dict[str, list[str]]:
    """Return `exdates` and `rdates`, each where there are some."""
    dates = {
        "exdates": [*_dates(event, "EXDATE"), *overridden],
        "rdates": _dates(event, "RDATE"),
    }
    return {
        name: [_isoformat(day, zone) for day in days]
        for name, days in dates.items()
        if days
    }


def _dates(event: Component, name: str) -> list[date]:
    return [item.dt for values in _values(event, name) for item in values.dts]


def _values(event: Component, name: str) -> list[Any]:
    """Return all values of a property; icalendar has a list only for several."""
    values = event.get(name, [])
    return values if isinstance(values, list) else [values]


def _end(event: Component, start: date) -> date | None:
    if "DTEND" in event:
        end: date = event["DTEND"].dt
        return end
    return start + event["DURATION"].dt if "DURATION" in event else None


def _timestamp(event: Component, name: str) -> str | None:
    moment = event[name].dt if name in event else None
    # Google writes the year 1900 for an unknown time.
    if not isinstance(moment, datetime) or moment.year < 1970:
        return None
    return moment.isoformat()


def _location(event: Component) -> dict[str, Any] | None:
    name = str(event.get("LOCATION", ""))
    if not name:
        return None
    geo = event.get("GEO")
    if not geo:
        return {"name": name}
    return {"name": name, "latitude": geo.latitude, "longitude": geo.longitude}


def _conference(event: Component) -> dict[str, str]:
    """Return the fields of an online event (RFC 7986 §5.11); phones are left out."""
    for value in _values(event, "CONFERENCE"):
        if re.match("(?i)https?://", str(value)):
            attendance = "mixed" if event.get("LOCATION") else "online"
            return {"online_url": str(value), "attendance": attendance}
    return {}


def _organizer(event: Component) -> dict[str, str] | None:
    organizer = event.get("ORGANIZER")
    # The API requires a name.
    if organizer is None or not organizer.params.get("CN"):
        return None
    fields = {"name": str(organizer.params["CN"])}
    address = re.sub("(?i)^mailto:", "", str(organizer))
    if "@" in address:
        fields["email"] = address
    return fields


def _body(event: Component) -> dict[str, str]:
    text = str(event.get("DESCRIPTION", ""))
    if not text:
        return {}
    # The RFC has plain text, but Google writes HTML.
    has_tags = re.search(r"<(?:[a-z]|/[a-z])", text)
    return {"content_html" if has_tags else "content_text": text}


def _media(event: Component) -> dict[str, Any]:
    """Return image and attachments; the first attached picture is the image."""
    image = None
    attachments = []
    for file in _values(event, "ATTACH"):
        url = str(file)
        # Files may be in the calendar itself, or in a mail (cid:).
        if not url.startswith("http"):
            continue
        media_type = guess_media_type(url, file.params.get("FMTTYPE"))
        if not media_type.startswith("image/"):
            attachments.append({"url": url, "mime_type": media_type})
        elif image is None:
            image = url
    return {"image": image, "attachments": attachments}


def _find_zone(
    tzid: str, start: datetime, definitions: Mapping[str, Component]
) -> ZoneInfo | None:
    """Return the IANA zone of a TZID of IANA, of Windows, or of the calendar itself.

    Return None if it is unknown or ambiguous.

    :param start: a time for which the zone is needed.
    :param definitions: the VTIMEZONE components of the calendar by TZID.
    """
    for name in (tzid, WINDOWS_TO_OLSON.get(tzid, "")):
        if name in timezones.zone_names():
            return timezones.zone(name)
    if tzid not in definitions:
        return None
    # Exchange invents names ("Customized Time Zone"): the offsets identify the zone.
    own_zone: tzinfo = definitions[tzid].to_tz()
    # Noon, which changes to daylight saving time neither skip nor repeat.
    begin = datetime(start.year, 1, 1, 12, tzinfo=UTC)
    samples = tuple(begin + timedelta(days=30 * n) for n in range(_MONTHS_COMPARED))
    return _zone_with_offsets(_offsets(own_zone, samples), samples)


def _offsets(
    zone: tzinfo, local_times: Iterable[datetime]
) -> tuple[timedelta | None, ...]:
    """Return the offsets of a zone when its clocks show some times."""
    return tuple(moment.replace(tzinfo=zone).utcoffset() for moment in local_times)


# Comparing all zones takes 60 ms, and every event of a calendar needs it.
@lru_cache(64)
def _zone_with_offsets(
    offsets: tuple[timedelta | None, ...], samples: tuple[datetime, ...]
) -> ZoneInfo | None:
    """Return the zone with some offsets, if all such zones agree for ten years.

    Of these, prefer the first zone that Windows uses, else the first by name.

    :param samples: the local times of the offsets.
    """
    zones = [timezones.zone(name) for name in sorted(timezones.zone_names())]
    matching = [zone for zone in zones if _offsets(zone, samples) == offsets]
    later = [samples[0] + timedelta(days=15 * n) for n in range(_YEARS_COMPARED * 24)]
    futures = {_offsets(zone, later) for zone in matching}
    if len(futures) != 1:
        return None
    preferred = [*WINDOWS_TO_OLSON.values(), *sorted(timezones.zone_names())]
    return min(matching, key=lambda zone: preferred.index(zone.key))
