"""The URL of a feed: which entries it has, in which format.

`parse_feed_query` reads a URL, `FeedQuery.path` spells it canonically, so that each
feed has one URL and one place in every cache. A new format is an entry of FORMATS, a
new parameter a field of FeedQuery, an entry of PARAMETERS, and its condition in
`select.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from dateutil.relativedelta import relativedelta

from feedsvc.errors import BadRequest, Gone
from feedsvc.languages import LANGUAGE_TAG_PATTERN, primary_subtag
from feedsvc.models import KINDS, SLUG_PATTERN, UI_LANGUAGES, YEARS
from feedsvc.words import parse_search

YEARS_BACK = 10
YEARS_AHEAD = 5
"""Limits of `from` and `to` around today: recurring events are expanded there."""

MAX_TERMS = 10
MAX_PAGE = 1000


@dataclass(frozen=True)
class Format:
    """A format of feeds. `feedsvc/formats/<suffix>.py` renders it.

    :param label: its name for people.
    :param kinds: the kinds that have feeds in the format.
    :param default_limit: number of entries without `limit`.
    :param max_limit: maximum of `limit`.
    :param default_content: `content` without the parameter.
    :param pings_hubs: sections and categories are announced to WebSub hubs.
    :param is_page: people read it in browsers; programs poll all other formats.
    :param is_calendar: programs drop events that are no longer listed.
    """

    label: str
    media_type: str
    kinds: tuple[str, ...] = KINDS
    default_limit: int = 50
    max_limit: int = 100
    default_content: str = "full"
    pings_hubs: bool = False
    is_page: bool = False
    is_calendar: bool = False


FORMATS = {
    "rss": Format("RSS", "application/rss+xml", pings_hubs=True),
    "atom": Format("Atom", "application/atom+xml", pings_hubs=True),
    "json": Format("JSON Feed", "application/feed+json", pings_hubs=True),
    "ics": Format(
        "iCalendar",
        "text/calendar",
        kinds=("events",),
        # Calendar programs drop events that are not listed.
        default_limit=500,
        max_limit=500,
        is_calendar=True,
    ),
    "html": Format(
        "HTML",
        "text/html",
        # People leaf through lists that programs read at once.
        default_limit=20,
        default_content="summary",
        is_page=True,
    ),
}
"""Every format by its suffix in URLs, in the order in which pages list them.

Pages offer the first one to feed readers.
"""


@dataclass(frozen=True, slots=True)
class CategoryFilter:
    """Entries in any category of `include`, or in all of them, and none of `exclude`.

    The categories are slugs. An empty filter selects everything. Use `create` or
    `parse`, which make equal filters equal objects.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    match_all: bool = False

    @classmethod
    def create(
        cls,
        include: Iterable[str],
        exclude: Iterable[str] = (),
        *,
        match_all: bool = False,
    ) -> CategoryFilter:
        """Return the canonical filter: sorted and without repeats."""
        included = tuple(sorted(set(include)))
        excluded = tuple(sorted(set(exclude)))
        # Any of one category is all of it, which must not be two URLs.
        return cls(included, excluded, match_all and len(included) > 1)

    @classmethod
    def parse(cls, text: str) -> CategoryFilter:
        """Read a filter such as `a`, `a,b` (any), `a+b` (all), `a,b,-c` or `-c`.

        :raises BadRequest: it has another form.
        """
        # A decoded URL may have a space where the client wrote “+”.
        text = text.replace(" ", "+").lower()
        if "," in text and "+" in text:
            raise BadRequest(
                "“,” (any of) and “+” (all of) cannot be combined in a category filter."
            )
        terms = re.split("[,+]", text)
        if len(terms) > MAX_TERMS:
            raise BadRequest(f"A category filter has at most {MAX_TERMS} terms.")
        for term in terms:
            if not re.fullmatch(SLUG_PATTERN, term.removeprefix("-")):
                raise BadRequest(
                    f"“{term}” in the category filter is neither a category's slug "
                    "nor a “-” and a slug."
                )
        return cls.create(
            (term for term in terms if not term.startswith("-")),
            (term[1:] for term in terms if term.startswith("-")),
            match_all="+" in text,
        )

    def __str__(self) -> str:
        terms = [*self.include, *(f"-{slug}" for slug in self.exclude)]
        return ("+" if self.match_all else ",").join(terms)

    @property
    def all_slugs(self) -> tuple[str, ...]:
        """The categories that the filter names."""
        return (*self.include, *self.exclude)

    def renamed(self, current: Mapping[str, str]) -> CategoryFilter:
        """Return the filter with former slugs replaced by current ones."""
        return CategoryFilter.create(
            (current.get(slug, slug) for slug in self.include),
            (current.get(slug, slug) for slug in self.exclude),
            match_all=self.match_all,
        )


