"""A feed's address: what is read from it, how it is spelled, and what cannot be read."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.date_range import allowed_dates
from feedsvc.errors import BadRequest
from feedsvc.query import PARAMETERS, CategoryFilter, FeedQuery, parse

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
    ],
)
def test_selectors_have_one_spelling(text: str, canonical: str) -> None:
    selector = CategoryFilter.parse(text)
    assert str(selector) == canonical
    assert CategoryFilter.parse(canonical) == selector


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
def test_selectors_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest):
        CategoryFilter.parse(text)


def query(format: str = "rss", kind: str = "events", **given: str) -> FeedQuery:
    values = {name.strip("_"): [value] for name, value in given.items()}
    return parse(kind, format, None, values, "vi", TODAY)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ({}, ""),
        ({"limit": "50"}, ""),
        ({"limit": "050"}, ""),
        ({"limit": "5"}, "limit=5"),
        ({"content": "full"}, ""),
        ({"content": "summary", "limit": "200"}, "limit=200&content=summary"),
        ({"lang": "EN-gb"}, "lang=en-gb"),
        ({"when": "upcoming"}, ""),
        ({"when": "upcoming", "from_": "2026-12-01"}, "from=2026-12-01&when=upcoming"),
        ({"when": "all", "from_": "2026-12-01"}, "from=2026-12-01"),
        ({"to": "2026-12-31", "from_": "2026-12-01"}, "from=2026-12-01&to=2026-12-31"),
        (
            {"order": "start", "date": "start", "cancelled": "hide"},
            "order=start&date=start&cancelled=hide",
        ),
        ({"order": "published", "date": "published", "cancelled": "mark"}, ""),
        ({"archive": "2026-11", "lang": "vi"}, "lang=vi&archive=2026-11"),
        ({"archive": "2026-11.12"}, "archive=2026-11.12"),
        ({"archive": "2026-11.1"}, "archive=2026-11"),
        ({"ui": "en"}, ""),
        ({"utm_source": "x"}, ""),
    ],
)
def test_parameters_have_one_spelling(given: dict[str, str], canonical: str) -> None:
    assert query(**given).path == "/feeds/events.rss" + (
        f"?{canonical}" if canonical else ""
    )


def test_parameters_that_mean_nothing_here_are_ignored() -> None:
    strange = {
        "when": "nonsense",
        "from_": "nonsense",
        "order": "x",
        "date": "",
        "cancelled": "y",
    }
    assert query(kind="news", **strange) == FeedQuery("news", "rss")
    assert query(format="ics", date="nonsense", limit="1000") == FeedQuery(
        "events", "ics"
    )
    assert query(format="html", ui="vi") == FeedQuery("events", "html")
    assert query(format="html", ui="en").path == "/feeds/events.html?ui=en"


BAD = {
    "limit": [
        "0",
        "201",
        "-1",
        "+5",
        "1.5",
        "",
        " 5",
        "5 ",
        "9999",
        "1e2",
        "٥",
        "five",
        "0x10",
        "99999999999",
    ],
    "content": ["", "FULL", "none", "full,summary", "1"],
    "lang": ["", "v", "vietnamese-", "vi_VN", "*", "vi vn", "việt", "abcd"],
    "archive": [
        "",
        "2026",
        "2026-13",
        "2026-11.",
        "2026-11.0",
        "2026-11.02",
        "2026-11.2.3",
        "2026-00",
        "2026-1",
        "1969-12",
        "2201-01",
        "202611",
        "2026-11-01",
        "٢٠٢٦-11",
    ],
    "from": [
        "",
        "2026-02-30",
        "2026-12",
        "1969-12-31",
        "2201-01-01",
        "20261224",
        "2026-12-24T00:00:00",
        "today",
    ],
    "to": ["", "2026-02-29", "24-12-2026", "2026-12-32"],
    "when": ["", "now", "UPCOMING", "future"],
    "order": ["", "title", "start,published"],
    "date": ["", "end", "updated"],
    "cancelled": ["", "show", "true"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in BAD for value in BAD[name]]
)
def test_bad_values_are_named(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=f"“{name}”"):
        parse("events", "rss", None, {name: [value]}, "vi", TODAY)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_given_twice_is_refused(name: str) -> None:
    good = {
        "limit": "5",
        "content": "full",
        "lang": "vi",
        "archive": "2026-11",
        "ui": "vi",
        "when": "all",
    }
    good |= {
        "from": "2026-01-01",
        "to": "2026-01-01",
        "order": "start",
        "date": "start",
        "cancelled": "hide",
    }
    with pytest.raises(BadRequest, match="twice"):
        parse("events", "html", None, {name: [good[name]] * 2}, "vi", TODAY)


@pytest.mark.parametrize("name", ["limit", "when", "from", "to", "order", "date"])
def test_an_archive_goes_with_few(name: str) -> None:
    good = {
        "limit": "5",
        "when": "all",
        "from": "2026-01-01",
        "to": "2026-01-01",
        "order": "start",
        "date": "start",
    }
    with pytest.raises(BadRequest, match=f"“{name}” does not go with"):
        parse(
            "events",
            "rss",
            None,
            {"archive": ["2026-11"], name: [good[name]]},
            "vi",
            TODAY,
        )


def test_a_window_that_ends_before_it_begins() -> None:
    with pytest.raises(BadRequest, match="“to”"):
        query(from_="2026-12-02", to="2026-12-01")


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    ("day", "near"),
    [
        ("2016-11-24", False),
        ("2016-11-25", True),
        ("2031-11-25", True),
        ("2031-11-26", False),
    ],
)
def test_dates_lie_between_ten_years_back_and_five_ahead(
    name: str, day: str, near: bool
) -> None:
    given = {f"{name}_": day}
    if near:
        assert query(**given).path.endswith(f"{name}={day}")
    else:
        with pytest.raises(BadRequest, match=f"“{name}”.*2016-11-25.*2031-11-25"):
            query(**given)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_a_query_says_on_which_day_its_dates_are_too_old(day: date) -> None:
    turn = FeedQuery(
        "events", "rss", since=day, until=day + timedelta(days=9)
    ).out_of_range_on
    assert turn is not None
    assert allowed_dates(turn)[0] > day >= allowed_dates(turn - timedelta(days=1))[0]
    assert FeedQuery("events", "rss", until=day).out_of_range_on == turn
    assert FeedQuery("events", "rss").out_of_range_on is None


SLUGS = st.sampled_from(["a", "b", "c", "van-hoa"])
TERMS = st.lists(st.tuples(st.booleans(), SLUGS), min_size=1, max_size=10)


@given(TERMS, st.sampled_from(",+"), st.randoms())
def test_order_repeats_and_case_make_no_difference(
    terms: list[tuple[bool, str]], sign: str, random: Random
) -> None:
    spelled = [f"-{slug}" if out else slug for out, slug in terms]
    shuffled = [term.upper() for term in spelled]
    random.shuffle(shuffled)
    assert CategoryFilter.parse(sign.join(spelled)) == CategoryFilter.parse(
        sign.join(shuffled)
    )
