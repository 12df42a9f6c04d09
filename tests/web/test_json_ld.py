"""schema.org data of entry pages, read by another JSON-LD processor."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from pyld import jsonld

from tests.conftest import ApiClient
from tests.data.fixtures import Wait
from tests.full_entries import EVENT
from tests.pointers import replace_value

SCHEMA = "https://schema.org/"


def read(client: FlaskClient, id: str) -> Any:
    """Return the JSON-LD of an entry's page, expanded, as plain values and lists."""
    page = client.get(f"/entries/{id}")
    assert page.status_code == 200

    def load(url: str, options: Any) -> dict[str, Any]:
        if url == "https://schema.org":
            # Its context, as far as it matters: every term is schema.org's.
            document = {"@context": {"@vocab": SCHEMA}}
        else:
            every = {"extractAllScripts": True}
            document = jsonld.load_html(page.text, url, None, every)
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": document,
        }

    (data,) = jsonld.expand(
        f"https://feeds.example/entries/{id}", {"documentLoader": load}
    )
    return bare(data)


def bare(value: Any) -> Any:
    if isinstance(value, list):
        items = [bare(item) for item in value]
        return items[0] if len(items) == 1 else items
    if isinstance(value, dict) and "@value" in value:
        return value["@value"]
    if isinstance(value, dict):
        return {
            name.removeprefix(SCHEMA): bare(inner)
            for name, inner in value.items()
        }
    return value.removeprefix(SCHEMA) if isinstance(value, str) else value


def test_event_has_all_that_search_engines_require(
    editor: ApiClient, client: FlaskClient
) -> None:
    event = replace_value(EVENT, "#/offers/0/availability", "sold_out")
    editor.put("/events/e", event)
    page = (
        "https://portal.example/tin/%C4%91%E1%BA%A7y-%C4%91%E1%BB%A7?a=1&b=2"
    )
    assert read(client, "e") == {
        "@type": "Event",
        "name": EVENT["title"],
        "description": EVENT["summary"],
        "startDate": EVENT["start"],
        "endDate": EVENT["end"],
        "eventStatus": "https://schema.org/EventPostponed",
        "eventAttendanceMode": "https://schema.org/MixedEventAttendanceMode",
        "location": [
            {
                "@type": "Place",
                "name": "Nhà hát Lớn",
                "address": "1 Tràng Tiền",
                "geo": {
                    "@type": "GeoCoordinates",
                    "latitude": 21.024,
                    "longitude": 105.857,
                },
            },
            {
                "@type": "VirtualLocation",
                "url": "https://live.example/ho%C3%A0-nh%E1%BA%A1c?a=1&b=2",
            },
        ],
        "offers": [
            {
                "@type": "Offer",
                "name": "Người <lớn>",
                "price": "150000",
                "priceCurrency": "VND",
                "url": "https://ve.example/",
                "availability": "https://schema.org/SoldOut",
            },
            {
                "@type": "Offer",
                "name": "Trẻ em",
                "price": "0",
                "priceCurrency": "VND",
                "url": page,
            },
        ],
        "performer": {
            "@type": "PerformingGroup",
            "name": "Dàn nhạc <Giao hưởng>",
            "url": "https://nhac.example/",
        },
        "organizer": {
            "@type": "Organization",
            "name": "Sở Văn hoá",
            "email": "so@portal.example",
        },
        "image": "https://media.example/c%E1%BA%A7u.jpg",
        "url": page,
        "inLanguage": "en",
    }


def test_online_event_has_no_place(
    editor: ApiClient, client: FlaskClient
) -> None:
    online = {"attendance": "online", "online_url": "https://live.example/"}
    editor.put("/events/e", {"title": "x", "start": "2026-12-05", **online})
    data = read(client, "e")
    assert data["location"]["@type"] == "VirtualLocation"
    assert data["eventAttendanceMode"].endswith("/OnlineEventAttendanceMode")


def test_event_status_follows_changes(
    editor: ApiClient, client: FlaskClient
) -> None:
    def seen(**fields: Any) -> tuple[Any, ...]:
        editor.put("/events/e", {**EVENT, "recurrence": None, **fields})
        data = read(client, "e")
        status = data["eventStatus"].removeprefix(SCHEMA)
        return status, data["startDate"][:10]

    later = {"start": "2026-12-30T19:00:00", "end": "2026-12-30T21:30:00"}
    assert seen() == ("EventPostponed", "2026-12-24")
    assert seen(event_status="confirmed") == ("EventScheduled", "2026-12-24")
    assert seen(**later) == ("EventPostponed", "2026-12-30")
    assert seen(event_status="cancelled")[0] == "EventCancelled"


def test_all_day_event_with_few_fields(
    editor: ApiClient, client: FlaskClient
) -> None:
    event = {"title": "Hội chợ", "start": "2026-12-05", "end": "2026-12-08"}
    editor.put("/events/e", event)
    data = read(client, "e")
    assert (data["startDate"], data["endDate"]) == ("2026-12-05", "2026-12-07")
    assert data["url"] == "https://feeds.example/entries/e"
    assert not {"description", "image", "location", "organizer"} & data.keys()
    assert data["eventAttendanceMode"].endswith("/OfflineEventAttendanceMode")
    editor.put("/events/e", {**event, "location": {"name": "Phố sách"}})
    address = read(client, "e")["location"]["address"]
    assert address == "Phố sách", "an address is asked for"


def test_recurring_event_is_its_next_occurrence(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    rule = {
        "rrule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU;COUNT=6",
        "exdates": ["2026-12-20T19:00:00"],
    }
    times = {"start": "2026-12-05T19:00:00", "end": "2026-12-05T21:00:00"}
    editor.put("/events/e", {"title": "Chợ", **times, "recurrence": rule})
    assert read(client, "e")["startDate"] == "2026-12-05T19:00:00+07:00"
    wait(days=14)
    data = read(client, "e")
    assert (data["startDate"], data["endDate"]) == (
        "2026-12-19T19:00:00+07:00",
        "2026-12-19T21:00:00+07:00",
    )


def test_article_is_a_news_article(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put(
        "/articles/a",
        {
            "title": "Thông xe",
            "content_text": "Cầu mở.",
            "authors": [{"name": "Lan", "url": "https://portal.example/lan"}],
            "categories": ["giao-thong"],
            "date_published": "2026-11-20T08:00:00+07:00",
        },
    )
    assert read(client, "a") == {
        "@type": "NewsArticle",
        "headline": "Thông xe",
        "description": "Cầu mở.",
        "datePublished": "2026-11-20T08:00:00+07:00",
        "dateModified": "2026-11-25T10:00:00+07:00",
        "author": {
            "@type": "Person",
            "name": "Lan",
            "url": "https://portal.example/lan",
        },
        "publisher": {
            "@type": "Organization",
            "name": "Cổng thông tin điện tử thành phố Hà Nội",
            "url": "https://portal.example",
        },
        "articleSection": "Giao thông",
        "url": "https://feeds.example/entries/a",
        "inLanguage": "vi",
    }
