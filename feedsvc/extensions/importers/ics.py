"""Calendars (RFC 5545), read by icalendar."""

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from json import detect_encoding
from operator import itemgetter
from typing import Any
from urllib.parse import unquote
from warnings import catch_warnings
from zoneinfo import ZoneInfo

from icalendar import Event, Timezone
from icalendar.error import InvalidCalendar
from icalendar.prop import vBroken
from icalendar.timezone import tzp
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from feedsvc.extensions.importers.entry import UNREADABLE, ImportedEntry, Note, Skipped
from feedsvc.extensions.importers.series import read_series
from feedsvc.formats.titles import split_label
from feedsvc.input import sanitize
from feedsvc.input.recurrence_validation import MAX_CANCELLED
from feedsvc.models import EPOCH, EVENT_STATUSES, utcnow

# These expressions, and those of `read`, take time in proportion to the text, since
# files are not trusted.
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATES = {*EVENT_STATUSES, "rescheduled_date", "withdrawn"} - {"confirmed"}
#: Zones in which most people live, of those with the same offsets.
_LARGE_ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/Bogota",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Kyiv",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "Africa/Nairobi",
    "Asia/Jakarta",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
)
#: Lines by which an event is not published, such as one of Apple's server.
#:
#: An unknown class is private (RFC 5545 §3.8.1.3). DRAFT is for journals, but scripts
#: write it.
_UNPUBLISHED = re.compile(
    r"""(?imx)
    ^(?:[\w-]+\.)?(?:CLASS|X-CALENDARSERVER-ACCESS)[ \t]*(?:;.*)?:
        [ \t]*+(?!PUBLIC[ \t\r]*$)\S.*
    | ^(?:[\w-]+\.)?STATUS[ \t]*(?:;.*)?:
        [ \t]*(?:DRAFT|AUTO-DRAFT|PRIVATE|TRASH)[ \t\r]*$"""
)
_UID = re.compile(r"(?im)^(?:[\w-]+\.)?UID[ \t]*(?:;.*)?:(.*)")
#: Statuses that iCalendar lacks, so that our calendars have them in titles alone.
_OWN_STATUSES = {*EVENT_STATUSES} - {"confirmed", "tentative", "cancelled"}

#: Definitions of zones that take too long: more than 200 parts or four rules, or rules
#: with several dates a year.
#:
#: dateutil goes through all dates for each time. Some rules name the seven days of a
#: month on which a weekday may be.
_COSTLY_ZONE = re.compile(
    r"""(?imx)
    \A(?:(?>(?s:.)*?(?:BEGIN:|DATE[:;]|,))){201}
    | \A(?:(?>(?s:.)*?RULE[:;])){5}
    | FREQ=(?!YEARLY) | INTERVAL=0 | COUNT= | UNTIL=(?!1|2[01])
    | BY(?!MONTHDAY=)\w*=[^;\n]*, | BYMONTHDAY=(?:[^,;\n]*,){7}
    | ^RRULE(?=.*BY)(?!.*BYMONTH=)
    | ^RRULE(?=.*BYMONTHDAY=.*,)(?!.*BYDAY=)
    | ^RRULE(?=.*BYDAY=[A-Z])(?!.*BY(?:MONTHDAY|SETPOS)=)"""
)

#: An address as Outlook writes it behind its text.
_ADDRESS = re.compile("<([^<>\\s:@]*(?:://|@|(?<=tel):|(?<=mailto):)[^<>\\s]*)>")
#: A reminder, or one without an end up to the next component.
#:
#: The quantifier is possessive, so that no line is read twice.
_REMINDER = re.compile(
    r"(?im)^BEGIN:VALARM\n(?:(?!BEGIN:|END:).*\n)*+(?:END:VALARM\n)?"
)