@dataclass(frozen=True)
class FeedQuery:
    """A feed's URL as an object.

    A field that is None has its default. Where that depends on others, a property
    `effective_…` tells it. `q` is a search in the form of `parse_search`.
    """

    kind: str
    format: str
    category_filter: CategoryFilter = CategoryFilter()
    limit: int | None = None
    page: int | None = None
    content: str | None = None
    lang: str | None = None
    q: str | None = None
    since: date | None = None
    until: date | None = None
    when: str | None = None
    order: str | None = None
    date_field: str | None = None
    cancelled: str | None = None
    ui: str | None = None

    @property
    def path(self) -> str:
        """The canonical path and query string of the feed."""
        path = f"/feeds/{self.kind}"
        if self.category_filter.all_slugs:
            path += f"/{self.category_filter}"
        path += f".{self.format}"
        # urlencode keeps “a b” and “a+b” apart: as a+b and a%2Bb.
        return f"{path}?{urlencode(self.parameters)}" if self.parameters else path

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that are not at their default, by name, in canonical order."""
        values = {
            parameter.name: getattr(self, parameter.field)
            for parameter in PARAMETERS
            if parameter.applies_to(self)
        }
        return {name: value for name, value in values.items() if value is not None}

    @property
    def effective_limit(self) -> int:
        """The maximum number of entries."""
        return self.limit or FORMATS[self.format].default_limit

    @property
    def effective_page(self) -> int:
        """The number of the page, from 1."""
        return self.page or 1

    @property
    def effective_content(self) -> str:
        """`full` if entries carry their body, or `summary`."""
        return self.content or FORMATS[self.format].default_content

    @property
    def effective_when(self) -> str:
        """The period of the events' ends: `upcoming`, `past` or `all`."""
        if self.when:
            return self.when
        # Calendar programs drop an event that is no longer listed, and a window has all
        # its events.
        is_calendar = FORMATS[self.format].is_calendar
        return "all" if is_calendar or self.since or self.until else "upcoming"

    @property
    def effective_order(self) -> str:
        """The order of the entries: by `published` or, of events, by `start`."""
        is_event_page = FORMATS[self.format].is_page and self.kind == "events"
        return self.order or ("start" if is_event_page else "published")

    @property
    def is_canonical_feed(self) -> bool:
        """True if it is a section or one category, with all parameters at default."""
        return (
            len(self.category_filter.all_slugs) <= 1
            and not self.category_filter.exclude
            and not self.parameters
        )

    def in_format(self, format: str) -> FeedQuery:
        """Return the first page of the same feed in another format.

        Formats differ in their defaults: a page with `content=full` has an RSS feed
        without the parameter.
        """
        query = replace(self, format=format, page=None, ui=None)
        if query.limit:
            maximum = min(query.limit, FORMATS[format].max_limit)
            query = replace(query, limit=maximum)
        for parameter in PARAMETERS:
            query = parameter.without_default(query)
        return query


