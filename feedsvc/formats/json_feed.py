"""JSON Feed 1.1."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from feedsvc.formats import labels
from feedsvc.formats.content import feed_body
from feedsvc.formats.iri import iri_to_uri
from feedsvc.formats.times import iso, local
from feedsvc.models import Attachment, Entry, Event, Feed, Person

MEDIA_TYPE = "application/feed+json"

Json = dict[str, Any]


def render(feed: Feed) -> bytes:
    """A feed as JSON Feed. Entries that left it are listed in an extension, `_deleted`."""
    site, query = feed.site, feed.query
    about = f"{site.public_url}/api/docs"
    document: Json = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": labels.feed_title(feed),
        "home_page_url": iri_to_uri(feed.home_url),
        "feed_url": feed.self_url,
        "description": labels.feed_description(feed),
        "next_url": feed.previous_archive and feed.url(feed.previous_archive),
        "icon": iri_to_uri(site.icon),
        "authors": [{"name": site.title, "url": iri_to_uri(site.url)}],
        "language": site.language,
        "hubs": [{"type": "WebSub", "url": iri_to_uri(hub)} for hub in feed.hubs],
    }
    own = {
        "about": about,
        "date_modified": _time(feed.updated, feed),
        "rights": site.rights,
        "archive": query.archive,
        "current_url": query.archive and feed.url(query.archive_base),
        "previous_url": feed.next_archive and feed.url(feed.next_archive),
    }
    gone = [
        {"id": one.guid, "date_deleted": _time(one.deleted_at, feed)}
        for one in feed.tombstones
    ]
    deleted = {"_deleted": {"about": about, "items": gone}} if gone else {}
    items = [drop_empty(_item(entry, feed, about)) for entry in feed.entries]
    document = {**drop_empty(document), "_feed": own, **deleted, "items": items}
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def drop_empty(members: Json) -> Json:
    """The members that say something, at any depth; a zero and a no do."""
    found = {}
    for name, value in members.items():
        if isinstance(value, dict):
            value = drop_empty(value)
        elif isinstance(value, list):
            value = [
                drop_empty(item) if isinstance(item, dict) else item for item in value
            ]
        if value or value == 0:
            found[name] = value
    return found


def _item(entry: Entry, feed: Feed, about: str) -> Json:
    site = feed.site
    title, summary = (
        labels.entry_title(entry, site.language),
        labels.feed_summary(entry, feed),
    )
    content = feed_body(entry, feed)
    return {
        "id": entry.guid,
        "url": iri_to_uri(entry.url or site.permalink(entry.id)),
        "title": title,
        "content_html": content,
        "content_text": None if content else summary or title,
        "summary": summary,
        "image": entry.image and iri_to_uri(entry.image.url),
        "date_published": _time(entry.feed_date(feed.query), feed),
        "date_modified": _time(entry.updated, feed),
        "authors": [_person(author) for author in entry.authors],
        "tags": [category.title for category in entry.categories],
        "language": entry.language,
        "attachments": [_attachment(file) for file in entry.attachments],
        "_entry": {
            "about": about,
            "id": entry.id,
            "categories": [category.slug for category in entry.categories],
            "source": entry.source and asdict(entry.source),
            "image": entry.image and asdict(entry.image),
            "rights": entry.rights or site.rights,
            "status": entry.status,
            "notice": entry.notice,
            "attachments": _exact_durations(entry),
        },
        "_event": entry.event and {"about": about, **_event(entry.event)},
    }


def _attachment(file: Attachment) -> Json:
    return {
        "url": iri_to_uri(file.url),
        "mime_type": file.type,
        "title": file.title,
        "size_in_bytes": file.length,
        "duration_in_seconds": None if file.duration is None else round(file.duration),
    }


def _exact_durations(entry: Entry) -> list[Json]:
    """Return the durations with a fraction: readers that expect integers refuse a feed that has others."""
    return [
        {"url": iri_to_uri(file.url), "duration_in_seconds": file.duration}
        for file in entry.attachments
        if file.duration is not None and file.duration != int(file.duration)
    ]


def _event(event: Event) -> Json:
    return {
        "start": iso(event.start),
        "end": event.end and iso(event.end),
        "all_day": event.all_day,
        "timezone": event.timezone.key,
        "location": event.location and asdict(event.location),
        "organizer": event.organizer and _person(event.organizer),
        "event_status": event.status,
        "recurrence": event.recurrence and event.recurrence.to_dict(),
    }


def _person(person: Person) -> Json:
    """Someone as JSON Feed has them: a name and a URL, which may be an e-mail's."""
    url = person.url and iri_to_uri(person.url)
    return {
        "name": person.name,
        "url": url or (person.email and f"mailto:{person.email}"),
    }


def _time(moment: datetime, feed: Feed) -> str:
    return iso(local(moment, feed.site))
