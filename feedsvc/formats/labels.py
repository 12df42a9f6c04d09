"""Text in the site's language: titles, dates, the phrases of vi.toml and en.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    get_day_names,
    get_timezone_location,
)
from babel.lists import format_list
from babel.numbers import format_currency
from babel.units import format_unit

from feedsvc.feeds.feed import Feed
from feedsvc.languages import primary_subtag
from feedsvc.models import UI_LANGUAGES, Entry, Event, Offer, Recurrence, Site
from feedsvc.recurrence import (
    WEEKDAYS,
    display_occurrence,
    is_unbounded,
    last_occurrence,
)

_STATES = ("cancelled", "postponed", "tentative", "withdrawn")
_SIZE_UNITS = ("byte", "kilobyte", "megabyte", "gigabyte")


def phrases(language: str) -> Mapping[str, str]:
    """Return all phrases by key, such as `feed.news`, in the language of a tag."""
    return _phrases_of(resolve_language(language))


# The cache has an entry for each file and not for each tag, of which there may be any
# number.
@cache
def _phrases_of(language: str) -> Mapping[str, str]:
    file = files(__package__).joinpath(f"{language}.toml")
    return {
        f"{section}.{name}": phrase
        for section, table in tomllib.loads(file.read_text("utf-8")).items()
        for name, phrase in table.items()
    }


def is_supported(language: str) -> bool:
    """Tell if there are phrases in the language of a tag."""
    return primary_subtag(language) in UI_LANGUAGES


def resolve_language(language: str) -> str:
    """Return the language of the phrases for a tag: English if there are none in it."""
    return primary_subtag(language) if is_supported(language) else "en"


def translate(language: str, key: str, *arguments: str) -> str:
    """Return a phrase, its placeholders replaced by the arguments."""
    phrase = phrases(language)[key]
    return phrase.format(*arguments) if arguments else phrase


def format_size(length: int, language: str) -> str:
    """Return a number of bytes, such as 1.2 MB."""
    power = min((len(str(length)) - 1) // 3, len(_SIZE_UNITS) - 1)
    size = round(length / 1000**power, 1)
    locale = resolve_language(language)
    return format_unit(size, _SIZE_UNITS[power], "short", locale=locale)


def feed_title(feed: Feed) -> str:
    """Return the title of a feed: its name and the site's."""
    name = feed_name(feed, feed.site.language)
    return f"{name} – {feed.site.title}"


def calendar_title(feed: Feed) -> str:
    """Return the title of a calendar, of which phones show only the beginning."""
    has_category = bool(feed.query.category_filter.include)
    kind_key = None if has_category else "kind.events"
    name = _name(feed, kind_key, feed.site.language)
    return f"{name} – {feed.site.title}"


def feed_name(feed: Feed, language: str) -> str:
    """Return the name of a feed: its kind, categories and some parameters."""
    return _name(feed, f"feed.{feed.query.kind}", language)


def page_title(feed: Feed, language: str) -> str:
    """Return the title of the page of a feed, which lists events by their own dates."""
    when = feed.query["when"]
    if when is None:
        return feed_name(feed, language)
    kind_key = "kind.events" if when == "all" else f"feed.{when}"
    name = _name(feed, kind_key, language)
    days = _window_text(feed, language)
    return f"{name} – {days}" if days else name


def _window_text(feed: Feed, language: str) -> str:
    """Return the days of `from` and `to`; an empty text without both."""
    first, last = (
        feed.query[name] and _date(feed.query[name], "long", language)
        for name in ("from", "to")
    )
    if first == last:
        return first or ""
    if first and last:
        return translate(language, "feed.from_to", first, last)
    if first:
        return translate(language, "feed.from", first)
    return translate(language, "feed.to", last)


def _name(feed: Feed, kind_key: str | None, language: str) -> str:
    category_filter = feed.query.category_filter
    titles = {category.slug: category.title for category in feed.categories}
    included = _join(
        [titles[slug] for slug in category_filter.include],
        language,
        match_all=category_filter.match_all,
    )
    if category_filter.exclude:
        excluded = _join(
            [titles[slug] for slug in category_filter.exclude], language
        )
        excluded = translate(language, "feed.without", excluded)
        included = f"{included} {excluded}".strip()
    kind = translate(language, kind_key) if kind_key else ""
    parts = [kind, included]
    if feed.query["q"]:
        parts.append(translate(language, "feed.q", feed.query["q"]))
    return " – ".join(part for part in parts if part)


def month_name(day: date, language: str) -> str:
    """Return the name of the month of a day, with its year."""
    name = format_skeleton("yMMMM", day, locale=_locale(language))
    return name[0].upper() + name[1:]