def read(data: bytes, site_zone: ZoneInfo) -> Iterator[ImportedEntry]:
    """Yield the events of a calendar.

    An overridden occurrence of a recurring event becomes an entry of its own, and an
    exception of the series; a cancelled one becomes a cancelled date of the series, in
    the form of our own calendars too.

    :param site_zone: the zone of times without one, if the calendar has none either.
    """
    text = _decode(data)
    _define_zones(text)
    named = re.search("(?m)^X-WR-TIMEZONE.*:(\\S+)", text)
    zone = named and _find_zone(named[1])
    default = zone if isinstance(zone, ZoneInfo) else site_zone
    events = []
    overrides: dict[str, dict[date, Event]] = defaultdict(dict)
    private: dict[str, str] = {}
    # Each alone, so that a broken one costs no other; reminders are not read.
    for component, mark in _marked_events(text):
        # Of what cannot be read too: the other occurrences of a private series do not
        # repeat its mark.
        private |= {uid.strip(): mark for uid in _UID.findall(component) if mark}
        try:
            event = _parse(_REMINDER.sub("", component))
            modified = event.last_modified or EPOCH
            revision = int(event.get("SEQUENCE", 0)), modified
            events.append((revision, event.RECURRENCE_ID, event))
        # icalendar raises anything on damaged files.
        except Exception:
            yield ImportedEntry("", {}, skip_reason=UNREADABLE)
            continue
        if mark:
            private[event.uid] = mark
    # The importer stores only the first entry with a guid. The loop below yields the
    # latest revision first, and of equal ones the last in the file.
    events.sort(key=itemgetter(0))
    moments = [*_restore_overrides(events, private)]
    series = {event.uid for moment, event in moments if not moment}
    for moment, event in moments:
        if moment:
            overrides[event.uid][moment] = event
    for moment, event in reversed(moments):
        # Each of several with a UID would take time for all of them.
        changes = {} if moment else overrides.pop(event.uid, {})
        if moment and event.uid in series and _is_cancelled(event):
            continue
        try:
            if event.uid in private:
                raise Skipped(f"it is not public ({private[event.uid]})")
            yield from _to_entries(event, changes, default)
        # icalendar raises anything on a property of another form than it expects.
        except Exception as error:
            reason = str(error) if isinstance(error, Skipped) else UNREADABLE
            fields = {"title": event.summary}
            yield ImportedEntry(event.uid, fields, skip_reason=reason)


def _decode(data: bytes) -> str:
    """Return the unfolded lines of a calendar as icalendar reads them right."""
    # Outlook writes UTF-16, too. A folded line may be folded within a character.
    encoding = detect_encoding(data)
    if encoding.startswith(("utf-16", "utf-32")):
        data = data.decode(encoding, "replace").encode()
    text = re.sub(b"\r?\n[ \t]", b"", data).decode("utf-8-sig", "replace")
    # icalendar takes a space behind the name of a component for a part of it.
    text = re.sub(r"(?im)^((?:BEGIN|END):\S*).*", r"\1", text)
    # Some exporters give a zone to dates, too, or do not quote its name.
    text = re.sub(";TZID=[^;\n]{,200}:([0-9]{8}\\s)", r":\1", text)
    return re.sub('TZID=([^";\n]{,200}):([0-9]{8}T)', r'TZID="\1":\2', text)


def _find_zone(name: str) -> tzinfo | None:
    # zoneinfo raises anything on the name of a folder, or a long one.
    with suppress(Exception):
        zone: tzinfo | None = tzp.timezone(name)
        return zone
    return None


def _components(text: str, name: str) -> list[str]:
    # The last one of a damaged file has no end.
    return re.findall(f"(?ims)^BEGIN:{name}\\b.*?(?:^END:{name}\\b|\\Z)", text)


def _marked_events(text: str) -> list[tuple[str, str]]:
    """Return the events of a file, each with what marks it as not published, if any."""
    # Apple's server marks a calendar as a whole.
    heads = re.findall(r"(?ims)^BEGIN:VCALENDAR\b.*?(?=^BEGIN:|\Z)", text)
    whole = _find_mark("".join(heads))
    return [
        (component, _find_mark(component) or whole)
        for component in _components(text, "VEVENT")
    ]


def _find_mark(lines: str) -> str:
    """Return what marks lines as not published, if anything."""
    # Also behind what people do not see, such as NUL or a no-break space.
    seen = "".join(char for char in lines if char == "\n" or char.isprintable())
    mark = _UNPUBLISHED.search(seen)
    return mark[0].strip() if mark else ""


