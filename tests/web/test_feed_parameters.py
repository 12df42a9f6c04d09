"""Every parameter of feeds: good and bad values, defaults, spellings, titles."""

import re
from itertools import combinations
from typing import Any

import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS, PARAMETERS
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.fake_clock import Clock
from tests.web.feeds import ids

PUBLIC = "https://feeds.example"
TABLES = read_tables("parameters")
GOOD, BAD = TABLES["good"], TABLES["bad"]


def path_of(name: str) -> str:
    """Return the path of a feed of events that has a parameter."""
    return f"/feeds/events.{'html' if name == 'ui' else 'rss'}"


@pytest.fixture(scope="module")
def shared_client(shared_editor: ApiClient) -> FlaskClient:
    """Return a client of an application with three pages of one event."""
    for id in ("a", "b", "c"):
        shared_editor.put(f"/events/{id}", {"title": "Hội", "start": "2026-12-24"})
    return shared_editor.client


def test_parameter_is_in_the_title_or_listed_as_untitled(
    shared_client: FlaskClient,
) -> None:
    def title(query: str) -> Any:
        query = query.replace("page=", "limit=1&page=")
        response = shared_client.get(f"/feeds/events.json?{query}")
        return response.get_json(force=True)["title"]

    untitled = {
        name
        for name, values in GOOD.items()
        # Some values are defaults.
        if {title(f"{name}={value}") for value in values} == {title("")}
    }
    assert untitled == set(TABLES["untitled"]), (
        "feedsvc/formats/titles.py, “untitled” in tests/data/parameters.toml"
    )


def test_every_parameter_has_values_and_an_effect() -> None:
    assert set(PARAMETERS) == set(GOOD) == set(BAD), "tests/data/parameters.toml"
    selecting = {parameter.partition("=")[0] for parameter in REJECTED}
    assert set(PARAMETERS) == selecting | CHANGED.keys(), (
        "“rejected” or “changed” in tests/data/parameters.toml"
    )


@pytest.mark.parametrize("name", GOOD)
def test_good_value_is_in_the_canonical_url(
    shared_client: FlaskClient, name: str
) -> None:
    for value in GOOD[name]:
        path = f"{path_of(name)}?{name}={value}"
        # The second page needs a first one that is full.
        path = path.replace("?page=", "?limit=1&page=")
        response = shared_client.get(f"{path}&utm_source=x")
        assert response.status_code == 200, response.text
        assert f"<{PUBLIC}{path}>" in response.headers["Link"], value


@pytest.mark.parametrize("name", BAD)
def test_bad_value_is_refused_by_name(shared_client: FlaskClient, name: str) -> None:
    for value in BAD[name]:
        path = f"{path_of(name)}?{name}={value}"
        response = shared_client.get(path.replace("+", "%2B"))
        assert response.status_code == 400, value
        assert response.mimetype == "application/problem+json"
        assert f"“{name}”" in response.get_json()["detail"]


@pytest.mark.parametrize("name", GOOD)
def test_repeated_parameter_is_refused(shared_client: FlaskClient, name: str) -> None:
    value = f"{name}={GOOD[name][0]}"
    response = shared_client.get(f"{path_of(name)}?{value}&{value}")
    assert f"“{name}” is given twice" in response.get_json()["detail"]


@pytest.mark.parametrize("format", FORMATS)
def test_odd_characters_in_a_search_are_no_error(
    shared_client: FlaskClient, format: str
) -> None:
    # NUL, a control character, a noncharacter, a lone surrogate, and no UTF-8.
    for text in ("%00", "%01", "%EF%BF%BE", "%ED%A0%80", "%FF"):
        path = f"/feeds/events.{format}?q=a{text}"
        assert shared_client.get(path).status_code in (200, 400)


@pytest.mark.parametrize(("path", "detail"), TABLES["hints"])
def test_error_has_a_hint(shared_client: FlaskClient, path: str, detail: str) -> None:
    response = shared_client.get(f"/feeds/{path}")
    assert response.status_code == 400
    assert detail in response.get_json()["detail"]


