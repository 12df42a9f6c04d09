"""iCalendar (RFC 5545, RFC 7986), by icalendar but for the lines of events."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from html import unescape
from typing import Any

from dateutil.tz import datetime_ambiguous
from icalendar import Calendar, Parameters, prop
from icalendar.timezone import tzid_from_dt

from feedsvc.feeds.feed import Feed, FeedHead
from feedsvc.formats import content, times, titles
from feedsvc.formats.common import coordinates, iri_to_uri, location_text
from feedsvc.formats.fragments import Fragment
from feedsvc.formats.phrases import translate
from feedsvc.formats.shown import Shown
from feedsvc.formats.titles import TitleState
from feedsvc.formats.vtimezone import vtimezone
from feedsvc.models import NEVER_MODIFIED, Entry, Event, Recurrence, Site
from feedsvc.recurrence import MAX_DATETIME, without_cancelled
from feedsvc.text.html_text import TAG, strip_tags, truncate
from feedsvc.text.iframes import iframes_to_links

#: The length of a calendar: Google stops at about 1 MB, and a note may follow.
MAX_BYTES = 999_000

#: Bytes of the cancelled dates of a series. Longer ones are EXDATEs alone, so that one
#: series leaves room for others.
_MAX_CANCELLED = 100_000

_COLOR = "teal"
_END = b"END:VCALENDAR\r\n"
#: The most octets of a folded line, without the space at its begin.
_MAX_OCTETS = 74

# The backslash is the first, since the others add more of them. icalendar's own escapes
# also make a line break of "\N".
_ESCAPES = (
    ("\\", r"\\"),
    (";", r"\;"),
    (",", r"\,"),
    ("\r\n", r"\n"),
    ("\n", r"\n"),
    ("\r", r"\n"),
)
#: Characters of the text instead of a summary.
_SUMMARY_LENGTH = 300

# Regular expressions are enough for HTML that the sanitizer wrote.
_LINK = re.compile(
    r'<a [^>]*?href="(?:(?i:mailto|tel):)?([^"]*)"[^>]*>(.*?)</a>', re.DOTALL
)
_LIST_ITEM = re.compile(r"<li(?: [^>]*)?>\s*")

_STATUSES = {
    "confirmed": "CONFIRMED",
    "tentative": "TENTATIVE",
    # iCalendar has no such status.
    "postponed": "TENTATIVE",
    "rescheduled": "CONFIRMED",
    "cancelled": "CANCELLED",
    "withdrawn": "CANCELLED",
}
#: For how long the changes of a zone are written for an unbounded series. Programs that
#: subscribe get later ones in time.
_TIMEZONE_HORIZON = timedelta(days=3653)


def make_fragment(shown: Shown, *, is_alone: bool = False) -> Fragment:
    """Return the components of an event, and what its calendar needs for it.

    :param is_alone: the file has no other event; cancelled dates are overrides.
    """
    entry, event = shown.entry, shown.entry.event
    assert event is not None
    # Outlook takes a file with two UIDs for a new calendar.
    lines = _cancelled_dates(shown, as_overrides=is_alone)
    cancelled = b"".join(map(_fold, lines))
    if len(cancelled) > _MAX_CANCELLED:
        cancelled = b""
    if shown.cancelled_occurrences and not (is_alone and cancelled):
        event = without_cancelled(event)
    components = b"".join(map(_fold, _event(shown, event))) + cancelled
    # Times in UTC end with Z and have no TZID.
    key = event.timezone.key
    zone = None if event.all_day or key == "UTC" else key
    years = _years(entry, event)
    return Fragment(components, entry.guid, entry.updated, entry.starts, zone, years)


def render_event(entry: Entry, site: Site) -> bytes:
    """Render one event as a calendar, to be added to a reader's own."""
    shown = Shown(entry, site, entry.date, site.language, is_whole=True)
    return render(None, [make_fragment(shown, is_alone=True)])


def calendar_title(feed: FeedHead) -> str:
    """Return the title of a calendar, of which phones show only the beginning."""
    has_category = feed.query.category_filter.include
    kind_key = None if has_category else "kind.events"
    return f"{titles.join_name(feed, kind_key, feed.language)} – {feed.site_title}"


