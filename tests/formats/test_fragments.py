"""A fragment depends on nothing but its key: the stamp of an entry, and how a feed shows it."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from importlib import import_module
from inspect import isfunction
from typing import Any
from urllib.parse import unquote_plus

import pytest

from feedsvc.feeds.feed import FeedHead
from feedsvc.feeds.query import FORMATS, PARAMETERS, FeedQuery
from feedsvc.formats.fragments import Fragment, FragmentCache, fragment_key
from feedsvc.formats.shown import show
from feedsvc.models import Cancellation, Category, Recurrence, Stamp
from feedsvc.storage.documents import COLUMN_MEMBERS
from tests.data import read_tables
from tests.formats.feeds import CONCERT, FULL, HANOI, SITE

MADE_OF = {
    "guid": "changed_at",
    "version": "changed_at",
    "sequence": "changed_at",
    "updated": "updated_at",
    "starts": "starts_at",
    "ends": "ends_at",
    "is_ongoing": "listed_at",
    "is_next": "occurrence",
    "is_over": "is_over",
    "categories": "categories",
    "translations": "translations",
}
"""Members of entries outside their documents, and those of stamps that they follow."""

CONCERT_EVENT = CONCERT.event
assert CONCERT_EVENT
SERIES = replace(
    FULL,
    kind="events",
    language="vi",
    event=replace(
        CONCERT_EVENT,
        recurrence=Recurrence(
            "FREQ=DAILY",
            cancelled=(Cancellation(datetime(2026, 12, 25, 19, tzinfo=HANOI), "Mưa"),),
        ),
    ),
    starts=datetime(2026, 12, 24, 12, tzinfo=UTC),
)
MAKERS = {
    name: import_module(f"feedsvc.formats.{name}").make_fragment
    for name, form in FORMATS.items()
    if not form.is_page
}


@pytest.mark.parametrize("format", MAKERS)
def test_fragment_reads_only_parameters_that_its_key_has(format: str) -> None:
    parameters: set[str] = set()

    class RecordedQuery(FeedQuery):
        def __getitem__(self, name: str) -> Any:
            parameters.add(name)
            return super().__getitem__(name)

        def __getattribute__(self, name: str) -> Any:
            assert name not in ("category_filter", "page", "path"), name
            return super().__getattribute__(name)

    query = RecordedQuery("events", FORMATS[format], parameters={"content": "full"})
    MAKERS[format](show(SERIES, FeedHead(query, SITE)))
    assert parameters
    assert not [name for name in parameters if PARAMETERS[name].only_selects]


def test_every_member_outside_the_document_follows_from_the_stamp() -> None:
    assert MADE_OF.keys() == COLUMN_MEMBERS, "Stamp in feedsvc/models.py, MADE_OF"
    assert {*MADE_OF.values(), "pk"} == {*Stamp._fields}, "MADE_OF"


DAY = datetime(2026, 12, 24, tzinfo=UTC)
CATEGORY = Category("a", "A", titles={"en": "A"})
STAMP = Stamp(1, 2, 2, 2, 2, 2, False, (CATEGORY,), ((2, 2),))
OTHER_VALUES: dict[type, Any] = {int: 9, bool: True}
OTHER_CATEGORIES: list[dict[str, Any]] = [
    {each.name: {"de": "A"} if each.name == "titles" else "b"}
    for each in fields(Category)
]
OTHER_STAMPS = [
    *(
        STAMP._replace(**{name: OTHER_VALUES[type(value)]})
        for name, value in STAMP._asdict().items()
        if type(value) in OTHER_VALUES
    ),
    STAMP._replace(occurrence=DAY),
    STAMP._replace(occurrence=DAY.replace(day=25)),
    STAMP._replace(starts_at=None),
    *(
        STAMP._replace(categories=(replace(CATEGORY, **change),))
        for change in OTHER_CATEGORIES
    ),
    STAMP._replace(categories=(CATEGORY, Category("b", "B"))),
    STAMP._replace(categories=(Category("b", "B"), CATEGORY)),
    STAMP._replace(translations=()),
    STAMP._replace(translations=((9, 2),)),
    STAMP._replace(translations=((2, 9),)),
]
PRESENTATIONS = [
    FeedQuery(kind, FORMATS[format], parameters=parameters).presentation
    for kind, format, parameters in (
        ("events", "rss", {}),
        ("news", "rss", {}),
        ("events", "atom", {}),
        ("events", "rss", {"content": "summary"}),
        ("events", "rss", {"lang": "en"}),
        ("events", "rss", {"lang": "de"}),
        ("events", "rss", {"date": "start"}),
        ("events", "ics", {}),
        ("events", "ics", {"cancelled": "hide"}),
        ("events", "ics", {"content": "full"}),
    )
]


def test_every_member_of_stamp_and_presentation_changes_the_key() -> None:
    changed = {
        name
        for stamp in OTHER_STAMPS
        for name in Stamp._fields
        if getattr(stamp, name) != getattr(STAMP, name)
    }
    assert changed == {*Stamp._fields}, "OTHER_STAMPS"
    keys = [fragment_key(PRESENTATIONS[0], stamp) for stamp in (STAMP, *OTHER_STAMPS)]
    keys += [fragment_key(presentation, STAMP) for presentation in PRESENTATIONS[1:]]
    assert len(keys) == len({*keys})


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_that_changes_fragments_does_not_only_select(name: str) -> None:
    # Not the language of the entry, which is one of the values.
    site = replace(SITE, language="ja")
    good = map(unquote_plus, read_tables("parameters")["good"][name])
    values = map(PARAMETERS[name].parse, good)
    is_shown = False
    has_fragments = False
    for value in values:
        for format, make in MAKERS.items():
            plain = FeedQuery("events", FORMATS[format])
            query = plain.with_parameters(**{name: value})
            has_fragments |= query != plain
            fragments = (make(show(SERIES, FeedHead(q, site))) for q in (plain, query))
            is_shown |= len({*fragments}) > 1
    # Pages alone have `ui`, and no fragments.
    assert is_shown or PARAMETERS[name].only_selects or not has_fragments
    assert not (is_shown and PARAMETERS[name].only_selects), (
        f"feedsvc/feeds/query.py: “{name}” does not only select"
    )


@pytest.mark.parametrize("format", MAKERS)
def test_fragment_maker_has_no_closure_on_which_it_would_depend(format: str) -> None:
    assert isfunction(MAKERS[format])
    assert not MAKERS[format].__closure__


def test_cache_is_bounded_by_bytes() -> None:
    cache = FragmentCache(max_bytes=10_000)
    keys = [bytes([number]) for number in range(20)]
    for key in keys:
        cache.store(key, Fragment(bytes(1000)))
        assert cache.get(keys[0]), "the one that is used stays"
    # Keys are counted too.
    assert len([key for key in keys if cache.get(key)]) == 5
    cache.store(b"large", Fragment(bytes(10_000)))
    assert cache.get(b"large") is None