def _define_zones(text: str) -> None:
    """Let icalendar know the zones of a calendar, and none of another one."""
    tzp.use_default()
    # Where a name says an IANA zone, as Windows' names and those of Evolution and
    # Mozilla do, it counts instead of the definition.
    names = {*WINDOWS_TO_OLSON, *re.findall('TZID="(.*?)"', text)}
    with catch_warnings(action="ignore"):
        for name in names:
            _find_zone(name)
    for definition in _components(text, "VTIMEZONE"):
        if _COSTLY_ZONE.search(definition):
            continue
        # The API takes the years from 1970 to 2200; Outlook's rules begin in 1601.
        lines = re.sub("(?im)^(DTSTART.*:)(?:0.|1[0-8])..", r"\g<1>1968", definition)
        lines = re.sub("(?im)^(RRULE(?!.*UNTIL)[^\r\n]*)", r"\1;UNTIL=22010101", lines)
        # icalendar raises anything on a damaged one.
        with suppress(Exception):
            Timezone.from_ical(lines)


def _parse(component: str) -> Any:
    """Return an event without properties that cannot be read.

    A property that an event can have once is the first one, others are lists. An event
    without UID has its start and title as that.
    """
    event: Any = Event.from_ical(component)
    for name, value in list(event.items()):
        values = value if isinstance(value, list) else [value]
        values = [each for each in values if not isinstance(each, vBroken)]
        del event[name]
        if values:
            is_single = name in Event.singletons
            event[name] = values[0] if is_single else values
    uid = event.uid.strip()
    if event.DTSTART and not uid:
        uid = f"{event.DTSTART} {event.summary}"
    event["UID"] = uid
    return event


def _restore_overrides(
    events: Sequence[tuple[Any, date | None, Event]], private: Container[str]
) -> Iterator[tuple[date | None, Event]]:
    """Yield each event behind the start that it overrides in its series, if any.

    A cancelled date of our own calendars has a UID of its own, and is related to a
    series with an EXDATE at its start: it becomes a cancelled override of that.

    :param private: the UIDs of events that are not published.
    """
    exdates: dict[tuple[str, date], date] = {}
    for _, _, event in events:
        # icalendar and Python raise anything on damaged dates.
        with suppress(Exception):
            for exdate in event.exdates:
                exdates[event.uid, _local(exdate, UTC)] = exdate
    for _, moment, event in events:
        state, _ = _split_state(event.summary or "")
        if state == "cancelled" and event.uid not in private:
            for uid in event.related_to:
                # Others are related events at other times.
                with suppress(Exception):
                    moment = exdates[uid, _local(event.DTSTART, UTC)]
                    event.update({"UID": uid, "STATUS": "CANCELLED"})
        yield moment, event


def _is_cancelled(override: Event) -> bool:
    return "cancelled" in _title_and_status(override).values()


def _to_entries(
    event: Event, overrides: Mapping[date, Event], default: ZoneInfo
) -> Iterator[ImportedEntry]:
    """Yield an event as an entry, and the start of a series that is beside its rule.

    :param overrides: the changed occurrences by the starts that they had.
    :param default: the zone of times without one.
    :raises Skipped: it has no start.
    """
    if event.DTSTART is None:
        raise Skipped("it has no start")
    notes = [
        ("left out", f"{name or 'a line'} cannot be read") for name, _ in event.errors
    ]
    # Our calendars have the property URL in the text too.
    text = (event.description or "").removesuffix(event.url or "").rstrip()
    # RFC 5545 has plain text, but Google writes HTML.
    html = _ADDRESS.sub(r"&lt;\1&gt;", text)
    is_html = sanitize.has_tags(html)
    organizer = event.organizer
    times, own_start = _times(event, overrides, default, notes)
    fields = {
        **_title_and_status(event),
        "content_html" if is_html else "content_text": html if is_html else text,
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
        _guid(event),
        fields,
        event.last_modified,
        tuple(event.categories),
        notes,
    )
    yield entry
    if own_start:
        single = {**fields, **own_start, "recurrence": None}
        yield replace(entry, guid=f"{entry.guid}-start", fields=single, notes=())


