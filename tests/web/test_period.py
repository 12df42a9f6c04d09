"""Feeds with `period`: its days, and what changes at the site's midnight."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from feedsvc.feeds.query import FORMATS
from feedsvc.services import get_services
from tests.conftest import ApiClient, MakeApp
from tests.data import read_tables
from tests.data.fixtures import Wait
from tests.fake_clock import HANOI, Clock

TITLE = re.compile("<title>\\D*(?P<first>[0-9/]+)(?: ?– ?(?P<last>[0-9/]+))?")
ENTRIES = re.compile(
    "<item>.*</item>|<entry>.*</entry>|BEGIN:VEVENT.*END:VEVENT"
    '|"items": *\\[.*\\]|<div class="list.*</article>',
    re.DOTALL,
)


def days(client: FlaskClient, period: str) -> list[str]:
    """Return the first and the last day in the title of a period's page."""
    text = client.get(f"/feeds/events.html?period={period}").text
    title = TITLE.search(text)
    assert title
    first, last = title["first"], title["last"] or title["first"]
    # The month and year of "25–29/11/2026" are said once.
    first += last[len(first) :]
    return ["-".join(reversed(day.split("/"))) for day in (first, last)]


def start(make_app: MakeApp, zone: str, clock: Clock | None = None) -> Flask:
    """Start an app of a site in a zone, and make its first tick."""
    app = make_app(site_timezone=ZoneInfo(zone), own_clock=clock)
    get_services(app).background.tick()
    return app


@pytest.mark.parametrize(
    ("today", "period", "first", "last"), read_tables("web")["periods"]
)
def test_period_has_its_days(
    client: FlaskClient,
    clock: Clock,
    wait: Wait,
    today: str,
    period: str,
    first: str,
    last: str,
) -> None:
    for time in ("23:59:59", "00:00:00"):
        clock.now = datetime.fromisoformat(f"{today}T{time}+07:00")
        wait()
        assert days(client, period) == [first, last]


@pytest.mark.parametrize("format", FORMATS)
def test_period_is_as_from_and_to_with_its_days(
    editor: ApiClient, client: FlaskClient, wait: Wait, format: str
) -> None:
    wait()
    for id, members in read_tables("web")["around_the_week"].items():
        editor.put(f"/events/{id}", {"title": f"[{id}]", **members})

    def entries(query: str) -> str:
        text = client.get(f"/feeds/events.{format}?{query}").text
        (found,) = ENTRIES.findall(text)
        return str(found)

    period = entries("period=week")
    assert period == entries("from=2026-11-25&to=2026-11-29")
    shown = set(re.findall(r"\[(\w+)\]", period))
    assert shown == {"over", "series", "last"}


@pytest.mark.both_databases
@pytest.mark.parametrize(("zone", "midnight"), read_tables("web")["midnights"])
def test_period_changes_at_midnight_in_all_workers(
    make_app: MakeApp, clock: Clock, zone: str, midnight: str
) -> None:
    end = datetime.fromisoformat(midnight)
    clock.now = end - timedelta(seconds=40)
    worker, other = start(make_app, zone), start(make_app, zone)
    clock.now = end - timedelta(seconds=30)
    paths = [f"/feeds/events.{format}?period=today" for format in FORMATS]

    def responses(app: Flask) -> list[TestResponse]:
        return [app.test_client().get(path) for path in paths]

    before = responses(worker)
    for response in before:
        is_page = response.mimetype == "text/html"
        ages = "max-age=30" if is_page else "max-age=900, s-maxage=30"
        control = f"public, {ages}, stale-if-error=86400"
        assert response.headers["Cache-Control"] == control
    for path, age in (("rss", 60), ("rss?period=2030-01-01", 30)):
        response = worker.test_client().get(f"/feeds/events.{path}")
        assert response.cache_control.s_maxage == age

    clock.now = end
    # Until the tick, no cache keeps them.
    assert responses(worker)[0].cache_control.s_maxage == 0
    get_services(other).background.tick()
    get_services(worker).database.poll()
    clock.forward(seconds=10)
    after = responses(worker)
    assert [each.data for each in after] == [each.data for each in responses(other)]
    for path, old in zip(paths, before, strict=True):
        since = {"If-Modified-Since": old.headers["Last-Modified"]}
        assert worker.test_client().get(path, headers=since).status_code == 200
    first, _ = days(worker.test_client(), "today")
    assert first == f"{end.date()}"
    revisions = get_services(worker).database.revisions
    for app in (worker, other):
        get_services(app).background.tick()
        get_services(app).database.poll()
        assert get_services(app).database.revisions == revisions


def test_another_zone_has_another_day(make_app: MakeApp, clock: Clock) -> None:
    clock.now = datetime(2026, 11, 26, 0, 30, tzinfo=HANOI)
    for zone, day in (
        ("Asia/Ho_Chi_Minh", "2026-11-26"),
        ("America/New_York", "2026-11-25"),
        ("Pacific/Kiritimati", "2026-11-26"),
    ):
        client = start(make_app, zone).test_client()
        assert days(client, "today") == [day, day]


def test_clock_that_is_behind_does_not_bring_the_day_back(
    make_app: MakeApp, clock: Clock
) -> None:
    clock.now = datetime(2026, 11, 26, tzinfo=HANOI)
    behind = Clock(clock.now - timedelta(seconds=2))
    ahead = start(make_app, "Asia/Ho_Chi_Minh")
    start(make_app, "Asia/Ho_Chi_Minh", behind)
    assert days(ahead.test_client(), "today")[0] == "2026-11-26"


@pytest.mark.parametrize(
    ("period", "name"),
    [("weekend", "Sự kiện – cuối tuần này"), ("7", "Sự kiện")],
)
def test_title_of_a_feed_does_not_change_with_the_day(
    client: FlaskClient, wait: Wait, period: str, name: str
) -> None:
    for day in (0, 1):
        wait(days=day)
        path = f"/feeds/events.json?period={period}"
        title = client.get(path).get_json(force=True)["title"]
        assert title == f"{name} – Cổng thông tin điện tử thành phố Hà Nội"
        text = client.get(path.replace("json", "html")).text
        assert f'title="{title} (RSS)"' in text
