"""The URL of a feed: which entries it has, in which format.

`parse_feed_query` reads a URL, `FeedQuery.path` spells it canonically, so that each
feed has one URL and one place in every cache. A new format is an entry of FORMATS and a
module in `formats/`. A new parameter is an entry of PARAMETERS, its default in
`_parameter_defaults`, and its condition in `select.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from dateutil.relativedelta import relativedelta

from feedsvc.errors import BadRequest
from feedsvc.models import ACCESSIBILITY, KINDS, SLUG_PATTERN
from feedsvc.text.folding import fold_search, parse_search
from feedsvc.text.languages import LANGUAGE_TAG_PATTERN, UI_LANGUAGES

#: Limits of `from` and `to` around today: recurring events are expanded there.
YEARS_BACK = 10
YEARS_AHEAD = 5

#: The parameters that select events by days.
WINDOW = ("period", "from", "to")
PERIODS = ("today", "week", "weekend", "month")
_MAX_DAYS = 366

MAX_TERMS = 10
MAX_PAGE = 1000


@dataclass(frozen=True)
class Format:
    """A format of feeds. `feedsvc/formats/<suffix>.py` renders it.

    :param suffix: the end of its URLs, and its name in code.
    :param label: its name for people.
    :param kinds: the kinds that have feeds in the format.
    :param default_limit: number of entries without `limit`.
    :param max_limit: maximum of `limit`.
    :param default_content: `content` without the parameter.
    :param is_syndication: feed readers subscribe to it, and WebSub hubs are told of its
        changes.
    :param is_calendar: calendar programs subscribe to it: pages link to such programs,
        which drop events that are no longer listed.
    :param is_page: people read it in browsers; pages announce all others.
    """

    suffix: str
    label: str
    media_type: str
    kinds: tuple[str, ...] = KINDS
    default_limit: int = 50
    max_limit: int = 100
    default_content: str = "full"
    is_syndication: bool = False
    is_calendar: bool = False
    is_page: bool = False


_FORMATS = (
    Format("rss", "RSS", "application/rss+xml", is_syndication=True),
    Format("atom", "Atom", "application/atom+xml", is_syndication=True),
    Format("json", "JSON Feed", "application/feed+json", is_syndication=True),
    Format(
        "ics",
        "iCalendar",
        "text/calendar",
        kinds=("events",),
        # An event that is not listed would disappear from calendars.
        default_limit=2000,
        max_limit=2000,
        default_content="summary",
        is_calendar=True,
    ),
    Format(
        "html",
        "HTML",
        "text/html",
        # People leaf through lists that programs read at once.
        default_limit=20,
        default_content="summary",
        is_page=True,
    ),
)

#: Every format by its suffix, in the order in which pages list them.
#:
#: Pages offer the first one to feed readers.
FORMATS = {format.suffix: format for format in _FORMATS}


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
        # Any of one category and all of it are the same, and must have the same URL.
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


class FeedMoved(Exception):
    """Categories in the URL of the feed were renamed or deleted; the view redirects.

    :param path: the path of the feed with the current slugs of those that are left.
    :param is_permanent: none was deleted, which a PUT would bring back.
    """

    def __init__(self, path: str, *, is_permanent: bool) -> None:
        super().__init__(path)
        self.path = path
        self.is_permanent = is_permanent


@dataclass(frozen=True)
class FeedQuery:
    """A feed's URL as an object, canonical however it is made.

    `parameters` may be any of a URL. Only those stay that the feed has and that differ
    from `_parameter_defaults`, in their order; a limit above the maximum of the format
    is lowered. `query["limit"]` is the value of a parameter, or else its
    default; None if the feed has no such parameter.
    """

    kind: str
    format: Format
    category_filter: CategoryFilter = CategoryFilter()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    _values: Mapping[str, Any] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        defaults = _parameter_defaults(self.kind, self.format, self.parameters)
        # An empty search counts as absent, as None does.
        values = {
            name: self.parameters.get(name) or default
            for name, default in defaults.items()
        }
        values["limit"] = min(values["limit"], self.format.max_limit)
        # People see a search as they typed it, while programs should share a feed.
        if values["q"] and not self.format.is_page:
            values["q"] = fold_search(values["q"])
        parameters = {
            name: value for name, value in values.items() if value != defaults[name]
        }
        # The dataclass is frozen for all others.
        object.__setattr__(self, "parameters", parameters)
        object.__setattr__(self, "_values", dict.fromkeys(PARAMETERS) | values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    @property
    def page(self) -> int:
        """The number of the page; formats without pages have one."""
        return self["page"] or 1

    @property
    def path(self) -> str:
        """The canonical path and query string of the feed."""
        path = f"/feeds/{self.kind}"
        if self.category_filter.all_slugs:
            path += f"/{self.category_filter}"
        path += f".{self.format.suffix}"
        # urlencode keeps “a b” and “a+b” apart: as a+b and a%2Bb. Commas separate the
        # values of a list.
        return (
            f"{path}?{urlencode(self.parameters, safe=',')}"
            if self.parameters
            else path
        )

    @property
    def access(self) -> list[str]:
        """By what the feed selects events: `free`, and values of `ACCESSIBILITY`."""
        names = self["accessibility"].split(",") if self["accessibility"] else []
        return ["free", *names] if self["free"] else names

    @property
    def is_plain(self) -> bool:
        """True if it is a section or one category, without parameters."""
        return (
            len(self.category_filter.all_slugs) <= 1
            and not self.category_filter.exclude
            and not self.parameters
        )

    @property
    def presentation(self) -> FeedQuery:
        """The query without parameters that only select: how a feed shows an entry."""
        parameters = {
            name: value
            for name, value in self.parameters.items()
            if not PARAMETERS[name].only_selects
        }
        return FeedQuery(self.kind, self.format, parameters=parameters)

    def with_parameters(self, **changes: Any) -> FeedQuery:
        """Return the query with other values of parameters; None removes one."""
        return replace(self, parameters={**self.parameters, **changes})


def _parameter_defaults(
    kind: str, format: Format, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the default of each parameter that a feed has.

    They are in the order of the canonical URL. The default of `when` depends on other
    parameters.
    """
    is_of_events = kind == "events"
    defaults: dict[str, Any] = {"limit": format.default_limit}
    if not format.is_calendar:
        defaults["page"] = 1
    defaults |= {"content": format.default_content, "lang": None, "q": None}
    if is_of_events:
        # Calendar programs drop an event that is no longer listed, and a window has all
        # its events.
        has_all = format.is_calendar or any(map(given.get, WINDOW))
        defaults |= dict.fromkeys(WINDOW)
        defaults["when"] = "all" if has_all else "upcoming"
    if is_of_events and not format.is_calendar:
        defaults["order"] = "start" if format.is_page else "published"
        defaults["date"] = "published"
    if is_of_events:
        defaults |= {"cancelled": "mark", "free": None, "accessibility": None}
    if format.is_page:
        defaults["ui"] = None
    return defaults


