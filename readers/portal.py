"""A running service with the corpus, and what programs should show of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from feedsvc.models import SCOPES, utcnow
from readers.compare import (
    Facts,
    Files,
    Text,
    Times,
    Urls,
    read_html,
    read_time,
    visible_text,
)
from readers.expected import ExpectedFeeds, Json, ReaderEntry
from tests.server import Service

CORPUS: Json = json.loads(Path(__file__).with_name("corpus.json").read_text("utf-8"))
FORMATS = {"rss": "RSS", "atom": "Atom", "json": "JSON Feed"}
CALENDAR = "/feeds/events.ics"


@contextmanager
def running(home: Path) -> Iterator[Service]:
    """Run a service with the corpus."""
    service = Service(
        f"sqlite:///{home}/feeds.db",
        WEB_CONCURRENCY="1",
    )
    service.make_token(*SCOPES)
    with service:
        for category in CORPUS["categories"]:
            send(service, "PUT", f"/categories/{category['slug']}", category)
        for collection in ("articles", "events"):
            for document in CORPUS[collection]:
                path = f"/{collection}/{document['id']}"
                if document.get("status") == "withdrawn":
                    # Otherwise it never would have been public.
                    published = {**document, "status": "published"}
                    send(service, "PUT", path, published)
                send(service, "PUT", path, document)
        yield service


def send(service: Service, method: str, path: str, document: Any = None) -> Any:
    """Send a request to the API that must succeed, and return the response's JSON."""
    response = service.request(method, f"/api/v1{path}", document)
    assert response.ok, response.text
    return response.json() if response.content else None


def expected_facts(service: Service) -> dict[str, dict[str, Facts]]:
    """Return the facts of every entry by the path of each feed, and by guid."""
    feeds = ExpectedFeeds(lambda path: send(service, "GET", path), utcnow())
    expected = {CALENDAR: dict(_calendar(feeds))}
    for kind in feeds.items:
        for format in FORMATS:
            for content in ("full", "summary"):
                path = f"/feeds/{kind}.{format}?content={content}"
                expected[path] = dict(_feed(feeds, kind, format, content))
    return expected


def _feed(
    feeds: ExpectedFeeds, kind: str, format: str, content: str
) -> Iterator[tuple[str, Facts]]:
    make_text = {"full": _full_text, "summary": _summary}[content]
    items = {item["guid"]: item for item in feeds.items[kind]}
    for entry in feeds.feed(kind):
        shown = entry.as_rss() if format == "rss" else entry
        item = items[entry.id]
        facts = _facts(feeds, shown, item) | {"text": make_text(item)}
        if content == "full":
            body = read_html(_body(item))
            facts["links"] = Urls(body["links"])
            facts["images"] = Urls(body["images"] + _pictures(item))
        yield entry.id, facts


def _calendar(feeds: ExpectedFeeds) -> Iterator[tuple[str, Facts]]:
    items = {item["guid"]: item for item in feeds.items["events"]}
    for entry in feeds.feed("events"):
        item = items[entry.id]
        facts = _facts(feeds, entry, item)
        facts["text"] = _calendar_text(item)
        times = list(occurrences(item))
        facts["times"] = Times(times)
        facts["cancelled"] = sorted(cancelled_starts(item, times))
        yield entry.id.removeprefix("urn:uuid:"), facts


def _facts(feeds: ExpectedFeeds, entry: ReaderEntry, item: Json) -> Facts:
    titles = {category["slug"]: category["title"] for category in feeds.categories}
    facts = {
        "title": entry.title,
        "link": entry.link,
        "date": read_time(str(entry.published)),
        "enclosures": Files([url for url, _, _ in entry.enclosures], _pictures(item)),
        "picture": Urls(_pictures(item)),
        "categories": sorted(titles[slug] for slug in item["categories"]),
    }
    if entry.authors:
        # In Atom, an entry without authors has those of the feed.
        facts["authors"] = list(entry.authors)
    return facts


def _pictures(item: Json) -> list[str]:
    return [item["image"]["url"]] if "image" in item else []


def _full_text(item: Json) -> Text:
    if item["status"] == "withdrawn":
        return Text([_notice(item)], [_body(item)])
    return Text([_notice(item), *_caption(item), _body(item)])


def _summary(item: Json) -> Text:
    if item["status"] == "withdrawn":
        return Text([_notice(item)], [_body(item)])
    # It is the beginning of the body if nobody wrote one.
    lead = escape(item["summary"].removesuffix("…"))
    return Text([_notice(item), lead], _caption(item))


def _calendar_text(item: Json) -> Text:
    """Return the summary; if nobody wrote one, links have their addresses in it."""
    body = _body(item)
    if visible_text(body).startswith(visible_text(item["summary"])):
        written = re.sub(r'<a href="([^"]*)"[^>]*>(.*?)</a>', r"\2 (\1)", body)
        item = {**item, "summary": visible_text(written)}
    return _summary(item)


def _notice(item: Json) -> str:
    return escape(item.get("notice", ""))


def _body(item: Json) -> str:
    text = escape(item.get("content_text") or item["summary"])
    body: str = item.get("content_html") or text
    return body


def _caption(item: Json) -> list[str]:
    image = item.get("image", {})
    return [escape(image[name]) for name in ("caption", "credit") if name in image]


def occurrences(item: Json) -> Iterator[tuple[str, str]]:
    """Yield the starts and ends of an event; dates if it is all-day."""
    zone = None if item["all_day"] else ZoneInfo(item["timezone"])
    start = _local(item["start"], zone)
    starts = {start}
    if series := item.get("recurrence"):
        starts |= set(rrulestr(series["rrule"], dtstart=start))
        starts |= {_local(text, zone) for text in series.get("rdates", ())}
        starts -= {_local(text, zone) for text in series.get("exdates", ())}
    day = timedelta(days=1) if item["all_day"] else timedelta()
    end = _local(item["end"], zone) if "end" in item else start + day
    length = _instant(end) - _instant(start)
    for time in map(_instant, starts):
        # All-day events have dates.
        size = 10 if item["all_day"] else None
        yield time.isoformat()[:size], (time + length).isoformat()[:size]


def cancelled_starts(item: Json, times: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the starts of an event that programs should show as cancelled."""
    zone = None if item["all_day"] else ZoneInfo(item["timezone"])
    dates = item.get("recurrence", {}).get("cancelled", ())
    cancelled = {_instant(_local(date["start"], zone)) for date in dates}
    is_off = item["event_status"] == "cancelled"
    for start, _ in times:
        if is_off or datetime.fromisoformat(start) in cancelled:
            yield start


def _local(text: str, zone: ZoneInfo | None) -> datetime:
    time = datetime.fromisoformat(text)
    return time.astimezone(zone) if time.tzinfo else time.replace(tzinfo=zone)


def _instant(time: datetime) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else time
