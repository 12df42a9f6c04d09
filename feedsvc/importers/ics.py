"""Calendars (RFC 5545), read by icalendar."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from operator import itemgetter
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from icalendar import Event, Timezone
from icalendar.prop import vBroken
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from feedsvc.formats import titles
from feedsvc.importers import ImportedEntry, Skipped
from feedsvc.importers.series import read_series
from feedsvc.input import sanitize
from feedsvc.input.recurrence_validation import MAX_CANCELLED
from feedsvc.models import EPOCH
from feedsvc.timezones import zone_names

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: A time with the name of its zone, which some exporters do not quote.
_ZONED_TIME = re.compile(
    "(?m)^((?:DTSTART|DTEND|EXDATE|RDATE|RECURRENCE-ID)(?:;.*?)?);TZID="
    '("[^"\n]*"|[^;:\n]*|.*?)((?:;[^:\n]*)?:[^:\n]*)$'
)
#: A component within an event: a reminder.
_INNER_COMPONENT = re.compile("(?ims)^BEGIN:([^\n]*)$.*?^END:\\1$")
#: An address as Outlook writes it behind its text.
_ADDRESS = re.compile("<([^<>\\s]*(?:://|@|tel:)[^<>\\s]*)>")
_SERIES = ("RRULE", "RDATE", "EXDATE")
_UNREADABLE = "it cannot be read"
#: Outlook names a meeting as the place, behind other places.
_TEAMS = re.compile("(?:^|; ?)[^;]*Microsoft Teams[^;]*")


def read(data: bytes, site_zone: ZoneInfo) -> Iterator[ImportedEntry | str]:
    """Yield the events of a calendar, and warnings.

    An overridden occurrence of a recurring event becomes an entry of its own, and an
    exception of the series; a cancelled one becomes a cancelled date of the series.

    :param site_zone: the zone of times without one, if the calendar has none either.
    """
    text = re.sub("\r\n?", "\n", data.decode("utf-8-sig", "replace"))
    text = re.sub("\n[ \t]", "", text)
    named = re.search("(?m)^X-WR-TIMEZONE.*:(.*)$", text)
    zone = (named and _find_zone(named[1], text, site_zone)) or site_zone
    names = {match[2] for match in _ZONED_TIME.finditer(text)}
    zones = {name: _find_zone(name.strip('"'), text, zone) for name in names}
    for name in sorted(name for name in names if zones[name] is None):
        yield f"The zone {name} is unknown: its times are taken for {zone.key}."

    def rename(moment: re.Match[str]) -> str:
        before, name, after = moment.groups()
        # Some exporters give a zone to dates, too.
        if "T" not in after.rpartition(":")[2]:
            return f"{before}{after}"
        known = zones[name]
        return f"{before};TZID={known.key}{after}" if known else moment[0]

    yield from _read_events(_ZONED_TIME.sub(rename, text), zone)


def _components(text: str, name: str) -> Iterator[str]:
    """Yield the lines of each component of a name: a broken one costs no other."""
    for part in re.split(f"(?im)^BEGIN:{name}$", text)[1:]:
        # The last one of a damaged file has no end.
        yield re.split(f"(?im)^END:{name}$", part)[0]


def _find_zone(name: str, text: str, preferred: ZoneInfo) -> ZoneInfo | None:
    """Return the IANA zone that a calendar means by a name.

    Evolution and Mozilla write a path before IANA's name. Exchange's "Customized Time
    Zone" and display names of Outlook say nothing but the offsets of their definitions.

    :param text: the calendar.
    :param preferred: of zones with the same offsets.
    """
    parts = name.split("/")
    names = ["/".join(parts[number:]) for number in range(len(parts))]
    for candidate in (*names, WINDOWS_TO_OLSON.get(name)):
        if candidate in zone_names():
            return ZoneInfo(candidate)
    # Definitions may lack the rules of earlier years.
    years = re.findall("(?m)^DTSTART.*:([0-9]{4})", text)
    for lines in _components(text, "VTIMEZONE"):
        if f"\nTZID:{name}\n" not in lines.replace("\\,", ","):
            continue
        try:
            definition: Any = Timezone.from_ical(
                f"BEGIN:VTIMEZONE{lines}END:VTIMEZONE"
            )
            year = int(max(years))
            offsets = _offsets(definition.to_tz(lookup_tzid=False), year)
        # icalendar and dateutil raise anything on damaged definitions.
        except Exception:
            return None
        for key in (preferred.key, *WINDOWS_TO_OLSON.values()):
            if _offsets(ZoneInfo(key), year) == offsets:
                return ZoneInfo(key)
    return None


@cache
def _offsets(zone: tzinfo, year: int) -> list[timedelta | None]:
    """Return the offsets of a zone on each day of ten years."""
    noon = datetime(year, 1, 1, 12)  # noqa: DTZ001 — a local time
    days = range(10 * 365)
    return [zone.utcoffset(noon + timedelta(days=day)) for day in days]


def _read_events(text: str, zone: ZoneInfo) -> Iterator[ImportedEntry]:
    """Yield the events of a calendar whose zones are IANA's.

    :param zone: the zone of times without one.
    """
    events: list[tuple[Any, date | None, Event]] = []
    for lines in _components(text, "VEVENT"):
        try:
            event = _parse(lines)
            events.append((_revision(event), event.RECURRENCE_ID, event))
        # icalendar raises anything on damaged files.
        except Exception:
            yield ImportedEntry("", {}, skip_reason=_UNREADABLE)
    # Of several with a guid the importer takes the first: the latest, or last, one.
    events.reverse()
    events.sort(key=itemgetter(0), reverse=True)
    overrides: dict[str, dict[date, Event]] = defaultdict(dict)
    for _, moment, event in events:
        if moment:
            overrides[event.uid].setdefault(moment, event)
    series = {event.uid for *_, event in events if _recurs(event)}
    urls = Counter(event.url for *_, event in events)
    for _, moment, event in events:
        if moment and event.uid in series and _is_cancelled(event):
            continue
        changed = {} if moment else overrides[event.uid]
        # A URL of several events is that of the site.
        url = event.url if urls[event.url] == 1 else ""
        try:
            yield from _to_entries(event, _guid(event, url), changed, zone)
        # icalendar raises anything on a property of another form than it expects.
        except Exception as error:
            reason = str(error) if isinstance(error, Skipped) else _UNREADABLE
            fields = {"title": event.summary}
            yield ImportedEntry(event.uid, fields, skip_reason=reason)


def _parse(lines: str) -> Any:
    """Return an event without properties that cannot be read.

    A property that an event can have once is the first one, others are lists.
    """
    lines = _INNER_COMPONENT.sub("", lines)
    event: Any = Event.from_ical(f"BEGIN:VEVENT{lines}\nEND:VEVENT")
    for name, value in list(event.items()):
        values = value if isinstance(value, list) else [value]
        values = [each for each in values if not isinstance(each, vBroken)]
        is_single = name in Event.singletons
        # Changed occurrences may repeat the rule.
        if not values or ("RECURRENCE-ID" in event and name in _SERIES):
            del event[name]
        else:
            event[name] = values[0] if is_single else values
    return event


def _recurs(event: Event) -> bool:
    return bool(event.keys() & {"RRULE", "RDATE"})


def _revision(event: Event) -> tuple[int, datetime]:
    return int(event.get("SEQUENCE", 0)), event.last_modified or EPOCH


def _to_entries(
    event: Event, guid: str, overrides: Mapping[date, Event], zone: ZoneInfo
) -> Iterator[ImportedEntry]:
    """Yield an event as an entry, and its dates outside the series as others.

    :param overrides: the changed occurrences by the starts that they had.
    :raises Skipped: it has no start, or is private.
    """
    if (event.get("CLASS") or "PUBLIC").upper() != "PUBLIC":
        raise Skipped("it is not public")
    if event.DTSTART is None:
        raise Skipped("it has no start")
    notes = [
        ("left out", f"{name or 'a line'} cannot be read")
        for name, _ in event.errors
    ]
    recurrence_id = event.get("RECURRENCE-ID")
    if recurrence_id and "RANGE" in recurrence_id.params:
        notes.append(("left out", "the same change of later dates"))
    times, *singles = _times(event, overrides, zone, notes)
    organizer = event.organizer
    fields = {
        **_title_and_status(event),
        **_content(event),
        "url": event.url,
        "date_published": event.CREATED and event.CREATED.isoformat(),
        "organizer": organizer
        and {
            # The Events Calendar encodes it as in a URL.
            "name": unquote(organizer.CN or organizer.email),
            "email": organizer.email,
        },
        **_place(event),
        **_files(event),
        **times,
    }
    entry = ImportedEntry(
        guid, fields, event.last_modified, tuple(event.categories), notes
    )
    yield entry
    for single in singles:
        yield replace(
            entry,
            guid=f"{guid}/{single['start']}",
            fields={**fields, "recurrence": None, **single},
            notes=(),
        )


def _title_and_status(event: Event) -> dict[str, Any]:
    """Return title, language and status; our calendars write the status twice."""
    summary: Any = event.summary
    status = str(event.get("STATUS", "")).lower()
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


def _is_cancelled(event: Event) -> bool:
    """Tell if an occurrence does not take place; our calendars say it in the title."""
    state, _ = titles.split_state(event.summary or "")
    return "cancelled" in (state, _title_and_status(event)["event_status"])


def _reason(cancelled: Event) -> str | None:
    """Return the reason that our calendars give in the first line of the text."""
    label, reason = titles.split_label(
        (cancelled.description or "").partition("\n")[0], "entry.reason"
    )
    return reason if label else None


def _content(event: Event) -> dict[str, str]:
    # Teams may have the text as HTML alone.
    text = event.description or event.get("X-ALT-DESC", [""])[0]
    # Our calendars have the property URL in the text too.
    text = text.removesuffix(event.url or "").rstrip()
    # RFC 5545 has plain text, but Google writes HTML.
    html = _ADDRESS.sub(r"&lt;\1&gt;", text)
    is_html = sanitize.has_tags(html)
    return {"content_html": html} if is_html else {"content_text": text}


def _place(event: Event) -> dict[str, Any]:
    """Return place and address of a meeting; phones are left out.

    Besides CONFERENCE (RFC 7986 §5.11), which none of them writes, Google and Teams
    have properties of their own, and Zoom the address as the place.
    """
    place = event.location or ""
    meetings = [
        *(conference.uri for conference in event.conferences),
        *event.get("X-GOOGLE-CONFERENCE", []),
        *event.get("X-MICROSOFT-SKYPETEAMSMEETINGURL", []),
        place,
    ]
    url = next(filter(re.compile("https?://\\S+").fullmatch, meetings), None)
    if url:
        place = _TEAMS.sub("", place) if place != url else ""
    # Apple writes the address on a line of its own.
    name, _, address = place.partition("\n")
    geo = event.get("GEO")
    return {
        "location": {
            "name": name,
            "address": address,
            "latitude": geo and geo.latitude,
            "longitude": geo and geo.longitude,
        },
        "online_url": url,
        "attendance": url and ("mixed" if place else "online"),
    }


def _files(event: Event) -> dict[str, Any]:
    """Return image and attachments; The Events Calendar attaches the image."""
    images = [
        {"url": image.uri, "type": image.fmttype} for image in event.images
    ]
    attachments = []
    for file in event.get("ATTACH", []):
        media_type = file.params.get("FMTTYPE", "")
        if media_type.startswith("image/") and not images:
            images.append({"url": str(file), "type": media_type})
        else:
            attachments.append({"url": str(file), "mime_type": media_type})
    return {"image": next(iter(images), None), "attachments": attachments}


def _times(
    event: Event,
    overrides: Mapping[date, Event],
    zone: ZoneInfo,
    notes: list[tuple[str, str]],
) -> Iterator[dict[str, Any]]:
    """Yield the times of an event, then those of its dates outside the series."""
    start, end = event.DTSTART, event.DTEND
    if end is None and event.DURATION is not None:
        end = start + event.DURATION
    zone = _zone(event, start, zone)
    is_timed = isinstance(start, datetime)
    first = _local(start, zone, is_timed=is_timed)

    def local(moment: date) -> datetime:
        moment = _local(moment, zone, is_timed=is_timed)
        # Plone and Outlook write the day of an exception, at midnight or without time.
        is_day = not is_timed or moment.time() == time()
        return datetime.combine(moment, first.timetz()) if is_day else moment

    def iso(moment: datetime) -> str:
        return (moment if is_timed else moment.date()).isoformat()

    duration = end and _local(end, zone, is_timed=is_timed) - first

    def times(moment: datetime) -> dict[str, Any]:
        return {
            "start": iso(moment),
            "end": duration and iso(moment + duration),
            "timezone": zone.key,
        }

    rules = []
    for rule in event.rrules:
        if "UNTIL" in rule:
            rule["UNTIL"] = [_until(rule["UNTIL"][0], start, zone)]
        rules.append(rule.to_ical().decode())
    rdates = [local(moment) for moment, _ in event.rdates]
    series = read_series(first, rules, rdates, notes)
    changed = {local(moment): overrides[moment] for moment in overrides}
    exdates = {local(moment) for moment in event.exdates} | changed.keys()
    cancelled = {
        iso(moment): _reason(changed[moment])
        for moment in sorted(changed)[-MAX_CANCELLED:]
        if _is_cancelled(changed[moment])
    }
    recurrence = {
        "rrule": series.rule,
        "exdates": sorted({*map(iso, exdates)} - cancelled.keys()),
        "rdates": [*map(iso, series.rdates)],
        "cancelled": [
            {"start": moment, "notice": cancelled[moment]}
            for moment in cancelled
        ],
    }
    yield times(series.start) | {"recurrence": series.rule and recurrence}
    for moment in series.singles:
        if moment not in exdates:
            yield times(moment)
    if any(
        until and local(until) - local(begin) != duration
        for begin, until in event.rdates
    ):
        notes.append(("left out", "lengths of single dates"))


def _local(moment: date, zone: ZoneInfo, *, is_timed: bool) -> datetime:
    """Return a time in a zone; among days a midnight without zone."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if moment.tzinfo:
        moment = moment.astimezone(zone)
    return moment.replace(tzinfo=zone if is_timed else None)


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


def _zone(event: Event, start: date, default: ZoneInfo) -> ZoneInfo:
    """Return the zone in which an event takes place.

    It is the default for a time without a zone, in a zone that only the calendar knows,
    or in one with the same offsets, such as Asia/Bangkok in Hanoi.
    """
    zone = getattr(start, "tzinfo", None)
    if not isinstance(zone, ZoneInfo):
        return default
    # Readers want the local time, but a series would move with daylight saving time, or
    # to another weekday.
    if zone.key == "UTC" and not _recurs(event):
        return default
    year = start.year
    is_same = _offsets(zone, year) == _offsets(default, year)
    return default if is_same else zone


def _guid(event: Event, url: str | None) -> str:
    """Return the UID of an event; without one the URL, or start and title.

    :param url: that of no other event.
    """
    # This service writes the UUIDs that it mints without "urn:uuid:" in calendars.
    guid = f"urn:uuid:{event.uid}" if _UUID.fullmatch(event.uid) else event.uid
    if not guid:
        guid = url or f"{event.DTSTART} {event.summary}"
    if event.RECURRENCE_ID:
        guid = f"{guid}/{event.RECURRENCE_ID.isoformat()}"
    return guid
