"""Who can come to an event: free entry and accessibility, and the feeds that select by them."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from feedsvc.storage.database import Database
from tests.conftest import ApiClient
from tests.web.feeds import get_page, ids, items

EVENT = {"title": "Hội", "start": "2026-12-24", "location": "Nhà hát"}
FREE = [{"price": "0", "currency": "VND"}, {"price": "0.00", "currency": "EUR"}]
PAID = [*FREE, {"price": "5", "currency": "EUR"}]
FILTERS = "?free=yes&accessibility=captions,wheelchair"


@pytest.mark.parametrize(
    ("members", "is_free"),
    [
        ({"offers": FREE}, True),
        ({"offers": PAID}, None),
        ({"offers": []}, None),
        ({"is_accessible_for_free": True, "offers": PAID}, True),
        ({"is_accessible_for_free": False, "offers": FREE}, False),
    ],
)
def test_event_is_free_if_it_says_so_or_all_offers_cost_nothing(
    editor: ApiClient, client: FlaskClient, members: dict[str, Any], is_free: bool
) -> None:
    editor.put("/events/e", {**EVENT, **members})
    (item,) = items(client, "/feeds/events.json")
    assert item["_event"].get("is_accessible_for_free") is is_free
    assert ids(client, "/feeds/events.json?free=yes") == ["e"] * (is_free is True)


def test_feed_of_every_format_has_events_with_all_that_it_names(
    editor: ApiClient, client: FlaskClient
) -> None:
    others = {"is_accessible_for_free": True, "accessibility": ["captions"]}
    chosen = {**others, "accessibility": ["wheelchair", "captions", "sign_language"]}
    editor.put("/events/a", {**EVENT, **others, "title": "Khác"})
    editor.put("/events/b", {**EVENT, **chosen})
    for format, form in FORMATS.items():
        if "events" in form.kinds:
            text = client.get(f"/feeds/events.{format}{FILTERS}").text
            assert "Hội" in text, format
            assert "Khác" not in text, format
            text = text.replace("\r\n ", "").lower()
            assert "phiên dịch ngôn ngữ ký hiệu" in text, format


def test_place_of_search_engines_has_features(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/events/e", {**EVENT, "accessibility": ["hearing_loop"]})
    text = client.get("/entries/e").text
    assert '"amenityFeature": [{"@type": "LocationFeatureSpecification"' in text
    assert "isAccessibleForFree" not in text


def chosen_filters(client: FlaskClient, path: str) -> list[tuple[str, bool]]:
    """Return the filters by access of a page, and which are chosen."""
    links = get_page(client, path).xpath("//*[@aria-label='Hỗ trợ tiếp cận']/a")
    return [(link.text, link.get("aria-current") == "true") for link in links]


def test_page_has_filters_where_events_have_such_data(
    editor: ApiClient, client: FlaskClient
) -> None:
    page = "/feeds/events.html"
    editor.put("/events/a", EVENT)
    editor.put("/events/b", {**EVENT, "start": "2026-11-01", "offers": FREE})
    assert chosen_filters(client, page) == []
    document = {**EVENT, "accessibility": "captions", "categories": ["van-hoa"]}
    editor.put("/events/c", {**document, "is_accessible_for_free": True})
    both = [("Miễn phí", False), ("Phụ đề", False)]
    assert chosen_filters(client, page) == both
    assert chosen_filters(client, "/feeds/events/van-hoa.html") == both
    assert chosen_filters(client, "/feeds/events/giao-thong.html") == []
    # One that is chosen can be taken back.
    url = f"{page}?accessibility=sign_language"
    assert chosen_filters(client, url)[1] == ("Phiên dịch ngôn ngữ ký hiệu", True)
    link = get_page(client, url).xpath(
        "//a[text()='Phiên dịch ngôn ngữ ký hiệu']/@href"
    )
    assert link == [f"https://feeds.example{page}"]


def test_links_and_the_form_of_a_page_keep_its_filters(
    editor: ApiClient, client: FlaskClient
) -> None:
    document = {**EVENT, "offers": FREE, "accessibility": ["captions", "wheelchair"]}
    editor.put("/events/e", {**document, "categories": ["van-hoa"]})
    page = get_page(client, f"/feeds/events.html{FILTERS}")
    links = page.xpath(
        "//*[@class='choices']//nav[not(@aria-label='Hỗ trợ tiếp cận')]//a"
    )
    assert len(links) > 5
    assert all(FILTERS[1:] in link.get("href") for link in links)
    hidden = page.xpath("//*[@class='choices']//input[@type='hidden']")
    values = {field.get("name"): field.get("value") for field in hidden}
    assert values == {"free": "yes", "accessibility": "captions,wheelchair"}


def test_withdrawn_event_stays_in_the_feed_that_had_it_without_these_words(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/events/e", {**EVENT, "offers": FREE, "accessibility": "captions"})
    editor.send("PATCH", "/events/e", {"status": "withdrawn", "notice": "Nhầm."})
    path = "/feeds/events.json?free=yes&accessibility=captions"
    (item,) = items(client, path)
    assert "Nhầm." in item["content_html"]
    assert "phụ đề" not in item["content_html"]
    assert not {"accessibility", "is_accessible_for_free"} & item["_event"].keys()
    editor.send("DELETE", "/events/e")
    assert ids(client, "/feeds/events.json?free=yes") == []


@pytest.mark.both_databases
def test_tick_mends_what_version_3_2_has_written(
    editor: ApiClient,
    client: FlaskClient,
    database: Database,
    tick: Callable[[], None],
) -> None:
    editor.put("/events/e", {**EVENT, "offers": FREE})
    path = "/feeds/events.json?free=yes"
    with database.begin_migration() as connection:
        # It stores words with its own form, and does not know the column.
        connection.execute(sa.text("UPDATE entries SET access = ''"))
        connection.execute(sa.text("UPDATE entry_words SET form = 2"))
    assert ids(client, path) == []
    tick()
    assert ids(client, path) == ["e"]