def _title_and_status(event: Event) -> dict[str, object]:
    """Return title, language and status; our calendars write it in the title too."""
    title: Any = event.summary or ""
    language = title and title.params.get("LANGUAGE")
    status: str | None = str(event.get("STATUS", "")).lower()
    state, rest = _split_state(title)
    # What is confirmed may have been moved, but no word of another state is ours.
    if status != "confirmed" or state == "rescheduled":
        title = rest
        # Cancelled dates of ours have no status.
        if state in _OWN_STATUSES or not status:
            status = state
    return {"title": title, "language": language, "event_status": status}


def _place(event: Event) -> dict[str, Any]:
    """Return the place and the address of a meeting; phones are left out.

    Besides CONFERENCE (RFC 7986 §5.11), which none of them writes, Google and Teams
    have properties of their own, and Zoom the address as the place.
    """
    place = str(event.location or "")
    meetings = [
        *(conference.uri for conference in event.conferences),
        *event.get("X-GOOGLE-CONFERENCE", []),
        *event.get("X-MICROSOFT-SKYPETEAMSMEETINGURL", []),
        place,
    ]
    url = next(filter(re.compile("https?://\\S+").fullmatch, meetings), None)
    # Teams names the meeting as the place, behind other places.
    is_meeting = "Microsoft Teams" in place and ";" not in place
    if url and (url == place or is_meeting):
        place = ""
    geo = event.get("GEO")
    return {
        "location": {
            "name": place,
            "latitude": geo and geo.latitude,
            "longitude": geo and geo.longitude,
        },
        "online_url": url,
        "attendance": url and ("mixed" if place else "online"),
    }


def _files(event: Event) -> dict[str, Any]:
    """Return image and attachments; The Events Calendar attaches the image."""
    files = [
        {"url": str(file), "mime_type": file.params.get("FMTTYPE", "")}
        for file in event.get("ATTACH", [])
    ]
    images = [image.uri for image in event.images]
    images += [file["url"] for file in files if file["mime_type"].startswith("image/")]
    image = next(iter(images), None)
    return {
        "image": {"url": image},
        "attachments": [file for file in files if file["url"] != image],
    }


