"""The URL of a feed: which entries it has, in which format.

`parse_feed_query` reads a URL, `FeedQuery.path` spells it canonically, so that each
feed has one URL and one place in every cache. `Parameter` says what follows from a new
parameter; a new format is an entry of FORMATS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from babel import Locale
from dateutil.relativedelta import relativedelta

from feedsvc.errors import BadRequest
from feedsvc.words import MAX_LENGTH, MAX_WORDS, parse_search

SLUG_PATTERN = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
LANGUAGE_TAG_PATTERN = r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,8}"
"""The shape of a language tag (RFC 5646)."""
_LANGUAGES = frozenset(Locale("en").languages)

YEARS = range(1970, 2201)
"""Years of all dates that are accepted: readers take earlier ones for mistakes."""

YEARS_BACK = 10
YEARS_AHEAD = 5
"""Limits of `from` and `to` around today: recurring events are expanded there."""

KINDS = ("news", "events")
UI_LANGUAGES = ("vi", "en")
MAX_TERMS = 10


@dataclass(frozen=True)
class Format:
    """A format of feeds. `feedsvc/formats/<suffix>.py` renders it.

    :param label: its name for people.
    :param kinds: the kinds that have feeds in the format.
    :param default_limit: number of entries without `limit`.
    :param max_limit: maximum of `limit`.
    :param default_content: `content` without the parameter.
    :param has_archives: feeds link to their archives, which exist in any case.
    :param pings_hubs: canonical feeds are announced to external hubs.
    :param is_page: people read it in browsers; programs poll all other formats.
    :param is_calendar: programs keep its events until they are listed as cancelled.
    """

    label: str
    media_type: str
    kinds: tuple[str, ...] = KINDS
    default_limit: int = 50
    max_limit: int = 200
    default_content: str = "full"
    has_archives: bool = True
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
        # Clients drop events that are not listed.
        default_limit=1000,
        max_limit=1000,
        # Clients keep events themselves.
        has_archives=False,
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


def primary_subtag(language: str) -> str:
    """Return the primary subtag of a language tag (RFC 5646 §2.2.1): `en` of en-GB."""
    return language.split("-")[0].lower()


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

    def without(self, retired: Collection[str]) -> CategoryFilter | None:
        """Return the filter without some categories; None if it then selects nothing.

        `a,b` without `a` is `b`, and `-a` without `a` is everything; but no entry is in
        both categories of `a+b` when one no longer exists.
        """
        # “all of” a retired category, and “any of” only such ones, are nothing.
        include = [slug for slug in self.include if slug not in retired]
        if len(include) < len(self.include) and (self.match_all or not include):
            return None
        exclude = [slug for slug in self.exclude if slug not in retired]
        return CategoryFilter.create(include, exclude, match_all=self.match_all)

    def with_current_slugs(self, current: Mapping[str, str]) -> CategoryFilter:
        """Return the filter with former slugs replaced by current ones."""
        return CategoryFilter.create(
            (current.get(slug, slug) for slug in self.include),
            (current.get(slug, slug) for slug in self.exclude),
            match_all=self.match_all,
        )


@dataclass(frozen=True)
class Parameter:
    """A query parameter of feeds.

    :param meaning: its description, as Markdown for the table in docs/feeds.md, which
        a test writes from the parameters.
    :param values: a description of the values of a parameter with `parse`.
    :param parse: reads a value; raises a ValueError whose text follows the name.
    :param choices: the values of a parameter without `parse`.
    :param default: the default value, or a function that computes it from the query.
        Only fields that are declared before may be used.
    :param kind: the only kind of feeds that has the parameter; None for both.
    :param format: the only format that has it; None for all but `excluded_format`.
    :param in_archives: also for archive documents, which all share the value.
    :param in_title: the title names the value, by the phrase `feed.NAME`. A month has
        a name of its own.
    :param is_free_text: clients can invent any number of values, so the response cache
        stores only a few such feeds.
    :param field: the field of FeedQuery; set by PARAMETERS.
    """

    name: str
    meaning: str
    values: str = ""
    parse: Callable[[str, FeedQuery], Any] | None = None
    default: Any = None
    choices: tuple[str, ...] = ()
    kind: str | None = None
    format: str | None = None
    excluded_format: str | None = None
    in_archives: bool = False
    in_title: bool = False
    is_free_text: bool = False
    field: str = ""

    def is_applicable(self, query: FeedQuery) -> bool:
        """Return whether feeds of the query's kind and format have the parameter."""
        return (
            self.kind in (None, query.kind)
            and self.format in (None, query.format)
            and query.format != self.excluded_format
        )

    def read(self, text: str, query: FeedQuery) -> Any:
        """Return the value that a text stands for; raises as `parse`."""
        if self.parse:
            return self.parse(text, query)
        if text not in self.choices:
            *others, last = self.choices
            raise ValueError(f"must be {', '.join(others)} or {last}")
        return text

    def default_for(self, query: FeedQuery) -> Any:
        """Return the default value for a query."""
        return self.default(query) if callable(self.default) else self.default


