"""A feed's address: which entries it holds and in which format. Read from a URL here, and spelled as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from feedsvc.date_range import allowed_dates, too_old_on
from feedsvc.errors import BadRequest

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
KINDS = ("news", "events")
MAX_TERMS = 10
UI_LANGUAGES = ("vi", "en")
WEBSUB_PING_FORMATS = ("rss", "atom", "json")
"""The formats whose plain feeds other hubs are told of."""


def primary_subtag(language: str) -> str:
    """The primary subtag of a language tag (RFC 5646 §2.2.1), such as `en` of en-GB."""
    return language.split("-")[0].lower()


@dataclass(frozen=True, slots=True)
class CategoryFilter:
    """Categories by slug: any of `wanted`, or all of them where `every`, and none of `unwanted`.

    Without any it selects everything. `of` makes the canonical one.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    match_all: bool = False

    @classmethod
    def create(
        cls, wanted: Iterable[str], unwanted: Iterable[str] = (), *, every: bool = False
    ) -> CategoryFilter:
        """Terms sorted and without repeats; of one term it makes no difference whether all are meant."""
        positive = tuple(sorted(set(wanted)))
        return cls(positive, tuple(sorted(set(unwanted))), every and len(positive) > 1)

    @classmethod
    def parse(cls, text: str) -> CategoryFilter:
        """The selector that `a`, `a,b`, `a+b`, `a,b,-c` or `-c` stands for; a space is a `+`.

        :raises Malformed: it is none of these.
        """
        signs = {sign for sign in ",+" if sign in text.replace(" ", "+")}
        if len(signs) > 1:
            raise BadRequest(
                "“,” (any of) and “+” (all of) cannot stand in one selector."
            )
        terms = re.split("[,+ ]", text.lower())
        if len(terms) > MAX_TERMS:
            raise BadRequest(f"A selector has at most {MAX_TERMS} terms.")
        wrong = next(
            (term for term in terms if not SLUG.fullmatch(term.removeprefix("-"))), None
        )
        if wrong is not None:
            raise BadRequest(
                f"“{wrong}” in the selector is not a category's slug, nor one behind a “-”."
            )
        unwanted = [term[1:] for term in terms if term.startswith("-")]
        return cls.create(
            (term for term in terms if term[0] != "-"), unwanted, every="+" in signs
        )

    def __str__(self) -> str:
        """The canonical spelling."""
        return ("+" if self.match_all else ",").join(
            [*self.include, *(f"-{slug}" for slug in self.exclude)]
        )

    @property
    def all_slugs(self) -> tuple[str, ...]:
        """The categories that it names."""
        return (*self.include, *self.exclude)

    def without(self, retired: Collection[str]) -> CategoryFilter | None:
        """Return the same without some categories; None where it selects nothing without them.

        `a,b` without `a` is `b`, and `-a` is everything; but nothing can stand in all of `a+b`.
        """
        wanted = [slug for slug in self.include if slug not in retired]
        if len(wanted) < len(self.include) and (self.match_all or not wanted):
            return None
        unwanted = [slug for slug in self.exclude if slug not in retired]
        return CategoryFilter.create(wanted, unwanted, every=self.match_all)

    def with_current_slugs(self, current: Mapping[str, str]) -> CategoryFilter:
        """The same by the slugs that its categories have now."""
        now = [
            [current.get(slug, slug) for slug in terms]
            for terms in (self.include, self.exclude)
        ]
        return CategoryFilter.create(*now, every=self.match_all)


