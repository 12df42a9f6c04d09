"""Titles: the names of feeds, and the labels before titles and notices of entries."""

import re
from typing import NamedTuple

from babel.lists import format_list

from feedsvc.feeds.feed import FeedHead
from feedsvc.formats.phrases import (
    get_phrases,
    resolve_locale,
    translate,
)
from feedsvc.text.languages import UI_LANGUAGES


class TitleState(NamedTuple):
    """The state before a title, such as `cancelled`.

    `days` has the day that phrases name: of a date of a series that is off, or the
    former one of an event.
    """

    name: str
    days: tuple[str, ...] = ()

    @property
    def phrase(self) -> str:
        """The name of its phrases, before a title (`state`) and beside it (`badge`)."""
        return f"{self.name}_date" if self.days else self.name


def feed_title(feed: FeedHead) -> str:
    """Return the title of a feed: its name and the site's."""
    return f"{feed_name(feed, feed.language)} – {feed.site_title}"


def feed_name(feed: FeedHead, language: str) -> str:
    """Return the name of a feed: its kind, categories and some parameters."""
    kind_key = f"feed.{feed.query.kind}"
    if feed.query["period"]:
        kind_key = "kind.events"
    return join_name(feed, kind_key, language)


def feed_description(feed: FeedHead) -> str:
    """Return the description of a feed, which RSS requires: the best that there is."""
    category_description = feed.category and feed.category.description
    description = feed.site.description_in(feed.language)
    return category_description or description or feed_title(feed)


def add_label(language: str, key: str, text: str, *before: str) -> str:
    """Return a text after a label, unless editors wrote the label themselves.

    :param before: what the phrase has before the text, such as a date.
    """
    label = translate(language, key, *before, "")
    if _without_spaces(text).startswith(_without_spaces(label)):
        return text
    return translate(language, key, *before, text)


def add_state(language: str, state: TitleState | None, title: str) -> str:
    """Return a title after the state, which may name a day."""
    if state is None:
        return title
    return add_label(language, f"state.{state.phrase}", title, *state.days)


def _without_spaces(text: str) -> str:
    """Return a text to compare, without case and the spaces before French colons."""
    return "".join(text.casefold().split())


def split_label(text: str, *keys: str) -> tuple[str | None, str]:
    """Return the key of the label before a text, in any language, and the text."""
    for language in UI_LANGUAGES:
        for key in keys:
            *before, _ = get_phrases(language)[key].split("{}")
            # A day begins with a digit in all languages.
            pattern = "[0-9].{,40}?".join(map(re.escape, before))
            # The API makes spaces of those without a break, which French has.
            label = re.match(pattern.replace("\xa0", r"\s"), text)
            if label:
                return key, text[label.end() :]
    return None, text


def join_name(feed: FeedHead, kind_key: str | None, language: str) -> str:
    """Return the name of a feed from that of its kind, categories and parameters.

    :param kind_key: the phrase of its kind, if the name has it.
    """
    category_filter = feed.query.category_filter
    titles = {
        category.slug: category.title_in(language) for category in feed.categories
    }
    language = feed.site.words_language(language)
    included = _join(
        [titles[slug] for slug in category_filter.include],
        language,
        match_all=category_filter.match_all,
    )
    if category_filter.exclude:
        excluded = _join([titles[slug] for slug in category_filter.exclude], language)
        included = translate(language, "feed.without", included, excluded).strip()
    kind = translate(language, kind_key) if kind_key else ""
    parts = [kind, included]
    # A feed's name must not change every day, so it has no dates.
    if isinstance(feed.query["period"], str):
        parts.append(translate(language, f"feed.period_{feed.query['period']}"))
    parts += [translate(language, f"event.{name}") for name in feed.query.access]
    if feed.query["q"]:
        parts.append(translate(language, "feed.q", feed.query["q"]))
    return " – ".join(part for part in parts if part)


def _join(titles: list[str], language: str, *, match_all: bool = False) -> str:
    return format_list(
        titles, "standard" if match_all else "or", resolve_locale(language)
    )