def _properties(feed: Feed) -> dict[str, Any]:
    """Return the properties of the calendar of a feed, which `Calendar.add` takes."""
    # Half of the programs read the properties of RFC 7986, the others the older X-
    # ones.
    site = feed.site
    title = calendar_title(feed)
    description = titles.feed_description(feed)
    duration_params = {"VALUE": "DURATION"}
    interval = timedelta(minutes=site.poll_minutes)
    uri_params = {"VALUE": "URI"}
    properties = {
        "NAME": title,
        "X-WR-CALNAME": title,
        "DESCRIPTION": description,
        "X-WR-CALDESC": description,
        "X-WR-TIMEZONE": site.timezone.key,
        "URL": iri_to_uri(feed.home_url),
        "SOURCE": prop.vUri(feed.self_url, params=uri_params),
        "REFRESH-INTERVAL": prop.vDuration(interval, params=duration_params),
        "X-PUBLISHED-TTL": prop.vDuration(interval),
        "COLOR": _COLOR,
    }
    if site.icon:
        properties["IMAGE"] = prop.vUri(iri_to_uri(site.icon), params=uri_params)
    return properties


def render(feed: Feed | None, fragments: Iterable[Fragment]) -> bytes:
    """Render a calendar of the first events for which MAX_BYTES have room, by guid.

    It has the time zones that they need. If later events are not in, the description of
    a feed tells the day of the last one that is.

    :param feed: None for the calendar of one event.
    """
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", "-//feedsvc//feedsvc")
    calendar.add("LAST-MODIFIED", NEVER_MODIFIED)
    if feed:
        for name, value in _properties(feed).items():
            calendar.add(name, value)
    size = len(calendar.to_ical())
    updated = NEVER_MODIFIED
    years: dict[str, set[int]] = defaultdict(set)
    zones: dict[str, bytes] = {}
    events: dict[str, Fragment] = {}
    last: Fragment | None = None
    for event in fragments:
        size += len(event.body)
        key = event.zone
        zone = b""
        if key:
            years[key].update(event.years)
            zone = vtimezone(key, min(years[key]), max(years[key]))
            size += len(zone) - len(zones.get(key, b""))
        if size > MAX_BYTES:
            break
        if key:
            zones[key] = zone
        events[event.guid] = event
        last = event
        updated = max(updated, event.updated)
    calendar["LAST-MODIFIED"] = prop.vDatetime(updated.astimezone(UTC))
    if feed and last and last.starts and len(events) < feed.upcoming:
        day = feed.site.day_of(last.starts)
        language = feed.site.words_language(feed.language)
        text = times.format_day(day, "long", language)
        note = translate(language, "follow.calendar_end", text)
        for name in ("DESCRIPTION", "X-WR-CALDESC"):
            calendar[name] = prop.vText(f"{calendar[name]} {note}")
    head = calendar.to_ical().removesuffix(_END)
    components = [
        head,
        *(zones[key] for key in sorted(zones)),
        *(events[guid].body for guid in sorted(events)),
        _END,
    ]
    # XML allows DEL, so the API does; RFC 5545 §3.1 does not.
    return b"".join(components).replace(b"\x7f", b"")


def _fold(line: str) -> bytes:
    """Return a content line in lines of at most 75 octets (RFC 5545 §3.1).

    icalendar folds each character alone, which takes ten times as long.
    """
    octets = line.encode()
    parts = []
    begin = 0
    while len(octets) - begin > _MAX_OCTETS:
        end = begin + _MAX_OCTETS
        while octets[end] & 0xC0 == 0x80:  # within a character
            end -= 1
        # Some programs read an escape only in one line: it begins with an odd one of
        # these characters.
        part = octets[begin:end]
        end -= (len(part) - len(part.rstrip(b"\\^"))) % 2
        parts.append(octets[begin:end])
        begin = end
    parts.append(octets[begin:])
    return b"\r\n ".join(parts) + b"\r\n"


