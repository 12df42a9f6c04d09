"""Attendance, offers and performers of events: their limits, and what readers see."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from icalendar import Calendar

from tests.conftest import ApiClient

EVENT = {
    "title": "Hội thảo",
    "start": "2026-12-05T19:00:00",
    "attendance": "online",
    "online_url": "https://live.example/a?b=1&c=2",
    "offers": [
        {
            "name": "Người lớn",
            "price": "150000.00",
            "currency": "VND",
            "url": "https://ve.example/",
            "availability": "sold_out",
        },
        {"price": "0", "currency": "VND"},
    ],
    "performers": [{"name": "Lan"}, {"name": "Nam", "url": "https://nam.example/"}],
}


def test_page_has_them(editor: ApiClient, client: FlaskClient) -> None:
    editor.put("/events/e", EVENT)
    text = client.get("/entries/e?ui=en").text
    assert '<a href="https://live.example/a?b=1&amp;c=2">' in text
    assert '<a href="https://nam.example/">Nam</a>' in text
    assert "₫150,000 (sold out)" in text


@pytest.mark.parametrize(
    ("changes", "raised"),
    [
        ({"offers": []}, 0),
        ({"performers": []}, 0),
        ({"online_url": "https://other.example/"}, 1),
    ],
)
def test_sequence_rises_with_the_address_alone(
    editor: ApiClient, client: FlaskClient, changes: dict[str, Any], raised: int
) -> None:
    editor.put("/events/e", EVENT)
    editor.put("/events/e", {**EVENT, **changes})
    (event,) = Calendar.from_ical(client.get("/feeds/events.ics").data).events
    assert event["SEQUENCE"] == raised
