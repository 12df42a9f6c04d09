"""Read pages, and the entries of feeds and calendars, through HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

import recurring_ical_events
from flask.testing import FlaskClient
from icalendar import Calendar
from lxml import html
from werkzeug.http import http_date

from tests.data import read_tables

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def items(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    """Return the items of a JSON Feed, in its order."""
    response = client.get(path)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.get_json(force=True)["items"]
    return items


def ids(client: FlaskClient, path: str) -> list[str]:
    """Return the ids of a JSON Feed's entries, in its order."""
    return [item["_entry"]["id"] for item in items(client, path)]


def calendar(client: FlaskClient, path: str = "/feeds/events.ics") -> Any:
    """Return a calendar, read by icalendar."""
    response = client.get(path)
    assert response.status_code == 200, response.text
    return Calendar.from_ical(response.data)


def occurrences(client: FlaskClient, path: str, count: int) -> list[Any]:
    """Return the first occurrences in a calendar, as another library finds them."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    read = recurring_ical_events.of(calendar(client, path)).after(begin)
    return list(islice(read, count))


def get_page(
    client: FlaskClient, path: str, status: int = 200, method: str = "GET"
) -> Any:
    """Return the root element of a page, as a browser gets it."""
    response = client.open(path, method=method, headers=BROWSER)
    assert response.status_code == status, path
    assert response.mimetype == "text/html"
    return html.document_fromstring(response.data)


def conditional_headers(
    etag: str, modified: str
) -> Iterator[tuple[dict[str, str], int]]:
    """Yield conditions for validators, each with the status of the answer."""
    values = {
        "etag": etag,
        "tag": etag.strip('"').partition("-")[0],
        "date": modified,
        "later": http_date(parsedate_to_datetime(modified) + timedelta(seconds=1)),
    }
    for status, conditions in read_tables("servers")["conditions"].items():
        for condition in conditions:
            sent = {name: text.format_map(values) for name, text in condition.items()}
            yield sent, int(status)


def as_text(moment: Any) -> str:
    """Return a date, or a time in UTC in whole minutes."""
    if isinstance(moment, datetime):
        return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}"
    return str(moment)