def _times(
    event: Event,
    overrides: Mapping[date, Event],
    default: ZoneInfo,
    notes: list[Note],
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the times of an event with its recurrence, and its start beside the rule.

    The latter are the times of the start of a series that begins later, unless it is
    over, left out or changed.
    """
    start = event.DTSTART
    zone = _zone(event, default, notes)
    is_timed = isinstance(start, datetime)
    first = _local(start, zone)

    def local(moment: date) -> datetime:
        moment = _local(moment, zone)
        # Plone and Outlook write the day of an exception, at midnight or without time.
        if moment.time() == time():
            moment = datetime.combine(moment, first.timetz())
        return moment if is_timed else moment.replace(tzinfo=None)

    def iso(moment: datetime) -> str:
        return (moment if is_timed else moment.date()).isoformat()

    # Changed occurrences may repeat the rule.
    rules = [] if event.RECURRENCE_ID else event.rrules
    own = local(start)
    kept, dates = read_series(
        own,
        [_rule(rule, first, is_timed=is_timed) for rule in rules],
        [local(moment) for moment, _ in event.rdates],
        notes,
    )
    if any(length for _, length in event.rdates):
        notes.append(("left out", "lengths of single dates"))
    if "RANGE" in event.get("RECURRENCE-ID", event["DTSTART"]).params:
        notes.append(("left out", "the same change of later dates"))
    changes = {iso(local(moment)): overrides[moment] for moment in overrides}
    cancelled = {
        moment: _reason(changes[moment])
        for moment in sorted(changes)[-MAX_CANCELLED:]
        if _is_cancelled(changes[moment])
    }
    exdates = changes.keys() | {iso(local(each)) for each in event.exdates}
    try:
        length = _local(event.end, zone) - first
    except InvalidCalendar as error:
        notes.append(("left out", f"its end ({error})"))
        length = timedelta()

    def period(begin: datetime) -> dict[str, Any]:
        return {
            "start": iso(begin),
            "end": iso(begin + length) if length else None,
        }

    own_start = None
    if dates[0] > own:
        is_over = _local(own + length, zone) < utcnow()
        if not is_over and iso(own) not in exdates:
            own_start = period(own)
        exdates.discard(iso(own))
    times = {
        **period(dates[0]),
        "timezone": zone.key,
        "recurrence": {
            "rrule": kept,
            "rdates": [*map(iso, dates[1:])],
            # Without the offsets, since a time that the clocks skip has none.
            "exdates": sorted(each[:19] for each in exdates - cancelled.keys()),
            "cancelled": [
                {"start": moment[:19], "notice": notice}
                for moment, notice in cancelled.items()
            ],
        }
        if kept
        else None,
    }
    return times, own_start


def _reason(cancelled: Event) -> str | None:
    """Return the reason that our calendars give in the first line of the text."""
    line = (cancelled.description or "").partition("\n")[0]
    label, reason = split_label(line, "entry.reason")
    return reason if label else None


def _rule(rule: Any, first: datetime, *, is_timed: bool) -> str:
    """Return a rule with its end in the type of the start (RFC 5545 §3.3.10).

    Google writes the other type too, and Nextcloud a local time.

    :param first: the start, in the event's zone.
    :raises Skipped: the end is before the start.
    """
    if "UNTIL" in rule:
        zone: Any = first.tzinfo
        until = _local(rule["UNTIL"][0], zone, time(23, 59, 59))
        # Google writes that for a series of which all dates were deleted.
        if until < first:
            raise Skipped("it ends before it starts")
        end = until.astimezone(UTC) if is_timed else until.date()
        rule["UNTIL"] = [end]
    text: bytes = rule.to_ical()
    return text.decode()


def _local(moment: date, zone: tzinfo, of_day: time = time()) -> datetime:
    """Return a time in a zone; of a day the given time."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, of_day)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=zone)
    return moment.astimezone(zone)


def _zone(event: Event, default: ZoneInfo, notes: list[Note]) -> ZoneInfo:
    """Return the IANA zone in which an event takes place.

    It is the default for a time without a zone, or in one with the same offsets, such
    as Asia/Bangkok in Hanoi. Exchange's "Customized Time Zone" and the display names of
    Outlook say nothing but the offsets of their definitions.
    """
    zone = getattr(event.DTSTART, "tzinfo", None)
    key = getattr(zone, "key", default.key)
    is_series = bool(event.keys() & {"RRULE", "RDATE"})
    # Readers want the local time, but a series would move with daylight saving time, or
    # to another weekday.
    if key == "UTC" and not is_series:
        return default
    known = zone and _known_zone(zone, event.DTSTART.year, default.key, key)
    if known:
        return known
    name = event["DTSTART"].params.get("TZID")
    if name:
        notes.append(("left out", f"its unknown zone {name}"))
    return default


@lru_cache
def _known_zone(zone: tzinfo, year: int, *preferred: str) -> ZoneInfo | None:
    """Return the first IANA zone with the offsets of a zone in a year, if there is one.

    Local times that it skips or repeats are not compared: libraries differ in them.
    """
    first = datetime(year, 1, 1, tzinfo=zone)
    # Cuba and New York change their clocks on one day, at different hours.
    moments = [
        first + timedelta(days=day, hours=hour)
        for day in range(366)
        for hour in (1, 2, 3)
    ]
    offsets = [(moment, zone.utcoffset(moment)) for moment in moments]
    for name in (*preferred, *_LARGE_ZONES, *WINDOWS_TO_OLSON.values()):
        known = ZoneInfo(name)
        if all(
            known.utcoffset(moment) == offset
            or known.utcoffset(moment) != known.utcoffset(moment.replace(fold=1))
            for moment, offset in offsets
        ):
            return known
    return None


def _guid(event: Event) -> str:
    guid: str = event.uid
    # This service writes the UUIDs that it mints without "urn:uuid:" in calendars.
    if _UUID.fullmatch(guid):
        guid = f"urn:uuid:{guid}"
    if event.RECURRENCE_ID:
        guid = f"{guid}/{event.RECURRENCE_ID.isoformat()}"
    return guid


def _split_state(title: str) -> tuple[str | None, str]:
    """Return the state before a title, in a language of the phrases, and the title.

    For example, ("cancelled", "Concert") of "Cancelled: Concert".
    """
    key, title = split_label(title, *(f"state.{state}" for state in _STATES))
    return key and key.removeprefix("state.").removesuffix("_date"), title