def _event(shown: Shown, event: Event) -> Iterator[str]:
    """Yield the content lines of an event, in the order of icalendar.

    Objects of icalendar would take three times as long.
    """
    entry = shown.entry
    language = _language(shown)
    yield "BEGIN:VEVENT"
    yield f"SUMMARY{language}:{_escape(shown.title)}"
    yield from _times(event)
    yield from _identity(entry)
    if event.recurrence:
        yield from _recurrence(event.recurrence)
    for file in entry.attachments:
        yield f"ATTACH{_parameters(FMTTYPE=file.type)}:{iri_to_uri(file.url)}"
    if entry.categories:
        yield f"CATEGORIES:{','.join(map(_escape, shown.category_titles))}"
    if event.online_url:
        # RFC 7986 §5.11 requires the parameter.
        yield f"CONFERENCE;VALUE=URI:{iri_to_uri(event.online_url)}"
    yield f"CREATED:{_utc(entry.date)}"
    yield f"DESCRIPTION{language}:{_escape(plain_text(shown))}"
    place = event.location
    if place and (point := coordinates(place)):
        yield f"GEO:{';'.join(point)}"
    if entry.image:
        parameters = _parameters(FMTTYPE=entry.image.type, VALUE="URI")
        yield f"IMAGE{parameters}:{iri_to_uri(entry.image.url)}"
    yield f"LAST-MODIFIED:{_utc(entry.updated)}"
    if location := location_text(event):
        yield f"LOCATION:{_escape(location)}"
    organizer = event.organizer
    if organizer and organizer.email:
        # RFC 5545 has no escapes in parameters, but some programs interpret them.
        name = _parameters(CN=organizer.name.replace("\\", "/"))
        yield f"ORGANIZER{name}:mailto:{organizer.email}"
    yield f"STATUS:{_STATUSES[entry.state]}"
    # Nobody is busy during a fair because of a subscription.
    yield "TRANSP:TRANSPARENT"
    yield f"URL:{iri_to_uri(shown.url)}"
    yield "END:VEVENT"


def plain_text(shown: Shown) -> str:
    """Return the body as plain text with the addresses of its links.

    It has the notice, cancelled dates, tickets, performers, the organizer, the source
    and the address of the entry's page; time, place and image have their own
    properties. Instead of content that is empty it has the summary, or in feeds with
    summaries, if nobody wrote one, the beginning of the body.
    """
    text = _to_addressed_text(shown.content) or shown.entry.summary
    if shown.is_summary:
        html = _beginning(shown.whole_content, _SUMMARY_LENGTH)
        if not content.lead_text(text, html):
            text = truncate(_to_addressed_text(html), _SUMMARY_LENGTH)
    facts = content.event_facts(shown.entry.event, shown.language, with_email=True)
    parts = (
        shown.notice,
        shown.cancelled_line,
        text,
        _to_addressed_text(facts),
        _to_addressed_text(shown.source_credit),
        # Google shows no URL but those in the text.
        iri_to_uri(shown.url),
    )
    return "\n\n".join(part for part in parts if part)


def _to_addressed_text(html: str) -> str:
    """Return HTML as text, with the addresses of links and the marks of lists."""
    linked = _LINK.sub(_write_out, iframes_to_links(html))
    return content.to_text(_LIST_ITEM.sub("\n- ", linked))


def _beginning(html: str, length: int) -> str:
    """Return the beginning of HTML with more than `length` characters of text.

    The whole may be a hundred times as long as what a calendar shows of it.
    """
    begin = html[: html.rfind(">", 0, 10 * length) + 1]
    return begin if len(TAG.sub("", begin)) > length else html


def _write_out(link: re.Match[str]) -> str:
    """Return the content of a link, and its address if that is not the same."""
    address, text = link[1], link[2]
    if strip_tags(text).strip() == unescape(address):
        return text
    words = text.rstrip()
    space = text[len(words) :]
    return f"{words} ({address}){space}"


