"""Every parameter of feeds: entries, titles, spellings, place in the response cache."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import pytest
from flask.testing import FlaskClient
from lxml import html

from feedsvc.feed_query import FORMATS, PARAMETERS
from feedsvc.services import get_services
from feedsvc.storage.feed_conditions import PARAMETER_CONDITIONS
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.test_feed_query import SELECTED, VALUES, query_string

SELECTING = [name for name in VALUES if VALUES[name].rejected]
"""The parameters that select entries."""

FREE_TEXT = [name for name in PARAMETERS if PARAMETERS[name].is_free_text]


@pytest.mark.parametrize("name", PARAMETER_CONDITIONS)
def test_conditions_are_in_archives_and_have_examples(name: str) -> None:
    assert PARAMETERS[name].in_archives, (
        f"feedsvc/feed_query.py: {name} needs in_archives=True, since archives have its condition"
    )
    assert name in SELECTING, f"tests/test_feed_query.py: {name} needs `rejected`"


@pytest.mark.both_databases
@pytest.mark.parametrize("name", SELECTING)
def test_parameter_selects_entries_beside_each_other_one(
    editor: ApiClient, client: FlaskClient, clock: Clock, name: str
) -> None:
    selected = {"title": "x", "start": "2026-12-24", "categories": ["van-hoa"]}
    selected |= SELECTED
    editor.put("/events/selected", selected)
    editor.put("/events/rejected", {**selected, **VALUES[name].rejected})
    clock.forward(minutes=1)
    for other in VALUES:
        names = [key for key in VALUES if key in (name, other)]
        in_archives = all(VALUES[key].in_archives for key in names)
        if "archive" in names and not in_archives:
            continue
        for path in ("/feeds/events", "/feeds/events/van-hoa"):
            url = f"{path}.json?{query_string(*names)}"
            items = client.get(url).get_json(force=True)["items"]
            assert [item["_entry"]["id"] for item in items] == ["selected"], (
                f"{url}, by its condition in feedsvc/storage/feed_conditions.py"
            )
    items = client.get("/feeds/events.json?when=all").get_json(force=True)["items"]
    assert len(items) == 2


@pytest.mark.parametrize("name", [name for name in VALUES if name not in SELECTING])
def test_parameter_that_selects_no_entries_changes_them(
    editor: ApiClient, client: FlaskClient, clock: Clock, name: str
) -> None:
    for number, day in enumerate(["11-20", *(f"12-0{n}" for n in range(1, 7))]):
        event = {"title": "x", "start": f"2026-{day}", "content_text": "long"}
        editor.put(f"/events/e{number}", event)
        clock.forward(minutes=1)
    path = f"/feeds/events.{PARAMETERS[name].format or 'json'}"
    query = f"?{query_string(name)}"

    def entries(url: str) -> Any:
        response = client.get(url)
        if url.startswith("/feeds/events.json"):
            return response.get_json(force=True)["items"]
        return response.text.replace(query, "")

    assert entries(path + query) != entries(path), (
        f"{name} changes nothing: if it selects entries, tests/test_feed_query.py needs"
        " `rejected`, and feedsvc/storage/feed_conditions.py its condition"
    )


@pytest.mark.parametrize("name", [name for name in SELECTING if VALUES[name].in_title])
def test_title_and_heading_name_what_is_selected(
    editor: ApiClient, client: FlaskClient, name: str
) -> None:
    assert PARAMETERS[name].in_title, (
        f"feedsvc/feed_query.py: {name} selects entries, so it needs in_title=True"
    )
    path = "/feeds/events/van-hoa"
    page = html.fromstring(client.get(f"{path}.html?{query_string(name)}").text)
    _, category, value = page.findtext(".//h1", "").split(" – ")
    feed = client.get(f"{path}.json?{query_string(name)}").get_json(force=True)
    assert f" – {category} – {value} – " in feed["title"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_invented_values_do_not_fill_the_response_cache(
    make_app: MakeApp, name: str
) -> None:
    app = make_app(cache_entries=80)
    client = app.test_client()
    letters = [f"{letter}bc" for letter in "abcdefghijklmnopqrst"]
    numbers = [str(number) for number in range(10_000, 10_020)]
    format = PARAMETERS[name].format or "rss"
    for value in letters + numbers:
        response = client.get(f"/feeds/events.{format}?{name}={value}")
        assert response.status_code in (200, 400)
    stored, _ = get_services(app).cache.stats()
    assert stored <= 10, f"feedsvc/feed_query.py: {name} needs is_free_text=True"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", FREE_TEXT)
def test_odd_characters_in_free_text_are_no_error(
    editor: ApiClient, client: FlaskClient, name: str, format: str
) -> None:
    # NUL, a control character, a noncharacter, a lone surrogate, and no UTF-8.
    for text in ("%00", "%01", "%EF%BF%BE", "%ED%A0%80", "%FF"):
        path = f"/feeds/events.{format}?{name}=a{text}"
        response = client.get(path)
        if response.status_code == 301:
            response = client.get(response.headers["Location"])
        assert response.status_code in (200, 400), (
            f"{path}: feedsvc/feed_query.py lets it pass to the format"
        )


@pytest.mark.parametrize("name", FREE_TEXT)
def test_other_spelling_of_free_text_is_redirected(
    editor: ApiClient, client: FlaskClient, name: str
) -> None:
    spellings = VALUES[name].canonical
    assert spellings, f"tests/test_feed_query.py: {name} needs `canonical`"
    for spelling, canonical in spellings.items():
        if quote_plus(spelling) == canonical:
            continue
        response = client.get("/feeds/events.rss", query_string={name: spelling})
        assert response.status_code == 301, spelling
        assert response.headers["Location"].endswith(f"?{name}={canonical}")
        assert client.get(response.headers["Location"]).status_code == 200