def _url_parameter(parameter: Parameter) -> Any:
    """Declare a field of FeedQuery that a query parameter sets."""
    return field(default=None, metadata={"parameter": parameter})


def _limit_values() -> str:
    usual, *_ = (form.max_limit for form in FORMATS.values())
    others = [
        f"`{name}`: {form.max_limit}"
        for name, form in FORMATS.items()
        if form.max_limit != usual
    ]
    return f"1 to {usual} ({', '.join(others)})" if others else f"1 to {usual}"


def _parse_limit(text: str, query: FeedQuery) -> int:
    maximum = FORMATS[query.format].max_limit
    is_number = re.fullmatch("[0-9]{1,4}", text) is not None
    if not is_number or not 1 <= int(text) <= maximum:
        raise ValueError(f"must be a whole number from 1 to {maximum}")
    return int(text)


def check_language(tag: str) -> str:
    """Return a language tag itself.

    :raises ValueError: it is none, or Babel does not know its language.
    """
    has_shape = re.fullmatch(LANGUAGE_TAG_PATTERN, tag) is not None
    if not has_shape or tag.partition("-")[0].lower() not in _LANGUAGES:
        raise ValueError("Must be a BCP 47 language tag such as vi or en-GB.")
    return tag


def _parse_language(text: str, query: FeedQuery) -> str:
    if not re.fullmatch(LANGUAGE_TAG_PATTERN, text):
        raise ValueError("must be a BCP 47 language tag such as vi or en-GB")
    # Tags are compared without case (RFC 5646 §2.1.1), so a feed has one spelling.
    return text.lower()


def _parse_search(text: str, query: FeedQuery) -> str | None:
    # A search of punctuation alone is none, like the empty field of a form.
    return parse_search(text) or None


def _parse_archive(text: str, query: FeedQuery) -> str:
    month = r"[0-9]{4}-(0[1-9]|1[0-2])"
    if not re.fullmatch(month + r"(\.[1-9][0-9]{0,8})?", text):
        raise ValueError(
            "must be a month such as 2026-11, or a part of it such as 2026-11.2"
        )
    if int(text[:4]) not in YEARS:
        raise ValueError(f"must be a month from {YEARS[0]} to {YEARS[-1]}")
    # The first part of a month is named like the month, so that a month that grows
    # beyond one part keeps its URL.
    return text[:7] if text.endswith(".1") else text


def _parse_date(text: str, query: FeedQuery) -> date:
    try:
        day = date.fromisoformat(text)
        # It reads other forms too, such as 20261224 and 2026-W52-4.
        if day.isoformat() != text or day.year not in YEARS:
            raise ValueError
    except ValueError:
        raise ValueError("must be a day such as 2026-12-24") from None
    return day