def _whole_number(maximum: int, error: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= maximum:
            raise ValueError(error)
        return int(text)

    return parse


def _parse_language(text: str) -> str:
    if not re.fullmatch(LANGUAGE_TAG_PATTERN, text):
        raise ValueError("must be a BCP 47 language tag such as vi or en-GB")
    # Tags are compared without case (RFC 5646 §2.1.1), so a feed has one spelling.
    return text.lower()


def _parse_date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
        # It reads other forms too, such as 20261224 and 2026-W52-4.
        if day.isoformat() != text:
            raise ValueError
    except ValueError:
        raise ValueError("must be a day such as 2026-12-24") from None
    return day


def _parse_period(text: str) -> str | int | date:
    if text in PERIODS:
        return text
    error = (
        f"must be {', '.join(PERIODS)}, a number of days from 1 to {_MAX_DAYS}, "
        "or a day such as 2026-12-24"
    )
    with suppress(ValueError):
        return _parse_date(text)
    return _whole_number(_MAX_DAYS, error)(text)


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")
        return text

    return parse


def _parse_accessibility(text: str) -> str:
    """Return values of `ACCESSIBILITY`, sorted and each once."""
    values = {*text.split(",")}
    if not values <= {*ACCESSIBILITY}:
        raise ValueError(f"must be of {','.join(ACCESSIBILITY)}, with commas between")
    return ",".join(sorted(values))


class Parameter(NamedTuple):
    """A query parameter.

    :param parse: returns its value, whose `str` is its spelling in URLs, or raises a
        ValueError whose text follows the name.
    :param only_selects: it changes which entries a feed has, and not how they look.
    """

    parse: Callable[[str], Any]
    only_selects: bool = False


_selecting = partial(Parameter, only_selects=True)

PARAMETERS: Mapping[str, Parameter] = {
    "limit": _selecting(_whole_number(10**9, "must be a whole number, at least 1")),
    "page": _selecting(
        _whole_number(MAX_PAGE, f"must be a whole number from 1 to {MAX_PAGE}")
    ),
    "content": Parameter(_choice("full", "summary")),
    "lang": Parameter(_parse_language),
    "q": _selecting(parse_search),
    "period": _selecting(_parse_period),
    "from": _selecting(_parse_date),
    "to": _selecting(_parse_date),
    "when": _selecting(_choice("upcoming", "past", "all")),
    "order": _selecting(_choice("published", "start")),
    "date": Parameter(_choice("published", "start")),
    "cancelled": Parameter(_choice("mark", "hide")),
    "free": _selecting(_choice("yes")),
    "accessibility": _selecting(_parse_accessibility),
    "ui": Parameter(_choice(*UI_LANGUAGES)),
}

_IN_PATH = "The category is a part of the path, such as /feeds/news/<category>.rss."
#: Errors for parameters that other services have.
_HINTS = {
    "category": _IN_PATH,
    "tag": _IN_PATH,
    "since": "Events have “from” and “to”; news have “page”.",
}


def parse_feed_query(
    kind: str,
    format: Format,
    category_filter: str,
    given: Mapping[str, Sequence[str]],
    today: date,
) -> tuple[FeedQuery, bool]:
    """Return the canonical query of a feed's URL, and whether its text is canonical.

    That depends on its filter, `limit` and `period` alone.

    Unknown parameters, and those that do not apply or have their default, are ignored.

    :param category_filter: its text, which may be empty.
    :param given: the values of each parameter in the URL.
    :param today: the date in the site's time zone, near which dates must be.
    :raises BadRequest: a part is not valid; the message names it.
    """
    for name, hint in _HINTS.items():
        if name in given:
            raise BadRequest(hint, name)
    parsed_filter = (
        CategoryFilter.parse(category_filter) if category_filter else CategoryFilter()
    )
    # Parameters that the feed does not have are not even parsed.
    parameters: dict[str, Any] = {
        name: read_parameter(name, given[name])
        for name in _parameter_defaults(kind, format, {})
        if name in given
    }
    _check_dates(parameters, today)
    query = FeedQuery(kind, format, parsed_filter, parameters)
    # A decoded “+” of a URL may be a space.
    filter_text = category_filter.replace(" ", "+")
    # Other parameters may be spelt as they are, since the cache has the canonical URL,
    # and the policy of pages lets the search form be redirected to no other host.
    is_canonical = filter_text == str(parsed_filter) and all(
        given[name] == [str(query[name])]
        for name in ("limit", "period")
        if name in parameters
    )
    return query, is_canonical


def read_parameter(name: str, values: Sequence[str]) -> Any:
    """Return the value of a parameter.

    :raises BadRequest: it is not valid, or given twice.
    """
    # Programs differ in which of two values counts.
    if len(values) > 1:
        raise BadRequest(f"The parameter “{name}” is given twice.", name)
    try:
        return PARAMETERS[name].parse(values[0])
    except ValueError as error:
        raise BadRequest(f"The parameter “{name}” {error}.", name) from None


def _check_dates(parameters: Mapping[str, Any], today: date) -> None:
    if "period" in parameters and parameters.keys() & {"from", "to"}:
        raise BadRequest("“period” cannot be combined with “from” and “to”.", "period")
    first = today - relativedelta(years=YEARS_BACK)
    last = today + relativedelta(years=YEARS_AHEAD)
    for name in WINDOW:
        day = parameters.get(name)
        if isinstance(day, date) and not first <= day <= last:
            raise BadRequest(
                f"The parameter “{name}” must lie between {first} and {last}.",
                name,
            )
    since, until = parameters.get("from"), parameters.get("to")
    if since and until and until < since:
        raise BadRequest("The parameter “to” must not be before “from”.", "to")


def query_string(parameters: Mapping[str, str | None]) -> str:
    """Return the end of a URL with the parameters that are not None, or nothing."""
    present = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urlencode(present)}" if present else ""