def feed_description(feed: Feed) -> str:
    """Return the description of a feed, which RSS requires: the best that there is."""
    category_description = feed.category and feed.category.description
    return category_description or feed.site.description or feed_title(feed)


def language_name(tag: str) -> str:
    """Return the name of a language in itself, such as English; or its tag."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return tag
    name = locale.get_display_name()
    # Many languages write their own name with a small letter, such as français.
    return name[0].upper() + name[1:] if name else tag


def locale_of(tag: str) -> str:
    """Return the language and region of a tag, such as vi_VN of vi."""
    likely = get_global("likely_subtags").get(tag, tag)
    subtags = likely.replace("-", "_").split("_")
    return f"{subtags[0]}_{subtags[-1]}" if len(subtags) > 1 else tag


def entry_state(entry: Entry) -> str | None:
    """Return a state that readers must see before the title, such as `cancelled`."""
    if entry.status == "withdrawn":
        return entry.status
    if entry.event and entry.event.status != "confirmed":
        return entry.event.status
    return None


def entry_title(entry: Entry, language: str) -> str:
    """Return the title of an entry, after its state."""
    state = entry_state(entry)
    if state is None:
        return entry.title
    return _labelled(language, f"state.{state}", entry.title)


def split_state(title: str) -> tuple[str | None, str]:
    """Return the state before a title, in a language of the phrases, and the title.

    For example, ("cancelled", "Concert") of "Cancelled: Concert".
    """
    for language in UI_LANGUAGES:
        for state in _STATES:
            label = translate(language, f"state.{state}", "")
            if title.startswith(label):
                return state, title.removeprefix(label)
    return None, title


def notice_text(entry: Entry, language: str) -> str:
    """Return the notice of a change after a label that says why it is there."""
    if not entry.notice:
        return ""
    key = "entry.correction"
    if entry.status == "withdrawn":
        key = "state.withdrawn"
    elif entry.event and entry.event.status in ("cancelled", "postponed"):
        key = "entry.reason"
    return _labelled(language, key, entry.notice)


def _labelled(language: str, key: str, text: str) -> str:
    """Return a text after a label, unless editors wrote the label themselves."""
    label = translate(language, key, "").strip()
    if text.casefold().startswith(label.casefold()):
        return text
    return translate(language, key, text)


def event_line(entry: Entry, site: Site) -> str:
    """Return time, place and attendance of an event; an empty text for an article."""
    if entry.event is None:
        return ""
    parts = [event_time_text(entry, site, site.language)]
    place = entry.event.location
    if place:
        parts += [place.name, place.address or ""]
    if entry.event.attendance != "in_person":
        parts.append(
            translate(site.language, f"event.{entry.event.attendance}")
        )
    return " · ".join(part for part in parts if part)


def offer_text(offer: Offer, language: str) -> str:
    """Return an offer in words, such as “Adults: €12.50 (sold out)”."""
    locale = resolve_language(language)
    price = Decimal(offer.price)
    text = translate(language, "event.free")
    if price:
        text = format_currency(price, offer.currency, locale=locale)
    if offer.name:
        text = f"{offer.name}: {text}"
    if offer.availability:
        state = translate(language, f"event.{offer.availability}")
        text = f"{text} ({state})"
    return text


def event_time_text(entry: Entry, site: Site, language: str) -> str:
    """Return the time of an event; an empty text for an article.

    For a recurring event: how often it takes place, and the occurrence that is shown.
    """
    occurrence = display_occurrence(entry)
    if entry.event is None or occurrence is None:
        return ""
    text = format_event_dates(occurrence, site, language)
    if entry.event.recurrence:
        recurrence = _describe_recurrence(
            entry.event, entry.event.recurrence, language
        )
        key = "recurrence.next" if entry.is_next else "recurrence.including"
        text = translate(language, key, recurrence, _lower_first(text))
    return text[0].upper() + text[1:]


def entry_summary(entry: Entry, site: Site) -> str:
    """Return the plain summary of an entry: its notice, time and place, and text."""
    # Some readers, and all previews of links, show the summary but not the body.
    text = _sentences(event_line(entry, site), entry.summary)
    return _sentences(notice_text(entry, site.language), text)


def format_event_dates(event: Event, site: Site, language: str) -> str:
    """Return the time of an event in its own zone, which is named if not the site's."""
    return _name_zone(_period(event, language), event, site, language)


def event_hours(entry: Entry, site: Site, language: str) -> str:
    """Return the hours of an event beside its day, and how often it takes place.

    Of an event of several days, the last day too. The event's zone is named if it is
    not the site's.
    """
    occurrence = display_occurrence(entry)
    if entry.event is None or occurrence is None:
        return ""
    hours = _name_zone(
        _hours(occurrence, language), occurrence, site, language
    )
    if not entry.event.recurrence:
        return hours
    frequency = _frequency(entry.event, entry.event.recurrence, language)
    return f"{hours} · {frequency}"


