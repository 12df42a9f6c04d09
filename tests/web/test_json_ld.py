"""schema.org data of entry pages, read by another JSON-LD processor."""

from typing import Any

from flask.testing import FlaskClient
from pyld import jsonld

from tests.conftest import ApiClient
from tests.data import read_tables
from tests.full_entries import EVENT
from tests.pointers import replace_value

SCHEMA = "https://schema.org/"


def read(client: FlaskClient, id: str) -> Any:
    """Return the JSON-LD of an entry's page."""
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

    context = {"@vocab": SCHEMA}
    url = f"https://feeds.example/entries/{id}"
    data = jsonld.compact(url, context, {"documentLoader": load})
    assert data.pop("@context") == context
    return data


def test_event_has_all_that_search_engines_require(
    editor: ApiClient, client: FlaskClient
) -> None:
    event = replace_value(EVENT, "#/offers/0/availability", "sold_out")
    editor.put("/events/e", event)
    assert read(client, "e") == read_tables("json_ld")["event"]


def test_event_with_few_fields(editor: ApiClient, client: FlaskClient) -> None:
    event = {"title": "Hội chợ", "start": "2026-12-05", "end": "2026-12-08"}
    editor.put("/events/e", {**event, "event_status": "tentative"})
    data = read(client, "e")
    assert data["eventStatus"] == f"{SCHEMA}EventScheduled"
    assert (data["startDate"], data["endDate"]) == ("2026-12-05", "2026-12-07")
    assert data["url"] == "https://feeds.example/entries/e"
    assert not {"description", "image", "location", "organizer"} & data.keys()
    assert data["eventAttendanceMode"].endswith("/OfflineEventAttendanceMode")
    online = {"attendance": "online", "online_url": "https://live.example/"}
    editor.put("/events/e", {**event, **online, "event_status": "cancelled"})
    data = read(client, "e")
    assert data["eventStatus"] == f"{SCHEMA}EventCancelled"
    assert data["location"]["@type"] == "VirtualLocation"
    assert data["eventAttendanceMode"].endswith("/OnlineEventAttendanceMode")
    editor.put("/events/e", {**event, "location": {"name": "Phố sách"}})
    # An address is required.
    assert read(client, "e")["location"]["address"] == "Phố sách"


def test_article_is_a_news_article(editor: ApiClient, client: FlaskClient) -> None:
    tables = read_tables("json_ld")
    editor.put("/articles/a", tables["posted"])
    assert read(client, "a") == tables["article"]
