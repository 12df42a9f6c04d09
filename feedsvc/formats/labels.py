"""What feeds and pages say in the site's language: titles, dates, and the words between them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from babel import Locale, UnknownLocaleError
from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    get_day_names,
    get_timezone_location,
)
from babel.lists import format_list

from feedsvc.formats.phrases import is_supported, translate
from feedsvc.models import Entry, Event, Feed, Recurrence, Site
from feedsvc.recurrence import (
    WEEKDAYS,
    display_occurrence,
    is_unbounded,
    last_occurrence,
)


def feed_title(feed: Feed) -> str:
    """The title of a feed: its name, and whose it is."""
    return f"{feed_name(feed)} – {feed.site.title}"


def feed_name(feed: Feed) -> str:
    """What a feed holds: of which kind, of which categories, of which month."""
    language, query = feed.site.language, feed.query
    titles = {category.slug: category.title for category in feed.categories}
    named = _join(
        [titles[slug] for slug in query.category_filter.include],
        language,
        every=query.category_filter.match_all,
    )
    if query.category_filter.exclude:
        without = _join(
            [titles[slug] for slug in query.category_filter.exclude], language
        )
        named = f"{named} {translate(language, 'without', without)}".strip()
    month = query.archive and month_name(query.archive, language)
    return " – ".join(
        part for part in (translate(language, query.kind), named, month) if part
    )


def month_name(month: str, language: str) -> str:
    """Return a month, `YYYY-MM`, in words; a part of one, `YYYY-MM.2`, has its number in brackets."""
    month, _, part = month.partition(".")
    name = format_skeleton(
        "yMMMM", date.fromisoformat(f"{month}-01"), locale=_locale(language)
    )
    return f"{name} ({part})" if part else name


def feed_description(feed: Feed) -> str:
    """One sentence on a feed."""
    return (
        (feed.category and feed.category.description)
        or feed.site.description
        or feed_title(feed)
    )


def entry_title(entry: Entry, language: str) -> str:
    """The title of an entry, with a word in front where it is withdrawn or not to take place as planned."""
    if entry.status == "withdrawn":
        return translate(language, "withdrawn", entry.title)
    if entry.event is None or entry.event.status == "confirmed":
        return entry.title
    return translate(language, entry.event.status, entry.title)


def notice(entry: Entry, language: str) -> str:
    """What is to be said of an entry before anything else: a correction, or why it was withdrawn."""
    if not entry.notice:
        return ""
    return translate(
        language,
        "withdrawn" if entry.status == "withdrawn" else "correction",
        entry.notice,
    )


def event_line(entry: Entry, site: Site) -> str:
    """When and where an event takes place; nothing for an article."""
    words = [event_time_text(entry, site)]
    if entry.event and entry.event.location:
        words += [entry.event.location.name, entry.event.location.address or ""]
    return " · ".join(word for word in words if word)


def event_time_text(entry: Entry, site: Site) -> str:
    """When an event takes place, of a series how often and when next; nothing for an article."""
    occurrence = display_occurrence(entry)
    if entry.event is None or occurrence is None:
        return ""
    words = format_event_dates(occurrence, site)
    if entry.event.recurrence:
        often = _describe_recurrence(entry.event, entry.event.recurrence, site.language)
        words = translate(site.language, "next", often, words[0].lower() + words[1:])
    return words[0].upper() + words[1:]


def summary(entry: Entry, site: Site) -> str:
    """The plain summary of an entry, an event's date and place first."""
    said = (
        notice(entry, site.language) if entry.status == "withdrawn" else entry.summary
    )
    return _sentences(event_line(entry, site), said)


def is_summary(entry: Entry, feed: Feed) -> bool:
    """Return whether a feed has an entry without its body: as was asked for, or because it is too large."""
    return feed.query.content == "summary" or entry.abridged


def feed_summary(entry: Entry, feed: Feed) -> str:
    """Return the plain summary of an entry in a feed.

    A correction or the reason of a cancellation stands first in the body, or without one in the summary.
    """
    text = summary(entry, feed.site)
    if not is_summary(entry, feed) or entry.status == "withdrawn":
        return text
    return _sentences(notice(entry, feed.site.language), text)


