"""Every parameter of feeds: the entries it selects, alone and with each other one."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from feedsvc.feed_query import PARAMETERS
from feedsvc.storage.feed_conditions import PARAMETER_CONDITIONS
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.test_feed_query import SELECTED, VALUES, query_string


@pytest.mark.parametrize("name", PARAMETER_CONDITIONS)
def test_condition_is_in_archives_and_has_examples(name: str) -> None:
    assert PARAMETERS[name].in_archives, (
        f"feed_query.py: {name} needs in_archives=True, since archives have its condition"
    )
    assert VALUES[name].rejected, f"tests/test_feed_query.py: {name} needs `rejected`"


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
            assert [item["_entry"]["id"] for item in items] == ["selected"], url
    items = client.get("/feeds/events.json?when=all").get_json(force=True)["items"]
    assert len(items) == 2
