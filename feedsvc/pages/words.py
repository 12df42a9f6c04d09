"""Words and marks that only pages need."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from html import escape

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_skeleton
from markupsafe import Markup

from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import PERIODS
from feedsvc.formats.phrases import raise_first, resolve_locale, translate
from feedsvc.formats.times import (
    ONE_DAY,
    clock_times,
    format_day,
    format_days,
    format_moment,
    local_times,
    name_zone,
)
from feedsvc.formats.titles import feed_name, join_name
from feedsvc.models import Category, Event, Site
from feedsvc.text.folding import (
    MIN_BEGINNING,
    OTHER_WORD,
    WORD,
    fold,
    is_cjk,
    split_search,
)
from feedsvc.text.languages import has_phrases, is_in_range, match_tag

_HEADING_TAG = re.compile(r"(</?h)([1-6])\b")


def page_title(feed: Feed, language: str) -> str:
    """Return the title of the page of a feed, which lists events by their own dates."""
    when = feed.query["when"]
    if when is None:
        return feed_name(feed, language)
    kind_key = "kind.events" if when == "all" else f"feed.{when}"
    name = join_name(feed, kind_key, language)
    days = window_text(feed, language)
    return f"{name} – {days}" if days else name


def page_heading(feed: Feed, language: str) -> str:
    """Return the heading of a list as people say it; `window_text` has its days."""
    query = feed.query
    heading = translate(language, f"kind.{query.kind}")
    if query["q"] or query.category_filter.all_slugs:
        kind_key = None if query["q"] else f"kind.{query.kind}"
        heading = join_name(feed, kind_key, language)
    elif query["period"] in PERIODS:
        heading = translate(language, f"feed.period_{query['period']}")
    elif query["period"] and feed.first_day == feed.last_day:
        heading = window_text(feed, language)
    elif query["when"] == "past":
        heading = translate(language, "feed.past")
    return raise_first(heading)


def window_text(feed: Feed, language: str) -> str:
    """Return the days by which a feed selects; an empty text if it does not."""
    first, last = feed.first_day, feed.last_day
    if first and last and first != last:
        return format_range(first, last, language)
    day = first or last
    if day is None:
        return ""
    if first == last:
        return format_day(day, "full", language)
    text = format_day(day, "long", language)
    return translate(language, "feed.from" if first else "feed.to", text)


def format_range(first: date, last: date, language: str) -> str:
    """Return a range of days in short, such as “5–6 December 2026”.

    No line ends within one of its dates.
    """
    is_month = first.replace(day=1) == last.replace(day=1)
    key = "date.range_of_month" if is_month else "date.range"
    days = format_days(first, last, "month" if is_month else "long", language)
    return translate(language, key, *(day.replace(" ", "\xa0") for day in days))


def event_hours(event: Event, site: Site, language: str) -> str:
    """Return the hours of an event beside its day, to begin a sentence.

    One that ends within 24 hours, such as "21:00 – 00:30", needs no further day, and a
    longer one has its last day. The event's zone is named if it is not the site's.
    """
    start, end = local_times(event)
    if event.all_day:
        text = translate(language, "event.whole_day")
        last = (end - ONE_DAY).date()
        if last > start.date():
            last_day = format_day(last, "long", language)
            text = translate(language, "event.through", text, last_day)
        return raise_first(text)
    if end - start < ONE_DAY:
        hours = clock_times(event, language)
        text = translate(language, "event.hours", hours)
    else:
        first_hour = translate(language, "event.hours", f"{start:%H:%M}")
        last_day = format_day(end, "long", language)
        last_hour = format_moment(end, last_day, language)
        text = translate(language, "event.until", first_hour, last_hour)
    return raise_first(name_zone(text, event, site, language))


def title_language(site: Site, language: str) -> str:
    """Return the language of the title that `Site.title_in` returns."""
    return match_tag(site.titles, language) or site.language


def translate_category(category: Category, language: str, site: Site) -> Category:
    """Return a category with its title in a language, or else its own.

    Its language is that of the title.
    """
    tag = match_tag(category.titles, language)
    return replace(
        category,
        title=category.title_in(language),
        language=tag or category.language or site.language,
    )


def by_title(
    categories: Iterable[Category], language: str, site: Site
) -> list[Category]:
    """Return categories in a language, in the order of their titles."""
    translated = [translate_category(each, language, site) for each in categories]
    return sorted(translated, key=lambda category: fold(category.title))


def month_name(day: date, language: str) -> str:
    """Return the name of the month of a day, with its year."""
    name = format_skeleton("yMMMM", day, locale=resolve_locale(language))
    return raise_first(name)


def format_date_and_time(moment: datetime, site: Site, language: str) -> str:
    """Return a date and time in the site's time zone."""
    local = moment.astimezone(site.timezone)
    day = format_day(local, "full", language)
    return format_moment(local, day, language)


def language_name(tag: str) -> str:
    """Return the name of a language in itself, such as English; or its tag."""
    if tag.lower().endswith("-simple") and has_phrases(tag):
        return translate(tag, "page.easy_language")
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return tag
    # Many languages write their own name with a small letter, such as français.
    return raise_first(locale.get_display_name() or tag)


def likely_locale(tag: str) -> str:
    """Return the language and region of a tag, such as vi_VN of vi."""
    locale = resolve_locale(tag)
    likely = get_global("likely_subtags")
    subtags = likely.get(str(locale)) or likely[locale.language]
    return f"{locale.language}_{locale.territory or subtags.split('_')[-1]}"


def shift_headings(html: str, level: int) -> str:
    """Return HTML with its headings below a level of the page, without gaps (WCAG)."""
    levels = sorted({tag[2] for tag in _HEADING_TAG.finditer(html)})

    def shifted(tag: re.Match[str]) -> str:
        return f"{tag[1]}{min(6, level + 1 + levels.index(tag[2]))}"

    return _HEADING_TAG.sub(shifted, html)


def mark_hits(text: str, search: str | None, language: str) -> str:
    """Return a text in a language, with marks around the words that a search finds."""
    if not search:
        return text
    mark = Markup("<mark>{}</mark>")
    return Markup().join(
        mark.format(part) if is_hit else part
        for part, is_hit in _split_hits(text, search, language)
    )


def _split_hits(text: str, search: str, language: str) -> list[tuple[str, bool]]:
    """Return the parts of a text, and if they are words that a search finds.

    It finds by the rules of `storage/search.py`.
    """
    words = split_search(search)
    has_syllables = is_in_range(language, "vi")
    whole = {word for word in words if has_syllables or len(word) < MIN_BEGINNING}
    beginnings = tuple({*words} - whole)
    # Of Han, kana and Hangul, the words of the search end amid others.
    pattern = "|".join([*filter(is_cjk, WORD.findall(search)), OTHER_WORD])
    parts = re.split(f"({pattern})", text)
    return [
        (part, folded in whole or folded.startswith(beginnings))
        for part, folded in zip(parts, map(fold, parts), strict=True)
    ]


def mark_language(
    text: str, part: str | None, part_language: str, language: str
) -> str:
    """Return a text as HTML, with the language of its part if that is another one."""
    if not part or is_in_range(part_language, language):
        return escape(text)
    before, _, after = map(escape, text.rpartition(part))
    marked = f'<span lang="{part_language}" dir="auto">{escape(part)}</span>'
    return f"{before}{marked}{after}"
