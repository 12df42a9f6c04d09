"""Times in words: dates, hours, recurrences, time zones."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    get_day_names,
    get_timezone_location,
)
from babel.lists import format_list

from feedsvc.formats.phrases import is_supported, resolve_locale, translate
from feedsvc.models import Event, Recurrence, Site
from feedsvc.recurrence import WEEKDAYS, is_unbounded, last_occurrence


def format_event_dates(event: Event, site: Site, language: str) -> str:
    """Return the time of an event in its own zone, which is named if not the site's."""
    return _name_zone(_period(event, language), event, site, language)


def format_event_hours(event: Event, site: Site, language: str) -> str:
    """Return the hours of an event beside its day; of several days, the last day too.

    The event's zone is named if it is not the site's.
    """
    return _name_zone(_hours(event, language), event, site, language)


def local_day(event: Event) -> date:
    """Return the day on which an event starts in its own time zone."""
    start, _ = _local_days(event)
    return start.date()


def describe_recurrence(
    event: Event, recurrence: Recurrence, language: str
) -> str:
    """Return how often an event takes place, and until when.

    Of a complicated rule only that it does so more than once.
    """
    text = describe_frequency(event, recurrence, language)
    if is_unbounded(event):
        return text
    last_day = format_day(last_occurrence(event).start, "long", language)
    return translate(language, "recurrence.until", text, last_day)


def describe_frequency(
    event: Event, recurrence: Recurrence, language: str
) -> str:
    """Return how often an event takes place."""
    rule = recurrence.rule_parts
    frequency = rule["FREQ"].lower()
    simple_parts = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
    if frequency == "weekly":
        simple_parts.add("BYDAY")
    # Further parts of rules would need a grammar for each language.
    if recurrence.rdates or rule.keys() - simple_parts:
        return translate(language, "recurrence.irregular")
    interval = rule.get("INTERVAL", "1")
    if interval == "1":
        text = translate(language, f"recurrence.{frequency}")
    else:
        text = translate(
            language, f"recurrence.{frequency}_interval", interval
        )
    if frequency != "weekly":
        return text
    locale = resolve_locale(language)
    names = get_day_names(locale=locale)
    # The weekdays of a weekly rule have no numbers: the API refuses 2MO there.
    days = rule.get("BYDAY", WEEKDAYS[event.start.weekday()]).split(",")
    days_of_week = [
        _lower_vietnamese_weekday(names[index])
        for index in sorted(map(WEEKDAYS.index, days))
    ]
    days_text = format_list(days_of_week, locale=locale)
    return translate(language, "recurrence.on_days", text, days_text)


def month_name(day: date, language: str) -> str:
    """Return the name of the month of a day, with its year."""
    name = format_skeleton("yMMMM", day, locale=resolve_locale(language))
    return name[0].upper() + name[1:]


def format_date_and_time(moment: datetime, site: Site, language: str) -> str:
    """Return a date and time in the site's time zone."""
    local = moment.astimezone(site.timezone)
    return _at(_time(local, language), local, language)


def format_day(day: date, style: str, language: str) -> str:
    """Return a date, by our own pattern in the languages of the phrases.

    :param style: a phrase of `date`; in other languages `full`, with the weekday, or
        `long`: Babel's names.
    """
    # Babel's Vietnamese patterns spell dates out ("24 tháng 12, 2026"), which nobody
    # does in a list of events.
    if is_supported(language):
        style = translate(language, f"date.{style}")
    return format_date(day, style, locale=resolve_locale(language))


def lower_first(text: str) -> str:
    """Return a text with a small first letter, as within a sentence."""
    return text[0].lower() + text[1:]


def _name_zone(text: str, event: Event, site: Site, language: str) -> str:
    """Add the zone of an event to its time, if that is not the site's zone."""
    if event.all_day or event.timezone.key == site.timezone.key:
        return text
    name = event.timezone.key
    # Babel has no name for it.
    if name != "UTC":
        name = get_timezone_location(event.timezone, resolve_locale(language))
    return f"{text} ({name})"


def _period(event: Event, language: str) -> str:
    start, end = event.start, event.end
    if not isinstance(start, datetime):
        first_day = _day(start, language)
        last_day = _day(end - timedelta(days=1) if end else start, language)
        if last_day == first_day:
            return translate(language, "event.all_day", first_day)
        return translate(language, "event.days", first_day, last_day)
    start_time = _time(start, language)
    if not isinstance(end, datetime) or event.ends == event.starts:
        return _at(start_time, start, language)
    end_time = _time(end, language)
    if end.date() == start.date():
        hours = translate(language, "event.from_to", start_time, end_time)
        return _at(hours, start, language)
    return translate(
        language,
        "event.from_to",
        _at(start_time, start, language),
        _at(end_time, end, language),
    )


def _hours(event: Event, language: str) -> str:
    start, last_day = _local_days(event)
    start_text = _time(start, language)
    if event.all_day:
        start_text = translate(language, "event.whole_day")
    if last_day > start.date():
        last = translate(
            language, "event.through", format_day(last_day, "long", language)
        )
        return f"{start_text} {last}"
    if event.all_day or event.ends == event.starts:
        return start_text
    end_text = _time(event.ends.astimezone(event.timezone), language)
    return translate(language, "event.from_to", start_text, end_text)


def _local_days(event: Event) -> tuple[datetime, date]:
    """Return the start of an event in its own time zone, and its last day."""
    start = event.starts.astimezone(event.timezone)
    # The end is exclusive: an event until midnight ends on the day before.
    end = max(
        start, event.ends.astimezone(event.timezone) - timedelta.resolution
    )
    return start, end.date()


def _at(time: str, day: date, language: str) -> str:
    return translate(language, "event.at", time, _day(day, language))


def _day(day: date, language: str) -> str:
    return _lower_vietnamese_weekday(format_day(day, "full", language))


def _lower_vietnamese_weekday(text: str) -> str:
    """Return "thứ Bảy", as within a sentence, for Babel's "Thứ Bảy"."""
    return lower_first(text) if text.startswith("Thứ") else text


def _time(moment: datetime, language: str) -> str:
    return format_time(moment, "HH:mm", locale=resolve_locale(language))
