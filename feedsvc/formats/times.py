"""Times in words: dates, hours, recurrences, time zones."""

from datetime import date, datetime, timedelta

from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    get_timezone_location,
)
from babel.lists import format_list

from feedsvc.formats.phrases import raise_first, resolve_locale, translate
from feedsvc.languages import is_supported
from feedsvc.models import Event, Site
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
    return _local_days(event)[0].date()


def describe_recurrence(event: Event, language: str) -> str:
    """Return how often a recurring event takes place, and until when.

    Of a complicated rule only that it does so more than once.
    """
    text = describe_frequency(event, language)
    if is_unbounded(event):
        return text
    last_day = format_day(last_occurrence(event).start, "long", language)
    return translate(language, "recurrence.until", text, last_day)


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
    locale = resolve_locale(language if is_supported(language) else "en")
    return format_list(names, locale=locale)


def month_name(day: date, language: str) -> str:
    """Return the name of the month of a day, with its year."""
    name = format_skeleton("yMMMM", day, locale=resolve_locale(language))
    return raise_first(name)


def format_date_and_time(moment: datetime, site: Site, language: str) -> str:
    """Return a date and time in the site's time zone."""
    local = moment.astimezone(site.timezone)
    return _at(_time(local, language), local, language)


def format_day(day: date, style: str, language: str) -> str:
    """Return a date within a sentence, in the languages of phrases by our own pattern.

    :param style: a phrase of `date`; in other languages `full`, with the weekday,
        `long` or `short`: Babel's names.
    """
    locale = resolve_locale(language)
    if not is_supported(language):
        return format_date(day, style, locale=locale)
    # Babel's Vietnamese patterns spell dates out ("24 tháng 12, 2026"), which nobody
    # does in a list of events, and its weekdays ("Thứ Năm") begin a sentence.
    pattern = translate(language, f"date.{style}")
    weekday = translate(language, f"weekday.{WEEKDAYS[day.weekday()]}")
    return format_date(day, pattern, locale=locale).format(weekday)


def _name_zone(text: str, event: Event, site: Site, language: str) -> str:
    """Add the zone of an event to its time, if that is not the site's zone."""
    if event.all_day or event.timezone.key == site.timezone.key:
        return text
    city = get_timezone_location(
        event.timezone, resolve_locale(language), return_city=True
    )
    return translate(language, "punctuation.in_brackets", text, city)


def _period(event: Event, language: str) -> str:
    start, end = event.start, event.end
    if not isinstance(start, datetime):
        last = end - timedelta(days=1) if end else start
        first_day = format_day(start, "full", language)
        last_day = format_day(last, "full", language)
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
    is_one_day = last_day == start.date()
    hours = _time(start, language)
    if is_one_day and event.ends != event.starts:
        end_time = _time(event.ends.astimezone(event.timezone), language)
        hours = translate(language, "event.from_to", hours, end_time)
    if event.all_day:
        text = translate(language, "event.whole_day")
    else:
        text = translate(language, "event.hours", hours)
    if is_one_day:
        return text
    last = format_day(last_day, "long", language)
    return translate(language, "event.through", text, last)


def _local_days(event: Event) -> tuple[datetime, date]:
    """Return the start of an event in its own time zone, and its last day."""
    start = event.starts.astimezone(event.timezone)
    # The end is exclusive: an event until midnight ends on the day before.
    end = max(
        start, event.ends.astimezone(event.timezone) - timedelta.resolution
    )
    return start, end.date()


def _at(time: str, day: date, language: str) -> str:
    day_text = format_day(day, "full", language)
    return translate(language, "event.at", time, day_text)


def _time(moment: datetime, language: str) -> str:
    return format_time(moment, "HH:mm", locale=resolve_locale(language))
