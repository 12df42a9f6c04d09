"""Every parameter of feeds: entries, titles, place in the response cache."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from lxml import html

from feedsvc.feed_query import PARAMETERS
from feedsvc.services import get_services
from feedsvc.storage.feed_conditions import PARAMETER_CONDITIONS
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.test_feed_query import SELECTED, VALUES, query_string


@pytest.mark.parametrize("name", PARAMETERS)
def test_conditions_are_in_archives_and_have_examples(name: str) -> None:
    is_condition = name in PARAMETER_CONDITIONS
    assert PARAMETERS[name].in_archives or not is_condition, (
        f"feed_query.py: {name} needs in_archives=True, since archives have its condition"
    )
    has_examples = VALUES[name].rejected or not (
        is_condition or PARAMETERS[name].is_free_text
    )
    assert has_examples, f"tests/test_feed_query.py: {name} needs `rejected`"


@pytest.mark.both_databases
@pytest.mark.parametrize("name", [name for name in VALUES if VALUES[name].rejected])
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
                f"{url}, by its condition in storage/feed_conditions.py"
            )
    items = client.get("/feeds/events.json?when=all").get_json(force=True)["items"]
    assert len(items) == 2


NOT_IN_TITLES = {"lang", "from", "to", "cancelled"}
"""Parameters that select entries, and are not named in titles."""


@pytest.mark.parametrize(
    "name",
    [name for name in VALUES if VALUES[name].rejected and name not in NOT_IN_TITLES],
)
def test_title_and_heading_name_what_is_selected(
    editor: ApiClient, client: FlaskClient, name: str
) -> None:
    assert PARAMETERS[name].in_title, (
        f"feed_query.py: {name} selects entries, so it needs in_title=True"
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
    stored, _, _ = get_services(app).cache.stats()
    assert stored <= 10, f"feed_query.py: {name} needs is_free_text=True"