@pytest.mark.parametrize(("plain", "same"), TABLES["equal"])
def test_defaults_and_other_spellings_are_the_same_feed(
    shared_client: FlaskClient, plain: str, same: str
) -> None:
    expected = shared_client.get(f"/feeds/{plain}")
    path = plain.partition("?")[0]
    response = shared_client.get(f"/feeds/{path}?{same}")
    assert response.status_code == 200, response.text
    assert response.data == expected.data
    for name in ("ETag", "Link", "Cache-Control"):
        assert response.headers[name] == expected.headers[name]


@pytest.mark.parametrize(("given", "canonical"), TABLES["redirected"])
def test_other_spellings_are_redirected(
    shared_client: FlaskClient, given: str, canonical: str
) -> None:
    response = shared_client.get(f"/feeds/{given}")
    assert response.status_code == 301
    assert response.headers["Location"] == f"{PUBLIC}/feeds/{canonical}"
    assert shared_client.get(f"/feeds/{canonical}").status_code == 200


@pytest.mark.parametrize(("page", "feeds"), TABLES["alternates"])
def test_page_links_to_the_same_feed_in_other_formats(
    shared_client: FlaskClient, page: str, feeds: dict[str, str]
) -> None:
    text = shared_client.get(f"/feeds/events.html{page}").text
    links = re.findall(r'<link rel="alternate"[^>]* href="([^"]*)"', text)
    for format, query in feeds.items():
        assert f"{PUBLIC}/feeds/events.{format}{query}" in links


SELECTED = TABLES["selected"]
REJECTED, CHANGED = TABLES["rejected"], TABLES["changed"]


@pytest.mark.parametrize("name", CHANGED)
def test_parameter_changes_the_document(
    editor: ApiClient, client: FlaskClient, name: str
) -> None:
    editor.put("/events/a", {**SELECTED, "content_text": "Một", "summary": "Hai"})
    editor.put("/events/b", {**SELECTED, "start": "2026-12-25"})
    documents = {
        # Addresses differ in any case, since they contain the parameters.
        re.sub('https://[^"<]*', "", client.get(f"{path_of(name)}?{query}").text)
        for query in CHANGED[name]
    }
    assert len(documents) == 2, f"{name} has no effect in feedsvc/formats"


@pytest.mark.both_databases
@pytest.mark.parametrize("place", ["", "/van-hoa", "/van-hoa,-giao-thong"])
def test_parameter_selects_entries_beside_each_other_one(
    editor: ApiClient, client: FlaskClient, place: str
) -> None:
    def selected(*parameters: str) -> set[str]:
        when = [] if "when=upcoming" in parameters else ["when=all"]
        query = "&".join([*when, *parameters])
        return {*ids(client, f"/feeds/events{place}.json?{query}")}

    for name, changes in {"selected": {}, **REJECTED}.items():
        id = name.partition("=")[0]
        editor.put(f"/events/{id}", {**SELECTED, **changes})
    alone = {parameter: selected(parameter) for parameter in REJECTED}
    for parameter, found in alone.items():
        message = f"{parameter}: feedsvc/feeds/select.py"
        assert "selected" in found, message
        assert parameter.partition("=")[0] not in found, message
    for one, other in combinations(REJECTED, 2):
        names = {one.partition("=")[0], other.partition("=")[0]}
        if "period" not in names or not names & {"from", "to"}:
            assert selected(one, other) == alone[one] & alone[other], one


def test_dates_of_a_window_are_near_today_in_the_zone_of_the_site(
    client: FlaskClient, clock: Clock
) -> None:
    for hour, status in ((16, 400), (17, 200)):
        clock.now = clock.now.replace(hour=hour)
        response = client.get("/feeds/events.rss?to=2031-11-26")
        assert response.status_code == status