def format_event_dates(event: Event, site: Site) -> str:
    """The date of an event in words, in its own zone, which is named where it is not the site's."""
    words = _range(event, site.language)
    if event.all_day or event.timezone.key == site.timezone.key:
        return words
    return f"{words} ({get_timezone_location(event.timezone, _locale(site.language))})"


def format_event_hours(event: Event, site: Site) -> str:
    """The hours of an event on the day when it begins, by the site's clocks, and its last day if another."""
    zone, language = event.timezone if event.all_day else site.timezone, site.language
    begin, end = event.starts.astimezone(zone), event.ends.astimezone(zone)
    start = (
        translate(language, "whole day") if event.all_day else _time(begin, language)
    )
    final = max(begin, end - timedelta.resolution).date()
    if final > begin.date():
        return f"{start} {translate(language, 'till', _date(final, 'date', language))}"
    if event.all_day or end == begin:
        return start
    return translate(language, "from to", start, _time(end, language))


def format_day_of_month(day: date, language: str) -> str:
    """A day within its month, in words."""
    return format_date(day, "EEEE d", locale=_locale(language))


def format_date_and_time(moment: datetime, site: Site) -> str:
    """An instant in words, by the site's clocks."""
    local = moment.astimezone(site.timezone)
    return _at(_time(local, site.language), local, site.language)


def format_full_date(moment: datetime, site: Site) -> str:
    """The day of an instant in figures or words, by the site's clocks."""
    return _date(moment.astimezone(site.timezone), "date", site.language)


def _range(event: Event, language: str) -> str:
    start, end = event.start, event.end
    if not isinstance(start, datetime):
        last = end - timedelta(days=1) if end else start
        if last == start:
            return translate(language, "all day", _day(start, language))
        return translate(language, "days", _day(start, language), _day(last, language))
    if not isinstance(end, datetime) or event.ends == event.starts:
        return _at(_time(start, language), start, language)
    if end.date() == start.date():
        times = translate(
            language, "from to", _time(start, language), _time(end, language)
        )
        return _at(times, start, language)
    moments = (
        _at(_time(moment, language), moment, language) for moment in (start, end)
    )
    return translate(language, "from to", *moments)


def _describe_recurrence(event: Event, recurrence: Recurrence, language: str) -> str:
    """How often a series takes place, and until when; of a complicated one only that it does."""
    rule = recurrence.rule_parts
    every, interval = rule["FREQ"], rule.get("INTERVAL", "1")
    simple = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"} | (
        {"BYDAY"} if every == "WEEKLY" else set()
    )
    if recurrence.rdates or rule.keys() - simple:
        words = translate(language, "many")
    else:
        words = translate(
            language, every if interval == "1" else f"each {every}", interval
        )
        if every == "WEEKLY":
            days = rule.get("BYDAY", WEEKDAYS[event.start.weekday()]).split(",")
            names = get_day_names(locale=_locale(language))
            named = [
                _lowercase_vietnamese_weekday(names[day])
                for day in sorted(map(WEEKDAYS.index, days))
            ]
            words = translate(
                language, "on", words, format_list(named, locale=_locale(language))
            )
    if is_unbounded(event):
        return words
    return translate(
        language, "until", words, _date(last_occurrence(event).start, "date", language)
    )


def _sentences(*parts: str) -> str:
    """Join the parts that are not empty, each as a sentence of its own."""
    whole = [part for part in parts if part]
    ended = [
        part if part.endswith((".", "!", "?", "…")) else f"{part}."
        for part in whole[:-1]
    ]
    return " ".join((*ended, *whole[-1:]))


def _join(titles: list[str], language: str, *, every: bool = False) -> str:
    return format_list(titles, "standard" if every else "or", _locale(language))


def _at(time: str, day: date, language: str) -> str:
    return translate(language, "at", time, _day(day, language))


def _day(day: date, language: str) -> str:
    return _lowercase_vietnamese_weekday(_date(day, "day", language))


def _date(day: date, name: str, language: str) -> str:
    pattern = (
        translate(language, name)
        if is_supported(language)
        else {"day": "full", "date": "long"}[name]
    )
    return format_date(day, pattern, locale=_locale(language))


def _lowercase_vietnamese_weekday(words: str) -> str:
    return words[0].lower() + words[1:] if words.startswith("Thứ") else words


def _time(moment: datetime, language: str) -> str:
    return format_time(moment, "HH:mm", locale=_locale(language))


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")