def _cancelled_dates(shown: Shown, *, as_overrides: bool) -> Iterator[str]:
    """Yield the content lines of the cancelled occurrences of a series, in order.

    Each has a UID of its own, since some programs let an override replace the
    occurrences of other series at its time. It has no STATUS, since Google hides what
    is CANCELLED, and no more than differs from others: a body for each would fill the
    calendar.

    :param as_overrides: each overrides an occurrence (RFC 5545 §3.8.4.4) instead.
    """
    entry = shown.entry
    language = _language(shown)
    title = titles.add_state(shown.language, TitleState("cancelled"), entry.title)
    for cancellation, event in shown.cancelled_occurrences:
        text = (shown.reason_of(cancellation), iri_to_uri(shown.url))
        yield "BEGIN:VEVENT"
        yield f"SUMMARY{language}:{_escape(title)}"
        yield from _times(event)
        # In the zone and form of the start of the series, also in a repeated hour.
        override = _moments("RECURRENCE-ID", cancellation.start)
        if as_overrides:
            yield from _identity(entry)
            yield override
        else:
            _, _, start = override.rpartition(":")
            yield from _identity(entry, f"-{start.removesuffix('Z')}")
            yield f"RELATED-TO:{_uid(entry)}"
        yield f"CREATED:{_utc(entry.date)}"
        description = "\n\n".join(filter(None, text))
        yield f"DESCRIPTION{language}:{_escape(description)}"
        yield f"LAST-MODIFIED:{_utc(entry.updated)}"
        if location := location_text(event):
            yield f"LOCATION:{_escape(location)}"
        yield "TRANSP:TRANSPARENT"
        yield f"URL:{iri_to_uri(shown.url)}"
        yield "END:VEVENT"


def _language(shown: Shown) -> str:
    language = shown.entry.language if shown.is_foreign else None
    return _parameters(LANGUAGE=language)


def _uid(entry: Entry) -> str:
    # RFC 7986 §5.3 recommends a bare UUID.
    return _escape(entry.guid.removeprefix("urn:uuid:"))


def _identity(entry: Entry, suffix: str = "") -> Iterator[str]:
    yield f"DTSTAMP:{_utc(entry.updated)}"
    yield f"UID:{_uid(entry)}{suffix}"
    # Changes of time or recurrence raise it (RFC 5546).
    yield f"SEQUENCE:{entry.sequence}"


def _times(event: Event) -> Iterator[str]:
    yield _moments("DTSTART", _unambiguous(event.start, event))
    # RFC 5545 §3.8.2.2: an end must be later than the start, in whole seconds.
    whole_start = event.starts.replace(microsecond=0)
    if event.end and event.ends.replace(microsecond=0) > whole_start:
        yield _moments("DTEND", _unambiguous(event.end, event))


def _recurrence(recurrence: Recurrence) -> Iterator[str]:
    yield f"RRULE:{_rule(recurrence.rrule)}"
    if recurrence.rdates:
        yield _moments("RDATE", *recurrence.rdates)
    if recurrence.exdates:
        yield _moments("EXDATE", *recurrence.exdates)


# It takes a fifth of the time of a calendar of series, of which many have the same.
@lru_cache(maxsize=1024)
def _rule(rrule: str) -> str:
    """Return a recurrence rule in icalendar's order."""
    return str(prop.vRecur.from_ical(rrule).to_ical(), "ascii")


def _escape(text: str) -> str:
    """Return a text with escapes (RFC 5545 §3.3.11)."""
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return text


def _parameters(**values: str | None) -> str:
    """Return the parameters that are not None, to follow the name of a property."""
    present = {name: value for name, value in values.items() if value is not None}
    return f";{Parameters(present).to_ical().decode()}" if present else ""


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _moments(name: str, *moments: date) -> str:
    """Return a property with dates, or with times in their zone."""
    first = moments[0]
    zone = tzid_from_dt(first) if isinstance(first, datetime) else None
    if zone is None:
        parameter, form = ";VALUE=DATE", "%Y%m%d"
    elif zone == "UTC":
        parameter, form = "", "%Y%m%dT%H%M%SZ"
    else:
        parameter, form = f";TZID={zone}", "%Y%m%dT%H%M%S"
    values = [moment.strftime(form) for moment in moments]
    return f"{name}{parameter}:{','.join(values)}"


def _unambiguous(moment: date, event: Event) -> date:
    """Return a date, or a time in its zone or in UTC.

    In an hour that the end of daylight saving time repeats, programs take a local time
    for either pass, so times there are in UTC. But a series needs the local time of its
    start, which is in the first pass.
    """
    if isinstance(moment, datetime) and datetime_ambiguous(moment):
        is_second_pass = moment.fold
        if is_second_pass or not event.recurrence:
            return moment.astimezone(UTC)
    return moment


def _years(entry: Entry, event: Event) -> tuple[int, int]:
    """Return the first and last year of an event, for which its zone is written."""
    end = entry.ends
    if end is None or end == MAX_DATETIME:
        latest = max(entry.updated, event.starts, entry.starts or event.starts)
        end = latest + _TIMEZONE_HORIZON
    return event.starts.year, end.year
