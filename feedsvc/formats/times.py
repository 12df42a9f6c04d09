"""Times in words: dates, hours, recurrences, time zones."""

from datetime import date, datetime, timedelta

from babel.dates import (
    format_date,
    get_timezone_location,
)
from babel.lists import format_list

from feedsvc.formats.phrases import resolve_locale, translate
from feedsvc.models import Event, Site
from feedsvc.recurrence import WEEKDAYS, is_unbounded
from feedsvc.text.languages import has_phrases

ONE_DAY = timedelta(days=1)


def format_event_dates(event: Event, site: Site, language: str) -> str:
    """Return the time of an event in its own zone, which is named if not the site's."""
    start, end = local_times(event)
    if event.all_day:
        last = end - ONE_DAY
        if last.date() == start.date():
            day = format_day(start, "full", language)
            return translate(language, "event.all_day", day)
        days = format_days(start, last, "full", language)
        return translate(language, "event.days", *days)
    if end - start < ONE_DAY:
        hours = clock_times(event, language)
        day = format_day(start, "full", language)
        text = translate(language, "event.at", hours, day)
    else:
        first_day, last_day = format_days(start, end, "full", language)
        text = translate(
            language,
            "event.days_with_hours",
            format_moment(start, first_day, language),
            format_moment(end, last_day, language),
        )
    return name_zone(text, event, site, language)


def local_day(event: Event) -> date:
    """Return the day on which an event starts in its own time zone."""
    return event.starts.astimezone(event.timezone).date()


def describe_recurrence(event: Event, ends: datetime | None, language: str) -> str:
    """Return how often a recurring event takes place, and until when.

    Of a complicated rule only that it does so more than once.

    :param ends: the end of the last occurrence.
    """
    text = describe_frequency(event, language)
    if ends is None or is_unbounded(event):
        return text
    # Days differ in length, other durations do not.
    if event.all_day:
        length = event.ends.astimezone(event.timezone).date() - event.start
        last_day = ends.astimezone(event.timezone).date() - length
    else:
        last_start = ends - (event.ends - event.starts)
        last_day = last_start.astimezone(event.timezone).date()
    last = format_day(last_day, "long", language)
    return translate(language, "recurrence.until", text, last)


def describe_frequency(event: Event, language: str) -> str:
    """Return how often a recurring event takes place."""
    recurrence = event.recurrence
    assert recurrence is not None
    rule = recurrence.rule_parts
    frequency = rule["FREQ"].lower()
    simple_parts = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
    if frequency == "weekly":
        simple_parts.add("BYDAY")
    # Further parts of rules would need a grammar for each language.
    if recurrence.rdates or rule.keys() - simple_parts:
        return translate(language, "recurrence.irregular")
    key = f"recurrence.{frequency}"
    arguments = []
    interval = rule.get("INTERVAL", "1")
    if interval != "1":
        key += "_interval"
        arguments.append(interval)
    if frequency == "weekly":
        key += "_on"
        # The weekdays of a weekly rule have no numbers: the API refuses 2MO there.
        days = rule.get("BYDAY", WEEKDAYS[event.start.weekday()]).split(",")
        arguments.append(_list_weekdays(days, language))
    return translate(language, key, *arguments)


def _list_weekdays(days: list[str], language: str) -> str:
    """Return the days of a weekly series, such as "Tuesday and Saturday"."""
    names = [
        translate(
            language,
            "recurrence.day",
            translate(language, f"weekday.{day}"),
        )
        for day in sorted(days, key=WEEKDAYS.index)
    ]
    # Without phrases, the names of the days are English.
    locale = resolve_locale(language if has_phrases(language) else "en")
    return format_list(names, locale=locale)


def format_day(day: date, style: str, language: str) -> str:
    """Return a date within a sentence, in the languages of phrases by our own pattern.

    :param style: a phrase of `date`; in other languages `full`, with the weekday,
        `long` or `short`: Babel's names.
    """
    locale = resolve_locale(language)
    if not has_phrases(language):
        return format_date(day, style, locale=locale)
    # Babel's Vietnamese patterns spell dates out ("24 tháng 12, 2026"), which nobody
    # does in a list of events, and its weekdays ("Thứ Năm") begin a sentence.
    pattern = translate(language, f"date.{style}")
    if day.day == 1:
        # French has an ordinal for this day alone.
        first = translate(language, "date.first_of_month")
        pattern = pattern.replace("d", first)
    weekday = translate(language, f"weekday.{WEEKDAYS[day.weekday()]}")
    return format_date(day, pattern, locale=locale).format(weekday)


def format_days(first: date, last: date, style: str, language: str) -> tuple[str, str]:
    """Return the first and last day of a range, with their year once if it is one.

    :param style: `full`, `long`, or `month` for days of one month.
    """
    styles = (style, style)
    if first.year == last.year and has_phrases(language):
        styles = (f"{style}_first", f"{style}_last")
    return (
        format_day(first, styles[0], language),
        format_day(last, styles[1], language),
    )


def name_zone(text: str, event: Event, site: Site, language: str) -> str:
    """Add the zone of an event to its hours, if that is not the site's zone."""
    if event.timezone.key == site.timezone.key:
        return text
    city = get_timezone_location(
        event.timezone, resolve_locale(language), return_city=True
    )
    return translate(language, "punctuation.in_brackets", text, city)


def local_times(event: Event) -> tuple[datetime, datetime]:
    """Return the start and the end of an event in its own time zone.

    Their difference is that of clocks: people read "21:30 – 21:45" as a quarter of an
    hour, also in a night of which clocks skip an hour.
    """
    zone = event.timezone
    return event.starts.astimezone(zone), event.ends.astimezone(zone)


def clock_times(event: Event, language: str) -> str:
    """Return when an event starts and ends; without a duration, one time."""
    start, end = (f"{moment:%H:%M}" for moment in local_times(event))
    if event.starts == event.ends:
        return start
    return translate(language, "event.from_to", start, end)


def format_moment(moment: datetime, day: str, language: str) -> str:
    """Return the hour of a time with its day in words."""
    return translate(language, "event.at", f"{moment:%H:%M}", day)