@dataclass(frozen=True)
class Parameter:
    """A query parameter of feeds.

    :param parse: reads a value; raises a ValueError whose text follows the name.
    :param default: returns the value of a query without the parameter.
    :param kind: the only kind of feeds that has the parameter; None for both.
    :param is_applicable: the formats that have the parameter.
    :param has_one_spelling: a URL that spells the value in another way is redirected.
    """

    name: str
    parse: Callable[[str, FeedQuery], Any]
    field: str
    default: Callable[[FeedQuery], Any] = lambda query: None
    kind: str | None = None
    is_applicable: Callable[[Format], bool] = lambda format: True
    has_one_spelling: bool = False

    def applies_to(self, query: FeedQuery) -> bool:
        """Return whether feeds of the query's kind and format have the parameter."""
        is_of_kind = self.kind in (None, query.kind)
        return is_of_kind and self.is_applicable(FORMATS[query.format])

    def without_default(self, query: FeedQuery) -> FeedQuery:
        """Return the query without the parameter's value, if that is the default."""
        cleared: dict[str, Any] = {self.field: None}
        without = replace(query, **cleared)
        is_default = getattr(query, self.field) == self.default(without)
        return without if is_default else query


def _parse_limit(text: str, query: FeedQuery) -> int:
    maximum = FORMATS[query.format].max_limit
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise ValueError(f"must be a whole number from 1 to {maximum}")
    return min(int(text), maximum)


def _parse_page(text: str, query: FeedQuery) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_PAGE:
        raise ValueError(f"must be a whole number from 1 to {MAX_PAGE}")
    return int(text)


def _parse_language(text: str, query: FeedQuery) -> str:
    if not re.fullmatch(LANGUAGE_TAG_PATTERN, text):
        raise ValueError("must be a BCP 47 language tag such as vi or en-GB")
    # Tags are compared without case (RFC 5646 §2.1.1), so a feed has one spelling.
    return text.lower()


def _parse_search(text: str, query: FeedQuery) -> str | None:
    # A search of punctuation alone is none, like the empty field of a form.
    return parse_search(text) or None


def _parse_date(text: str, query: FeedQuery) -> date:
    try:
        day = date.fromisoformat(text)
        # It reads other forms too, such as 20261224 and 2026-W52-4.
        if day.isoformat() != text or day.year not in YEARS:
            raise ValueError
    except ValueError:
        raise ValueError("must be a day such as 2026-12-24") from None
    return day


def _parse_period(text: str, query: FeedQuery) -> str:
    # Version 1 had `recent`; the parameter has one spelling, so it is redirected.
    if text == "recent":
        return "all"
    return _choice("upcoming", "past", "all")(text, query)


def _choice(*choices: str) -> Callable[[str, FeedQuery], str]:
    def parse(text: str, query: FeedQuery) -> str:
        if text not in choices:
            *others, last = choices
            raise ValueError(f"must be {', '.join(others)} or {last}")
        return text

    return parse


def _is_no_calendar(format: Format) -> bool:
    return not format.is_calendar


def _is_page(format: Format) -> bool:
    return format.is_page


PARAMETERS = (
    Parameter(
        "limit",
        _parse_limit,
        field="limit",
        default=lambda query: query.effective_limit,
        has_one_spelling=True,
    ),
    Parameter(
        "page",
        _parse_page,
        field="page",
        default=lambda query: query.effective_page,
        is_applicable=_is_no_calendar,
    ),
    Parameter(
        "content",
        _choice("full", "summary"),
        field="content",
        default=lambda query: query.effective_content,
    ),
    Parameter("lang", _parse_language, field="lang"),
    # No redirect: the form sends any spelling, and the policy of pages refuses other
    # hosts.
    Parameter("q", _parse_search, field="q"),
    Parameter("from", _parse_date, field="since", kind="events"),
    Parameter("to", _parse_date, field="until", kind="events"),
    Parameter(
        "when",
        _parse_period,
        field="when",
        default=lambda query: query.effective_when,
        kind="events",
        has_one_spelling=True,
    ),
    Parameter(
        "order",
        _choice("published", "start"),
        field="order",
        default=lambda query: query.effective_order,
        kind="events",
        is_applicable=_is_no_calendar,
    ),
    Parameter(
        "date",
        _choice("published", "start"),
        field="date_field",
        default=lambda query: "published",
        kind="events",
        is_applicable=_is_no_calendar,
    ),
    Parameter(
        "cancelled",
        _choice("mark", "hide"),
        field="cancelled",
        default=lambda query: "mark",
        kind="events",
    ),
    Parameter("ui", _choice(*UI_LANGUAGES), field="ui", is_applicable=_is_page),
)
"""The query parameters, in the order in which the canonical URL has them.

The default of a parameter depends only on those before it.
"""