NO_FILTER = CategoryFilter()


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """Which entries a feed holds, and how it shows them. A parameter that is None has its default.

    `archive` is a month, `YYYY-MM`, or a part of one, as `YYYY-MM.2`; `since` and `until` are the days `from`
    and `to`, `dated` is `date`.
    """

    kind: str
    format: str
    category_filter: CategoryFilter = NO_FILTER
    limit: int | None = None
    content: str | None = None
    lang: str | None = None
    archive: str | None = None
    when: str | None = None
    since: date | None = None
    until: date | None = None
    order: str | None = None
    date_field: str | None = None
    cancelled: str | None = None
    ui: str | None = None

    @property
    def path(self) -> str:
        """The canonical path and query of the feed."""
        selector = f"/{self.category_filter}" if self.category_filter.all_slugs else ""
        said = urlencode(list(self.parameters()), safe=",+-")
        return f"/feeds/{self.kind}{selector}.{self.format}" + (
            f"?{said}" if said else ""
        )

    def parameters(self) -> Iterator[tuple[str, str]]:
        """The parameters that are not at their default, in their canonical order."""
        for name, parameter in PARAMETERS.items():
            value = getattr(self, parameter.field)
            if value is not None and parameter.is_applicable(self.kind, self.format):
                yield name, str(value)

    @property
    def effective_limit(self) -> int:
        """The number of entries at most."""
        return self.limit or (_MAX_CALENDAR_EVENTS if self.format == "ics" else 50)

    @property
    def effective_period(self) -> str:
        """Which events by their end: `upcoming`, `recent`, `past` or `all`."""
        if self.when:
            return self.when
        if self.since or self.until or self.archive:
            return "all"
        return "recent" if self.format == "ics" else "upcoming"

    @property
    def out_of_range_on(self) -> date | None:
        """The first day on which `from` or `to` lies too far back; None where neither is given."""
        earliest = self.since or self.until
        return too_old_on(earliest) if earliest else None

    @property
    def archive_base(self) -> FeedQuery:
        """The query that the archive documents of this feed share; they differ in `archive`."""
        return replace(
            self,
            limit=None,
            when=None,
            since=None,
            until=None,
            order=None,
            date_field=None,
            archive=None,
        )

    @property
    def is_topic(self) -> bool:
        """Whether subscribers can have it pushed: a section, category or combination, `content` at most.

        Other parameters make documents without number, some of which take long to render.
        """
        return all(name == "content" for name, _ in self.parameters())

    @property
    def is_canonical_feed(self) -> bool:
        """Whether it is a section or one category, with every parameter at its default."""
        return (
            len(self.category_filter.all_slugs) <= 1
            and not self.category_filter.exclude
            and not any(self.parameters())
        )


@dataclass(frozen=True)
class Parameter:
    """A query parameter: the field of `FeedQuery` that it sets, its parser, and where it means something."""

    field: str
    parse: Callable[[str, FeedQuery], Any]
    default: Callable[[FeedQuery], Any]
    kind: str | None = None
    format: str | None = None
    excluded_format: str | None = None

    def is_applicable(self, kind: str, format: str) -> bool:
        """Whether it means something in the feeds of this kind and format."""
        return (
            self.kind in (None, kind)
            and self.format in (None, format)
            and format != self.excluded_format
        )


_MAX_CALENDAR_EVENTS = 1000  # of a calendar
_ARCHIVE_PARAMETERS = ("archive", "content", "lang", "cancelled", "ui")


def _one_of(*values: str) -> Callable[[str, FeedQuery], str]:
    def parse(text: str, query: FeedQuery) -> str:
        if text not in values:
            raise ValueError(f"must be {', '.join(values[:-1])} or {values[-1]}")
        return text

    return parse


def _limit(text: str, query: FeedQuery) -> int:
    most = _MAX_CALENDAR_EVENTS if query.format == "ics" else 200
    if not re.fullmatch("[0-9]{1,4}", text, re.ASCII) or not 1 <= int(text) <= most:
        raise ValueError(f"must be a whole number from 1 to {most}")
    return int(text)


def _language(text: str, query: FeedQuery) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,8}", text):
        raise ValueError("must be a BCP 47 language tag such as vi or en-GB")
    return text.lower()