@dataclass(frozen=True)
class FeedQuery:
    """A feed's URL as an object.

    A field that is None has its default. `q` is a search in the form of `parse_search`.
    """

    kind: str
    format: str
    category_filter: CategoryFilter = CategoryFilter()
    # The query parameters, in the order in which the canonical URL has them.
    limit: int | None = _url_parameter(
        Parameter(
            "limit",
            "number of entries",
            values=_limit_values(),
            parse=_parse_limit,
            default=lambda query: query.effective_limit,
        )
    )
    content: str | None = _url_parameter(
        Parameter(
            "content",
            "with or without bodies (see [Size](#size)). Summaries start with a "
            "correction or a cancellation's reason",
            choices=("full", "summary"),
            default=lambda query: query.effective_content,
            in_archives=True,
        )
    )
    lang: str | None = _url_parameter(
        Parameter(
            "lang",
            "language of the entries (`en` includes `en-GB`)",
            values="a language tag",
            parse=_parse_language,
            in_archives=True,
        )
    )
    q: str | None = _url_parameter(
        Parameter(
            "q",
            "entries with all these words; see [Search](#search)",
            values=f"at most {MAX_WORDS} words and {MAX_LENGTH} characters",
            parse=_parse_search,
            in_title=True,
            is_free_text=True,
        )
    )
    archive: str | None = _url_parameter(
        Parameter(
            "archive",
            "entries of a month or part of it; see [Archives](#archives)",
            values="`2026-11`, `2026-11.2`",
            parse=_parse_archive,
            in_title=True,
        )
    )
    since: date | None = _url_parameter(
        Parameter(
            "from",
            "events or occurrences on this day or later, in the site's time zone",
            values=f"a date, {YEARS_BACK} years back to {YEARS_AHEAD} ahead",
            parse=_parse_date,
            kind="events",
        )
    )
    until: date | None = _url_parameter(
        Parameter(
            "to",
            "on this day or earlier; of single events the last 10,000",
            values="likewise",
            parse=_parse_date,
            kind="events",
        )
    )
    when: str | None = _url_parameter(
        Parameter(
            "when",
            "by the end of the event or series; `recent`: upcoming or ended within 30 "
            "days. Default with `from` or `to`: `all`",
            choices=("upcoming", "recent", "past", "all"),
            default=lambda query: query.effective_period,
            kind="events",
        )
    )
    order: str | None = _url_parameter(
        Parameter(
            "order",
            "newly announced or next to start first (with `when=past` last to start)",
            choices=("published", "start"),
            default=lambda query: query.effective_order,
            kind="events",
        )
    )
    date_field: str | None = _url_parameter(
        Parameter(
            "date",
            "the entry's date; some importers need `start`",
            choices=("published", "start"),
            default="published",
            kind="events",
            excluded_format="ics",
        )
    )
    cancelled: str | None = _url_parameter(
        Parameter(
            "cancelled",
            "mark or omit cancelled events",
            choices=("mark", "hide"),
            default="mark",
            kind="events",
            in_archives=True,
        )
    )
    ui: str | None = _url_parameter(
        Parameter(
            "ui",
            "language of the page; default: the site's",
            choices=UI_LANGUAGES,
            format="html",
            in_archives=True,
        )
    )

    @property
    def path(self) -> str:
        """The canonical path and query string of the feed."""
        path = f"/feeds/{self.kind}"
        if self.category_filter.all_slugs:
            path += f"/{self.category_filter}"
        path += f".{self.format}"
        parameters = self.given_parameters
        # urlencode keeps “a b” and “a+b” apart: as a+b and a%2Bb.
        return f"{path}?{urlencode(parameters)}" if parameters else path

    @property
    def given_parameters(self) -> dict[str, Any]:
        """The parameters that are not at their default, by name, in canonical order."""
        return {
            parameter.name: getattr(self, parameter.field)
            for parameter in self._given_parameters
        }

    @property
    def title_parameters(self) -> dict[str, Any]:
        """The given parameters that the title names."""
        given = self.given_parameters
        return {name: given[name] for name in given if PARAMETERS[name].in_title}

    @property
    def has_free_text(self) -> bool:
        """True if clients can request any number of such feeds."""
        return any(parameter.is_free_text for parameter in self._given_parameters)

    @cached_property
    def _given_parameters(self) -> tuple[Parameter, ...]:
        """The parameters that are not at their default, in canonical order."""
        return tuple(
            parameter
            for parameter in PARAMETERS.values()
            if getattr(self, parameter.field) is not None
            and parameter.is_applicable(self)
        )

    @property
    def effective_limit(self) -> int:
        """The maximum number of entries."""
        return self.limit or FORMATS[self.format].default_limit

    @property
    def effective_content(self) -> str:
        """`full` if entries carry their body, or `summary`."""
        return self.content or FORMATS[self.format].default_content

    @property
    def effective_order(self) -> str:
        """The order of the entries: by `published` or, of events, by `start`."""
        if self.order:
            return self.order
        is_event_page = FORMATS[self.format].is_page and self.kind == "events"
        return "start" if is_event_page else "published"

    @property
    def effective_period(self) -> str:
        """The period of the events' ends: `upcoming`, `recent`, `past` or `all`."""
        if self.when:
            return self.when
        # A window or an archive has all its events, also those that are over.
        if self.since or self.until or self.archive:
            return "all"
        # Calendar programs drop an event that is no longer listed.
        return "recent" if FORMATS[self.format].is_calendar else "upcoming"

    @property
    def out_of_range_on(self) -> date | None:
        """The first day on which `from` or `to` is too old; None without either."""
        earliest = self.since or self.until
        return first_day_too_old(earliest) if earliest else None

    @property
    def archive_base(self) -> FeedQuery:
        """The current feed of which this feed is an archive, or has archives."""
        cleared: dict[str, Any] = {
            parameter.field: None
            for parameter in PARAMETERS.values()
            if not parameter.in_archives
        }
        return replace(self, **cleared)

    def in_format(self, format: str) -> FeedQuery:
        """Return the canonical query of the same feed in another format.

        Formats differ in their defaults: a page with `content=full` has an RSS feed
        without the parameter.
        """
        query = replace(self, format=format)
        for parameter in self._given_parameters:
            cleared: dict[str, Any] = {parameter.field: None}
            without = replace(query, **cleared)
            if getattr(query, parameter.field) == parameter.default_for(without):
                query = without
        return query

    @property
    def is_canonical_feed(self) -> bool:
        """True if it is a section or one category, with all parameters at default."""
        return (
            len(self.category_filter.all_slugs) <= 1
            and not self.category_filter.exclude
            and not self._given_parameters
        )