def event_day(entry: Entry) -> date | None:
    """Return the day of an event in its own time zone; None for an article.

    Of a recurring event, it is the day of the occurrence that is shown.
    """
    event = display_occurrence(entry)
    if event is None:
        return None
    start, _ = _local_days(event)
    return start.date()


def _name_zone(text: str, event: Event, site: Site, language: str) -> str:
    """Add the zone of an event to its time, if that is not the site's zone."""
    if event.all_day or event.timezone.key == site.timezone.key:
        return text
    name = event.timezone.key
    # Babel has no name for it.
    if name != "UTC":
        name = get_timezone_location(event.timezone, _locale(language))
    return f"{text} ({name})"


def _hours(event: Event, language: str) -> str:
    start, last_day = _local_days(event)
    whole_day = translate(language, "event.whole_day")
    start_text = whole_day if event.all_day else _time(start, language)
    if last_day > start.date():
        last = translate(
            language, "event.through", _date(last_day, "long", language)
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


def leaf_names(day: date, language: str) -> tuple[str, str]:
    """Return the month and the weekday of a day, as a leaf of a calendar has them."""
    locale = _locale(language)
    month = format_date(
        day, translate(language, "date.leaf_month"), locale=locale
    )
    return month, format_date(
        day, translate(language, "date.leaf_day"), locale=locale
    )


def format_date_and_time(moment: datetime, site: Site, language: str) -> str:
    """Return a date and time in the site's time zone."""
    local = moment.astimezone(site.timezone)
    return _at(_time(local, language), local, language)


def format_full_date(moment: datetime, site: Site) -> str:
    """Return the date of a time in the site's time zone."""
    return _date(moment.astimezone(site.timezone), "long", site.language)


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


def _describe_recurrence(
    event: Event, recurrence: Recurrence, language: str
) -> str:
    """Return how often an event takes place, and until when.

    Of a complicated rule only that it does so more than once.
    """
    text = _frequency(event, recurrence, language)
    if is_unbounded(event):
        return text
    last_day = _date(last_occurrence(event).start, "long", language)
    return translate(language, "recurrence.until", text, last_day)


def _frequency(event: Event, recurrence: Recurrence, language: str) -> str:
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
    locale = _locale(language)
    names = get_day_names(locale=locale)
    # The weekdays of a weekly rule have no numbers: the API refuses 2MO there.
    days = rule.get("BYDAY", WEEKDAYS[event.start.weekday()]).split(",")
    days_of_week = [
        _lower_vietnamese_weekday(names[index])
        for index in sorted(map(WEEKDAYS.index, days))
    ]
    days_text = format_list(days_of_week, locale=locale)
    return translate(language, "recurrence.on_days", text, days_text)


def _sentences(first: str, second: str) -> str:
    """Join two texts, the first as a sentence; one of them may be empty."""
    if not first or not second:
        return first or second
    # Editors may have ended it with punctuation.
    if not first.endswith((".", "!", "?", "…")):
        first = f"{first}."
    return f"{first} {second}"


def _join(titles: list[str], language: str, *, match_all: bool = False) -> str:
    return format_list(
        titles, "standard" if match_all else "or", _locale(language)
    )


def _at(time: str, day: date, language: str) -> str:
    return translate(language, "event.at", time, _day(day, language))


def _day(day: date, language: str) -> str:
    return _lower_vietnamese_weekday(_date(day, "full", language))


def _date(day: date, style: str, language: str) -> str:
    """Return a date, by our own pattern in the languages of the phrases.

    :param style: `full`, with the weekday, or `long`: Babel's names.
    """
    # Babel's Vietnamese patterns spell dates out ("24 tháng 12, 2026"), which nobody
    # does in a list of events.
    if is_supported(language):
        style = translate(language, f"date.{style}")
    return format_date(day, style, locale=_locale(language))


def _lower_vietnamese_weekday(text: str) -> str:
    """Return "thứ Bảy", as within a sentence, for Babel's "Thứ Bảy"."""
    return _lower_first(text) if text.startswith("Thứ") else text


def _lower_first(text: str) -> str:
    return text[0].lower() + text[1:]


def _time(moment: datetime, language: str) -> str:
    return format_time(moment, "HH:mm", locale=_locale(language))


@lru_cache
def _locale(language: str) -> Locale:
    """Return Babel's locale for a tag; English if there is none."""
    # Babel knows the names of more languages than it has formats for.
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")
