"""Recurrences that the API refuses, with their pointers, and that it accepts."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.problems import pointers
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.data.fixtures import Wait

SATURDAY = {
    "title": "Chợ phiên",
    "start": "2026-12-05T19:00:00",
    "end": "2026-12-05T21:00:00",
}
RULES = read_tables("rules")
MAX_SECONDS = 5
"""A generous limit of CPU time: the longest request takes a quarter of a second."""


def refused(editor: ApiClient, recurrence: dict[str, Any]) -> list[str]:
    """Return the pointers of a refusal, which must come quickly."""
    begun = time.thread_time()
    document = {**SATURDAY, "recurrence": recurrence}
    answer = editor.send("PUT", "/events/x", document)
    assert time.thread_time() - begun < MAX_SECONDS
    assert editor.send("GET", "/events/x").status_code == 404
    return pointers(answer)


@pytest.mark.parametrize(
    "rule",
    [
        *RULES["refused"],
        "FREQ=YEARLY;BYDAY=SA;BYSETPOS=" + ",".join(["366"] * 100),
        "FREQ=DAILY;BYDAY=" + ",".join(["SA"] * 200),
    ],
)
def test_unsupported_rrule_is_422(shared_editor: ApiClient, rule: str) -> None:
    assert refused(shared_editor, {"rrule": rule}) == ["#/recurrence/rrule"]


@pytest.mark.parametrize(
    ("name", "count"),
    [("exdates", 1001), ("rdates", 100_000), ("cancelled", 101)],
)
def test_too_many_dates_are_422(
    shared_editor: ApiClient, name: str, count: int
) -> None:
    recurrence = {"rrule": "FREQ=DAILY", name: ["2026-12-06T19:00:00"] * count}
    assert refused(shared_editor, recurrence) == [f"#/recurrence/{name}"]


@pytest.mark.parametrize("rule", RULES["accepted"])
def test_valid_rrule_is_accepted_quickly(shared_editor: ApiClient, rule: str) -> None:
    begun = time.thread_time()
    document = {**SATURDAY, "recurrence": {"rrule": rule}}
    stored = shared_editor.put("/events/valid", document).get_json()
    assert time.thread_time() - begun < MAX_SECONDS
    assert stored["recurrence"]["rrule"] == rule


def test_times_of_a_recurrence_are_read_back_in_the_events_zone(
    editor: ApiClient,
) -> None:
    editor.put("/events/x", {**SATURDAY, "recurrence": RULES["sent"]})
    stored = editor.send("GET", "/events/x").get_json()
    assert stored["recurrence"] == RULES["stored"]
    patched = editor.send("PATCH", "/events/x", {"recurrence": None})
    assert "recurrence" not in patched.get_json()


def test_most_dates_far_away_are_accepted(editor: ApiClient) -> None:
    first = datetime(2181, 1, 1, 19)  # noqa: DTZ001
    far = [(first + timedelta(days=days)).isoformat() for days in range(1100)]
    dates = {
        "exdates": far[:1000],
        "rdates": [SATURDAY["start"], *far[:999]],
        "cancelled": [{"start": start, "notice": "x" * 500} for start in far[1000:]],
    }
    document = {**SATURDAY, "recurrence": {"rrule": "FREQ=DAILY", **dates}}
    begun = time.thread_time()
    stored = editor.put("/events/x", document).get_json()
    assert time.thread_time() - begun < MAX_SECONDS
    assert stored["recurrence"] == document["recurrence"]


OFF = RULES["off"]


@pytest.mark.parametrize("change", RULES["moves"])
@pytest.mark.parametrize("recurrence", [OFF, *RULES["with_dates"]], ids=str)
def test_patch_of_the_start_of_a_series_with_dates_needs_the_recurrence(
    shared_editor: ApiClient,
    recurrence: dict[str, Any],
    change: dict[str, str],
) -> None:
    path = "/events/moved"
    shared_editor.put(path, {**SATURDAY, "recurrence": recurrence})
    answer = shared_editor.send("PATCH", path, change)
    assert pointers(answer) == ["#/start"]
    dates = dict.fromkeys(("exdates", "rdates", "cancelled"))
    rule = {"rrule": "FREQ=DAILY;COUNT=90", **dates}
    moved = {"end": None, **change, "recurrence": rule}
    # Without dates, the start alone is enough.
    for patch in (moved, {"start": "2026-12-06T19:00:00", "end": None}):
        answer = shared_editor.send("PATCH", path, patch)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("patch", "expected"), RULES["bad_patches"])
def test_patch_leaves_no_cancelled_date_without_its_occurrence(
    shared_editor: ApiClient, patch: dict[str, Any], expected: str
) -> None:
    path = "/events/patched"
    shared_editor.put(path, {**SATURDAY, "recurrence": OFF})
    answer = shared_editor.send("PATCH", path, patch)
    assert pointers(answer) == [expected]
    # Dates have no offset, so they stay at the clock time of the start.
    same = {**SATURDAY, "end": None, "timezone": "Europe/Paris"}
    answer = shared_editor.send("PATCH", path, same)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("start", "rrule"), RULES["far_away"])
def test_rules_with_dates_of_the_last_years_stop_nothing(
    editor: ApiClient,
    client: FlaskClient,
    wait: Wait,
    start: str,
    rrule: str,
) -> None:
    document = {
        "title": "x",
        "start": start,
        "timezone": "America/New_York",
        "recurrence": {"rrule": rrule},
    }
    response = editor.send("PUT", "/events/far", document)
    assert response.status_code in (201, 422)
    later = {"title": "Sau", "date_published": "2026-11-25T10:01:00"}
    editor.put("/articles/later", later)
    wait(days=500)
    assert "Sau" in client.get("/feeds/news.json").text
    for path in ("rss?from=2027-02-01&to=2027-02-11", "html", "ics"):
        assert client.get(f"/feeds/events.{path}").status_code == 200