PARAMETERS: Mapping[str, Parameter] = {
    item.metadata["parameter"].name: replace(
        item.metadata["parameter"], field=item.name
    )
    for item in fields(FeedQuery)
    if "parameter" in item.metadata
}
"""The query parameters by name, in canonical order."""


def parse_feed_query(
    kind: str,
    format: str,
    category_filter: str | None,
    given: Mapping[str, Sequence[str]],
    language: str,
    today: date,
) -> FeedQuery:
    """Return the canonical query of a feed's URL. Unknown parameters are ignored.

    :param given: the values of each parameter in the URL.
    :param language: the site's language, which is the default of `ui`.
    :param today: the date in the site's time zone, near which `from` and `to` must be.
    :raises BadRequest: a part is not valid; the message names it.
    """
    query = FeedQuery(kind, format)
    if category_filter is not None:
        query = replace(query, category_filter=CategoryFilter.parse(category_filter))
    # In the order of PARAMETERS, since a default depends on earlier parameters.
    for name, parameter in PARAMETERS.items():
        if name in given and parameter.is_applicable(query):
            query = _with_parameter(query, parameter, given[name])
    if query.ui == primary_subtag(language):
        query = replace(query, ui=None)
    if query.archive:
        _check_archive(query, given)
    _check_dates(query, today)
    return query


def _with_parameter(
    query: FeedQuery, parameter: Parameter, values: Sequence[str]
) -> FeedQuery:
    # Programs differ in which value counts.
    if len(values) > 1:
        raise BadRequest(
            f"The parameter “{parameter.name}” is given twice.", parameter.name
        )
    try:
        value = parameter.read(values[0], query)
    except ValueError as error:
        raise BadRequest(
            f"The parameter “{parameter.name}” {error}.", parameter.name
        ) from None
    if value == parameter.default_for(query):
        return query
    return replace(query, **{parameter.field: value})


def _check_archive(query: FeedQuery, given: Mapping[str, Sequence[str]]) -> None:
    """Check that an archive document is given no parameter that it cannot have.

    A parameter at its default is refused too: `archive` may change what the default is.
    """
    for name, parameter in PARAMETERS.items():
        is_given = name in given and parameter.is_applicable(query)
        if is_given and not parameter.in_archives and name != "archive":
            raise BadRequest(
                f"The parameter “{name}” cannot be combined with “archive”.", name
            )


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


def first_day_too_old(day: date) -> date:
    """Return the first day on which `from` or `to` may no longer be a date."""
    candidate = day + relativedelta(years=YEARS_BACK)
    # The sum of years is not exact beside 29 February.
    while allowed_dates(candidate)[0] <= day:
        candidate += timedelta(days=1)
    return candidate