def _archive(text: str, query: FeedQuery) -> str:
    """Parse a month or the part of a month; the first part is the month itself."""
    if not re.fullmatch(
        r"[0-9]{4}-(0[1-9]|1[0-2])(\.[1-9][0-9]{0,8})?", text, re.ASCII
    ):
        raise ValueError(
            "must be a month such as 2026-11, or a part of it such as 2026-11.2"
        )
    if not "1970" <= text[:4] <= "2200":
        raise ValueError("must be a month from 1970 to 2200")
    return text[:7] if text.endswith(".1") else text


def _day(text: str, query: FeedQuery) -> date:
    try:
        if (
            not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII)
            or not "1970" <= text[:4] <= "2200"
        ):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a day such as 2026-12-24") from None


PARAMETERS = {
    "limit": Parameter("limit", _limit, lambda query: query.effective_limit),
    "content": Parameter("content", _one_of("full", "summary"), lambda query: "full"),
    "lang": Parameter("lang", _language, lambda query: None),
    "archive": Parameter("archive", _archive, lambda query: None),
    "from": Parameter("since", _day, lambda query: None, "events"),
    "to": Parameter("until", _day, lambda query: None, "events"),
    "when": Parameter(
        "when",
        _one_of("upcoming", "recent", "past", "all"),
        lambda query: query.effective_period,
        "events",
    ),
    "order": Parameter(
        "order", _one_of("published", "start"), lambda query: "published", "events"
    ),
    "date": Parameter(
        "date_field",
        _one_of("published", "start"),
        lambda query: "published",
        "events",
        excluded_format="ics",
    ),
    "cancelled": Parameter(
        "cancelled", _one_of("mark", "hide"), lambda query: "mark", "events"
    ),
    "ui": Parameter("ui", _one_of(*UI_LANGUAGES), lambda query: None, format="html"),
}
"""Every query parameter, in canonical order: one comes behind those that its default depends on."""


def parse(
    kind: str,
    format: str,
    selector: str | None,
    given: Mapping[str, Sequence[str]],
    language: str,
    today: date,
) -> FeedQuery:
    """The query that a feed's URL stands for, canonical; unknown parameters are ignored.

    :param given: the values of each parameter in the URL.
    :param language: the site's, in which pages speak where `ui` does not say otherwise.
    :param today: the date in the site's zone, near which `from` and `to` must lie.
    :raises Malformed: a part cannot be read; the sentence names it.
    """
    query = FeedQuery(
        kind,
        format,
        CategoryFilter.parse(selector) if selector is not None else NO_FILTER,
    )
    known = {
        name: item
        for name, item in PARAMETERS.items()
        if name in given and item.is_applicable(kind, format)
    }
    for name, parameter in known.items():
        if len(given[name]) > 1:
            raise BadRequest(f"The parameter “{name}” is given twice.")
        try:
            value = parameter.parse(given[name][0], query)
        except ValueError as error:
            raise BadRequest(f"The parameter “{name}” {error}.") from None
        spoken = name == "ui" and value == primary_subtag(language)
        if value != parameter.default(query) and not spoken:
            query = replace(query, **{parameter.field: value})
    extra = (
        [name for name in known if name not in _ARCHIVE_PARAMETERS]
        if query.archive
        else []
    )
    if extra:
        raise BadRequest(f"The parameter “{extra[0]}” does not go with “archive”.")
    _check_dates(query, today)
    if query.since and query.until and query.until < query.since:
        raise BadRequest("The parameter “to” must not be before “from”.")
    return query


def _check_dates(query: FeedQuery, today: date) -> None:
    """Check that `from` and `to` are near enough for series to be expanded there.

    :raises Malformed: one is not.
    """
    first, last = allowed_dates(today)
    for name, day in (("from", query.since), ("to", query.until)):
        if day is not None and not first <= day <= last:
            raise BadRequest(
                f"The parameter “{name}” must lie between {first} and {last}."
            )