_IN_PATH = "The category is a part of the path, such as /feeds/news/<category>.rss."
_HINTS = {
    "category": _IN_PATH,
    "tag": _IN_PATH,
    "since": "Events have “from” and “to”; news have “page”.",
}
"""Errors for parameters that other services have."""


def parse_feed_query(
    kind: str,
    format: str,
    category_filter: str | None,
    given: Mapping[str, Sequence[str]],
    language: str,
    today: date,
) -> tuple[FeedQuery, bool]:
    """Return the canonical query of a feed's URL, and whether the URL spells it so.

    Unknown parameters, and those that do not apply or have their default, are ignored.

    :param given: the values of each parameter in the URL.
    :param language: the site's language, which is the default of `ui`.
    :param today: the date in the site's time zone, near which `from` and `to` must be.
    :raises BadRequest: a part is not valid; the message names it.
    :raises Gone: the feed existed in version 1.
    """
    for name, hint in _HINTS.items():
        if name in given:
            raise BadRequest(hint, name)
    if "archive" in given:
        raise Gone("Archives by month were removed. “page” leads to older entries.")
    query = FeedQuery(kind, format)
    is_canonical = True
    if category_filter is not None:
        query = replace(query, category_filter=CategoryFilter.parse(category_filter))
        # A decoded “+” of a URL may be a space.
        is_canonical = category_filter.replace(" ", "+") == str(query.category_filter)
    for parameter in PARAMETERS:
        if parameter.name not in given or not parameter.applies_to(query):
            continue
        value = _read(parameter, given[parameter.name], query)
        changes = {parameter.field: value}
        query = parameter.without_default(replace(query, **changes))
        if parameter.has_one_spelling and given[parameter.name] != [str(value or "")]:
            is_canonical = False
    if query.ui == primary_subtag(language):
        query = replace(query, ui=None)
    _check_dates(query, today)
    return query, is_canonical


def _read(parameter: Parameter, values: Sequence[str], query: FeedQuery) -> Any:
    """Return the value of a parameter.

    :raises BadRequest: it is not valid, or given twice.
    """
    # Programs differ in which value counts.
    if len(values) > 1:
        raise BadRequest(
            f"The parameter “{parameter.name}” is given twice.", parameter.name
        )
    try:
        return parameter.parse(values[0], query)
    except ValueError as error:
        raise BadRequest(
            f"The parameter “{parameter.name}” {error}.", parameter.name
        ) from None


def _check_dates(query: FeedQuery, today: date) -> None:
    if not (query.since or query.until):
        return
    first, last = allowed_dates(today)
    for name, day in (("from", query.since), ("to", query.until)):
        if day is not None and not first <= day <= last:
            raise BadRequest(
                f"The parameter “{name}” must lie between {first} and {last}.", name
            )
    if query.since and query.until and query.until < query.since:
        raise BadRequest("The parameter “to” must not be before “from”.", "to")


def allowed_dates(today: date) -> tuple[date, date]:
    """Return the first and the last date that `from` and `to` may have."""
    first = today - relativedelta(years=YEARS_BACK)
    last = today + relativedelta(years=YEARS_AHEAD)
    return first, last
