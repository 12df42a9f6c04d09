"""The URL of a feed: parsing, canonical spelling, bad values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import BadRequest
from feedsvc.feed_query import (
    PARAMETERS,
    CategoryFilter,
    FeedQuery,
    allowed_dates,
    parse_feed_query,
)

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a", "a"),
        ("A", "a"),
        ("b,a", "a,b"),
        ("a,a", "a"),
        ("a+a", "a"),
        ("b+a", "a+b"),
        ("b a", "a+b"),
        ("-c", "-c"),
        ("-c,-b", "-b,-c"),
        ("-c+-b", "-b,-c"),
        ("-c,b,a", "a,b,-c"),
        ("-c+b+a", "a+b+-c"),
        ("-c+b", "b,-c"),
        ("b,-c", "b,-c"),
        ("giao-thong,VAN-HOA", "giao-thong,van-hoa"),
        ("a,-a", "a,-a"),
        (",".join("abcdefghij"), ",".join("abcdefghij")),
        (",".join("a" * 10), "a"),
        ("a" * 64, "a" * 64),
    ],
)
def test_category_filter_has_one_spelling(text: str, canonical: str) -> None:
    category_filter = CategoryFilter.parse(text)
    assert str(category_filter) == canonical
    assert CategoryFilter.parse(canonical) == category_filter


@pytest.mark.parametrize(
    "text",
    [
        "a,b+c",
        "a+b,c",
        "a b,c",
        "",
        ",",
        "+",
        "-",
        "--a",
        "a,",
        ",a",
        "a,,b",
        "a++b",
        "a+",
        "a-",
        "-a-",
        "a_b",
        "a/b",
        "a.b",
        "văn-hoá",
        "a\r\n",
        "a%2Cb",
        "a" * 65,
        ",".join("a" * 11),
        "a;b",
        "a|b",
        "*",
        "a\0",
        "１",
    ],
)
def test_bad_category_filter_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        CategoryFilter.parse(text)


SLUGS = st.sampled_from(["a", "b", "c", "van-hoa"])
TERMS = st.lists(st.tuples(st.booleans(), SLUGS), min_size=1, max_size=10)


@given(TERMS, st.sampled_from(",+"), st.randoms())
def test_order_case_and_repeats_of_terms_make_no_difference(
    terms: list[tuple[bool, str]], sign: str, random: Random
) -> None:
    words = [f"-{slug}" if is_excluded else slug for is_excluded, slug in terms]
    shuffled = [word.upper() for word in words]
    random.shuffle(shuffled)
    assert CategoryFilter.parse(sign.join(words)) == CategoryFilter.parse(
        sign.join(shuffled)
    )


@pytest.mark.parametrize(
    ("text", "retired", "remaining"),
    [
        ("a,b", "a", "b"),
        ("a,b,-c", "c", "a,b"),
        ("-a", "a", ""),
        ("a", "a", None),
        ("a,b", "ab", None),
        ("a+b", "a", None),
        ("a+b+-c", "c", "a+b"),
        ("a,-b", "a", None),
    ],
)
def test_filter_without_retired_categories(
    text: str, retired: str, remaining: str | None
) -> None:
    result = CategoryFilter.parse(text).without(retired)
    assert (result is None) == (remaining is None)
    assert str(result or "") == (remaining or "")


def test_filter_with_current_slugs_is_canonical() -> None:
    category_filter = CategoryFilter.parse("a+b+-c")
    assert str(category_filter.with_current_slugs({"a": "x", "c": "d"})) == "b+x+-d"
    assert str(category_filter.with_current_slugs({"a": "b"})) == "b,-c"


def parse(query: str, kind: str = "events", format: str = "rss") -> FeedQuery:
    given = parse_qs(query, keep_blank_values=True)
    return parse_feed_query(kind, format, None, given, "vi", TODAY)


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("", ""),
        ("limit=50", ""),
        ("limit=050", ""),
        ("limit=5", "limit=5"),
        ("content=full", ""),
        ("content=summary&limit=200", "limit=200&content=summary"),
        ("lang=EN-gb", "lang=en-gb"),
        ("when=upcoming", ""),
        ("when=upcoming&from=2026-12-01", "from=2026-12-01&when=upcoming"),
        ("when=all&from=2026-12-01", "from=2026-12-01"),
        ("to=2026-12-31&from=2026-12-01", "from=2026-12-01&to=2026-12-31"),
        (
            "cancelled=hide&date=start&order=start",
            "order=start&date=start&cancelled=hide",
        ),
        ("order=published&date=published&cancelled=mark", ""),
        ("archive=2026-11&lang=vi", "lang=vi&archive=2026-11"),
        ("archive=2026-11.12", "archive=2026-11.12"),
        ("archive=2026-11.1", "archive=2026-11"),
        ("ui=en", ""),
        ("utm_source=x", ""),
    ],
)
def test_parameters_have_one_spelling(query: str, canonical: str) -> None:
    path = "/feeds/events.rss" + (f"?{canonical}" if canonical else "")
    assert parse(query).path == path


def test_parameters_that_do_not_apply_are_ignored() -> None:
    query = "when=nonsense&from=nonsense&order=x&date=&cancelled=y&ui=zz"
    assert parse(query, "news") == FeedQuery("news", "rss")
    assert parse("date=nonsense", format="ics") == FeedQuery("events", "ics")


def test_page_in_the_language_of_the_site_is_the_default() -> None:
    assert parse("ui=vi", format="html") == FeedQuery("events", "html")
    assert parse("ui=en", format="html").path == "/feeds/events.html?ui=en"


@pytest.mark.parametrize(
    ("format", "query", "other_format", "expected"),
    [
        ("html", "content=full&lang=en", "rss", "?lang=en"),
        ("rss", "content=summary&lang=en", "html", "?lang=en"),
        ("rss", "content=summary", "atom", "?content=summary"),
        ("html", "limit=50&order=published&ui=en", "rss", ""),
        ("rss", "limit=20&order=start", "html", ""),
        ("rss", "limit=20&date=start", "ics", "?limit=20"),
        ("ics", "when=upcoming", "rss", ""),
    ],
)
def test_parameters_in_another_format(
    format: str, query: str, other_format: str, expected: str
) -> None:
    other = parse(query, format=format).in_format(other_format)
    assert other.path == f"/feeds/events.{other_format}{expected}"


@pytest.mark.parametrize(
    ("format", "default", "maximum"),
    [
        ("rss", 50, 200),
        ("atom", 50, 200),
        ("json", 50, 200),
        ("html", 20, 200),
        ("ics", 1000, 1000),
    ],
)
def test_default_and_maximum_of_limit(format: str, default: int, maximum: int) -> None:
    assert parse("", format=format).effective_limit == default
    assert parse(f"limit={default}", format=format) == parse("", format=format)
    assert parse(f"limit={maximum}", format=format).effective_limit == maximum
    with pytest.raises(BadRequest, match=f"from 1 to {maximum}"):
        parse(f"limit={maximum + 1}", format=format)


@pytest.mark.parametrize(
    ("format", "query", "period"),
    [
        ("rss", "", "upcoming"),
        ("html", "", "upcoming"),
        ("ics", "", "recent"),
        ("rss", "when=past", "past"),
        ("rss", "to=2026-12-01", "all"),
        ("ics", "from=2026-12-01", "all"),
        ("rss", "archive=2026-11", "all"),
    ],
)
def test_period_of_events(format: str, query: str, period: str) -> None:
    assert parse(query, format=format).effective_period == period


@dataclass
class Values:
    """Accepted values of a parameter, the first of which is no default, and refused ones.

    :param canonical: the values that the canonical URL has in another form.
    :param selected: members of an event that the first value selects.
    :param rejected: members of an event that it does not, if it selects entries.
    :param in_title: the title names the value, if it selects entries.
    """

    good: list[str]
    bad: list[str]
    format: str = "rss"
    in_archives: bool = False
    canonical: dict[str, str] = field(default_factory=dict)
    selected: dict[str, Any] = field(default_factory=dict)
    rejected: dict[str, Any] = field(default_factory=dict)
    in_title: bool = True


# A row for each parameter: test_every_parameter_has_values fails where one is missing.
VALUES = {
    "limit": Values(
        ["5", "1", "200"],
        "0|201|-1|+5|1.5|| 5|5 |9999|1e2|٥|five|0x10|99999999999".split("|"),
    ),
    "content": Values(
        ["summary"],
        ["", "FULL", "none", "full,summary", "1"],
        in_archives=True,
    ),
    "lang": Values(
        ["vi", "en-GB", "zh-Hant-TW", "sl-rozaj-biske-1994"],
        ["", "v", "vietnamese-", "vi_VN", "*", "vi vn", "việt", "abcd"],
        in_archives=True,
        canonical={"en-GB": "en-gb", "zh-Hant-TW": "zh-hant-tw"},
        selected={"language": "vi"},
        rejected={"language": "en"},
        in_title=False,
    ),
    "q": Values(
        ["Cầu giấy", "C++ c", "Đà-Nẵng_2026", " ".join("abcdefghij"), "đ" * 100],
        [" ".join("abcdefghijk"), "x" * 101, "ß" * 51],
        canonical={
            "Cầu giấy": "cau+giay",
            "C++ c": "c",
            "Đà-Nẵng_2026": "2026+da+nang",
            " ".join("abcdefghij"): "+".join("abcdefghij"),
            "đ" * 100: "d" * 100,
        },
        selected={"title": "Giấy ở Cầu"},
        rejected={"title": "Giấy"},
    ),
    "archive": Values(
        ["2026-11", "1970-01", "2200-12", "2026-11.2"],
        "|2026|2026-13|2026-11.|2026-11.0|2026-11.02|2026-11.2.3|2026-00|2026-1|1969-12"
        "|2201-01|202611|2026-11-01|٢٠٢٦-11".split("|"),
        in_archives=True,
        selected={"date_published": "2026-11-20T08:00:00"},
        rejected={"date_published": "2026-10-20T08:00:00"},
    ),
    "from": Values(
        ["2026-12-24", "2016-11-25", "2031-11-25", "2028-02-29"],
        "|2026-02-30|2026-12|1969-12-31|2201-01-01|20261224|2026-12-24T00:00:00|today"
        "|2016-11-24|2031-11-26".split("|"),
        selected={"start": "2026-12-24T19:00:00"},
        rejected={"start": "2026-12-23T19:00:00"},
        in_title=False,
    ),
    "to": Values(
        ["2026-12-24", "2016-11-25", "2031-11-25"],
        ["", "2026-02-29", "24-12-2026", "2026-12-32", "2016-11-24", "2031-11-26"],
        rejected={"start": "2026-12-25T19:00:00"},
        in_title=False,
    ),
    "when": Values(["all", "recent", "past"], ["", "now", "UPCOMING", "future"]),
    "order": Values(["start"], ["", "title", "start,published"]),
    "date": Values(["start"], ["", "end", "updated"]),
    "cancelled": Values(
        ["hide"],
        ["", "show", "true"],
        in_archives=True,
        selected={"event_status": "confirmed"},
        rejected={"event_status": "cancelled"},
        in_title=False,
    ),
    "ui": Values(["en"], ["", "fr", "EN", "vi,en"], format="html", in_archives=True),
}

SELECTED: dict[str, Any] = {}
"""Members of an event that the first value of each parameter selects."""
REJECTED: dict[str, Any] = {}
"""Members of an event that none of them selects."""
for values in VALUES.values():
    SELECTED |= values.selected
    REJECTED |= values.rejected


def query_string(*names: str) -> str:
    """Return the first value of each parameter as the canonical URL has it."""
    values = ((name, VALUES[name].good[0]) for name in names)
    return "&".join(f"{name}={VALUES[name].canonical.get(v, v)}" for name, v in values)


def test_every_parameter_has_values() -> None:
    assert set(VALUES) == set(PARAMETERS), (
        f"tests/test_feed_query.py, VALUES: {set(VALUES) ^ set(PARAMETERS)}"
    )


def example(name: str) -> FeedQuery:
    """Return a query with the first value of a parameter."""
    return parse_values(VALUES[name].format, **{name: VALUES[name].good[:1]})


def test_message_names_the_years_of_archives() -> None:
    with pytest.raises(BadRequest, match="a month from 1970 to 2200"):
        parse("archive=2201-01")


def parse_values(format: str, **given: list[str]) -> FeedQuery:
    return parse_feed_query("events", format, None, given, "vi", TODAY)


@pytest.mark.parametrize("name", VALUES)
def test_good_value_is_in_the_canonical_url(name: str) -> None:
    values = VALUES[name]
    for value in values.good:
        query = parse_values(values.format, **{name: [value]})
        canonical = values.canonical.get(value, value)
        assert query.path == f"/feeds/events.{values.format}?{name}={canonical}"
        assert not query.is_canonical_feed


@pytest.mark.parametrize("name", VALUES)
def test_bad_value_is_refused_by_name(name: str) -> None:
    for value in VALUES[name].bad:
        with pytest.raises(BadRequest, match=f"“{name}”"):
            parse_values(VALUES[name].format, **{name: [value]})


@pytest.mark.parametrize("name", VALUES)
def test_repeated_parameter_is_refused(name: str) -> None:
    value = VALUES[name].good[0]
    with pytest.raises(BadRequest, match=f"“{name}” is given twice"):
        parse_values(VALUES[name].format, **{name: [value, value]})


@pytest.mark.parametrize("name", [name for name in VALUES if name != "archive"])
def test_archives_have_only_their_parameters(name: str) -> None:
    values = VALUES[name]
    given = {"archive": ["2026-11"], name: values.good[:1]}
    if not values.in_archives:
        with pytest.raises(BadRequest, match=f"“{name}” cannot be combined with"):
            parse_values(values.format, **given)
        return
    query = parse_values(values.format, **given)
    assert query.archive == "2026-11"
    assert query.archive_base == parse_values(values.format, **{name: values.good[:1]})


@pytest.mark.parametrize("name", [name for name in VALUES if name != "archive"])
def test_archive_base_keeps_the_parameters_of_archives(name: str) -> None:
    values = VALUES[name]
    query = parse_values(values.format, **{name: values.good[:1]})
    expected = query if values.in_archives else FeedQuery("events", values.format)
    assert query.archive_base == expected


@pytest.mark.parametrize(
    ("text", "is_canonical"),
    [("", True), ("a", True), ("a,b", False), ("-a", False), ("a+b", False)],
)
def test_sections_and_categories_are_canonical_feeds(
    text: str, is_canonical: bool
) -> None:
    category_filter = CategoryFilter.parse(text) if text else CategoryFilter()
    query = FeedQuery("news", "rss", category_filter)
    assert query.is_canonical_feed == is_canonical


def test_different_texts_are_different_urls() -> None:
    texts = ["a b", "a+b", "a%20b", "a,b", "a&b", "a=b"]
    assert len({FeedQuery("news", "rss", lang=text).path for text in texts}) == 6


def test_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadRequest, match="“to”"):
        parse("from=2026-12-02&to=2026-12-01")


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_day_on_which_the_dates_of_a_query_are_too_old(day: date) -> None:
    query = FeedQuery("events", "rss", since=day, until=day + timedelta(days=9))
    too_old_on = query.out_of_range_on
    assert too_old_on is not None
    assert allowed_dates(too_old_on)[0] > day
    assert day >= allowed_dates(too_old_on - timedelta(days=1))[0]
    assert FeedQuery("events", "rss", until=day).out_of_range_on == too_old_on
    assert FeedQuery("events", "rss").out_of_range_on is None
